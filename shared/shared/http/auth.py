"""Who is calling, and what they may do.

A caller is known by a bearer token (JWT) or, on pages, by the sealed session cookie. Every route declares
who may use it: `Depends(allow("dispatcher", "operations"))`, or `Depends(public())`; a process with a route
that declares neither does not start.

Tokens are minted by the command line in the embedded mode and signed with a key derived from the secret.
Tokens of an identity provider (OIDC: RS256 or ES256, keys by JWKS) will be read beside them, in
`read_token`, by their `iss`; each issuer has its own fixed list of algorithms.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Final, Literal, get_args

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import GuestProtocol, OctKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.clock import now, uuid7
from shared.errors import AftercareError
from shared.http import strict
from shared.http.keys import Key, keys_for
from shared.http.scope import settings_of
from shared.settings import Settings

Role = Literal[
    "adapter",
    "engineer",
    "dispatcher",
    "operations",
    "storekeeper",
    "care",
    "knowledge",
    "department",  # sales, product, R&D, supply chain, finance, logistics (R37, R124)
    "admin",
]
ROLES: Final[frozenset[Role]] = frozenset(get_args(Role))

ISSUER: Final = "aftercare"
ALGORITHM: Final = "HS256"
LEEWAY: Final = timedelta(seconds=30)  # between the clocks of two hosts
LONGEST_NAME: Final = 100  # characters
LONGEST_TOKEN: Final = 4096  # characters; ours have about 500
_REGISTRY: Final = jws.JWSRegistry(algorithms=[ALGORITHM])


class NotSignedIn(AftercareError):
    """Nobody is signed in; send a bearer token, or sign in."""

    kind = "unauthenticated"
    challenge: ClassVar = 'Bearer realm="aftercare"'


class InvalidToken(AftercareError):
    """The token is not valid here, or not any more; get a new one."""

    kind = "unauthenticated"
    challenge: ClassVar = 'Bearer realm="aftercare", error="invalid_token"'


class TooMuchForToken(AftercareError):
    """{who} has more regions, product lines and customer levels than a token can hold; give fewer, or all."""


class NotAllowed(AftercareError):
    """None of your roles may do this; it takes one of: {roles}."""

    kind = "forbidden"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody we know, a person or a program; a scope of None is no limit."""

    id: str
    roles: frozenset[Role]
    channel: str | None = None
    """The one channel an adapter may write to."""
    regions: frozenset[str] | None = None
    product_lines: frozenset[str] | None = None
    customer_levels: frozenset[str] | None = None
    name: str | None = None
    """What people call them, where whoever signed them in knew; for reading only."""


class _Claims(BaseModel):
    """What a token of ours says; anything more, less or of another type is not ours."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    iss: Literal["aftercare"]
    aud: str
    sub: str = Field(min_length=1, max_length=200)
    jti: str
    iat: int
    nbf: int
    exp: int
    roles: frozenset[Role] = Field(min_length=1)
    channel: str | None = None
    regions: frozenset[str] | None = None
    product_lines: frozenset[str] | None = None
    customer_levels: frozenset[str] | None = None
    name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME)

    def principal(self) -> Principal:
        return Principal(
            self.sub,
            self.roles,
            self.channel,
            self.regions,
            self.product_lines,
            self.customer_levels,
            self.name,
        )


def mint(principal: Principal, settings: Settings, lifetime: timedelta) -> str:
    """A token for `principal`, valid from now for `lifetime`, on this installation only.

    `TooMuchForToken` when its scopes are too many to be carried with every request.
    """
    begin = int(now().timestamp())
    claims = _Claims(
        iss=ISSUER,
        aud=settings.public_url,
        sub=principal.id,
        jti=str(uuid7()),
        iat=begin,
        nbf=begin,
        exp=begin + int(lifetime.total_seconds()),
        roles=principal.roles,
        channel=principal.channel,
        regions=principal.regions,
        product_lines=principal.product_lines,
        customer_levels=principal.customer_levels,
        name=principal.name,
    )
    key = keys_for("token", settings)[0]
    header = {"alg": ALGORITHM, "kid": key.id, "typ": "JWT"}
    payload = claims.model_dump_json(exclude_none=True)
    token = jws.serialize_compact(header, payload, OctKey.import_key(key.material), registry=_REGISTRY)
    if len(token) > LONGEST_TOKEN:
        raise TooMuchForToken(who=principal.id)
    return token


def read_token(token: str, settings: Settings) -> Principal:
    """Who a token speaks for; `InvalidToken` when it is forged, foreign, expired or not valid yet."""
    if len(token) > LONGEST_TOKEN:
        raise InvalidToken
    claims = _verified(token, keys_for("token", settings))
    instant, leeway = now().timestamp(), LEEWAY.total_seconds()
    if claims.aud != settings.public_url or not claims.nbf - leeway <= instant < claims.exp + leeway:
        raise InvalidToken
    return claims.principal()


@lru_cache(maxsize=1024)
def _verified(token: str, keys: tuple[Key, ...]) -> _Claims:
    """The claims of a token one of `keys` signed. Kept: they never change, only their time runs out."""

    def named(signature: GuestProtocol) -> OctKey:
        header = signature.headers()
        for key in keys:
            # Nothing else may stand there: `jwk`, `jku` and their like tell a verifier which key to trust.
            if header == {"alg": ALGORITHM, "kid": key.id, "typ": "JWT"}:
                return OctKey.import_key(key.material)
        raise InvalidToken

    try:
        payload = jws.deserialize_compact(token, named, registry=_REGISTRY).payload
        strict.parse(payload)  # refuses what pydantic would pass over, such as a claim that stands twice
        return _Claims.model_validate_json(payload)
    # ValueError: what the library lets through of broken base64, JSON and text.
    except (JoseError, ValidationError, strict.NotJson, strict.UnacceptableJson, ValueError):
        raise InvalidToken from None


async def current_principal(request: Request) -> Principal:
    """Who is calling; found once per request. `NotSignedIn` or `InvalidToken` when nobody we know."""
    state: dict[str, Any] = request.scope["state"]
    principal: Principal | None = state.get("principal")
    if principal is None:
        principal = state["principal"] = await _identify(request)
    return principal


async def _identify(request: Request) -> Principal:
    settings = settings_of(request)
    if (token := _bearer(request)) is not None:
        return read_token(token, settings)
    from shared.http import sessions  # which needs the principals of this file

    principal = sessions.principal_of_session(request, settings)
    if principal is None:
        raise NotSignedIn
    await sessions.require_csrf(request, settings)  # browsers send a cookie whoever wrote the page
    return principal


def _bearer(request: Request) -> str | None:
    """The bearer token; None without an Authorization header, which leaves room for the cookie."""
    sent = request.headers.getlist("authorization")
    if not sent:
        return None
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer":
        raise InvalidToken
    return token.strip()


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use a route; None is everybody, known or not."""

    roles: frozenset[Role] | None

    async def __call__(self, request: Request) -> Principal | None:
        if self.roles is None:
            return None
        principal = await current_principal(request)
        if not self.roles & principal.roles:
            raise NotAllowed(roles=", ".join(sorted(self.roles)))
        return principal


def allow(*roles: Role) -> Access:
    """Declare that callers with any of `roles` may use a route: `Depends(allow("engineer"))`."""
    if not roles or not ROLES.issuperset(roles):
        raise TypeError(f"name at least one of the roles {', '.join(sorted(ROLES))}; got {roles}")
    return Access(frozenset(roles))


def public() -> Access:
    """Declare that a route is open to everybody: `Depends(public())`."""
    return Access(None)


def access_of(route: APIRoute | RouteContext) -> list[Access]:
    """Every declaration of who may use a route; all of them must agree to a caller."""
    original = route.original_route if isinstance(route, RouteContext) else route
    taken_over: tuple[Access, ...] = getattr(original, "access", ())  # by ServiceRoute
    return [*taken_over, *_declared(route.dependant)]


def _declared(dependant: Dependant) -> Iterator[Access]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Access):
            yield dependency.call
        yield from _declared(dependency)


Caller = Annotated[Principal, Depends(current_principal)]
"""The caller, for endpoints whose route says who may call."""
