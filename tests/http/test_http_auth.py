"""Only tokens of ours, for here, for now; only roles that a route names."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import SecretStr

from shared.clock import clock
from shared.http.auth import InvalidToken, Principal, Role, TooMuchForToken, allow, mint, read_token
from shared.http.keys import keys_for
from shared.settings import Settings

if TYPE_CHECKING:
    from doors import Toy

ENGINEER = Principal(
    "engineer-7",
    frozenset({"engineer"}),
    regions=frozenset({"east"}),
    product_lines=frozenset(),
    customer_levels=None,
)


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def claims(settings: Settings, **changes: Any) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    said = {
        "iss": "aftercare",
        "aud": settings.public_url,
        "sub": "engineer-7",
        "jti": "1",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "roles": ["engineer"],
    } | changes
    return {name: value for name, value in said.items() if value is not ...}


def signed(
    settings: Settings,
    header: dict[str, Any] | str | None = None,
    payload: Any = None,
    key: bytes | None = None,
) -> str:
    """A token as an attacker (or a careless issuer) would write it; by default a good one."""
    own = keys_for("token", settings)[0]
    head = header if header is not None else {"alg": "HS256", "kid": own.id, "typ": "JWT"}
    body = payload if payload is not None else claims(settings)
    parts = [encode((part if isinstance(part, str) else json.dumps(part)).encode()) for part in (head, body)]
    signature = hmac.digest(key or own.material, ".".join(parts).encode(), hashlib.sha256)
    return ".".join([*parts, encode(signature)])


def test_the_forger_below_can_write_a_good_token(toy_settings: Settings) -> None:
    """So what is refused below is refused for the one thing that is wrong with it."""
    assert read_token(signed(toy_settings), toy_settings).id == "engineer-7"


def _kid(settings: Settings) -> str:
    return keys_for("token", settings)[0].id


def _header(**changes: Any) -> Callable[[Settings], str]:
    return lambda s: signed(s, {"alg": "HS256", "kid": _kid(s), "typ": "JWT"} | changes)


def _claim(**changes: Any) -> Callable[[Settings], str]:
    return lambda s: signed(s, payload=claims(s, **changes))


def _seconds(claim: str, offset: int) -> Callable[[Settings], str]:
    return lambda s: signed(s, payload=claims(s, **{claim: int(clock.now().timestamp()) + offset}))


def _without_signature(s: Settings) -> str:
    return signed(s, {"alg": "none", "kid": _kid(s)}).rpartition(".")[0] + "."


def _rsa(s: Settings) -> str:
    key = rsa.generate_private_key(65537, 2048)
    message = ".".join(encode(json.dumps(p).encode()) for p in ({"alg": "RS256", "kid": _kid(s)}, claims(s)))
    return f"{message}.{encode(key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _public_key_as_secret(s: Settings) -> str:
    key = rsa.generate_private_key(65537, 2048).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return signed(s, key=pem)


def _duplicate(s: Settings) -> str:
    text = json.dumps(claims(s))
    return signed(s, payload=text[:-1] + ',"roles":["admin"]}')


def _tampered(s: Settings) -> str:
    head, _, signature = signed(s).split(".")
    return f"{head}.{encode(json.dumps(claims(s, roles=['admin'])).encode())}.{signature}"


FORGED: dict[str, Callable[[Settings], str]] = {
    "nothing": lambda s: "",
    "not a token": lambda s: "secret",
    "two parts": lambda s: signed(s).rpartition(".")[0],
    "five parts": lambda s: signed(s) + ".a.b",
    "alg none": _without_signature,
    "alg None": _header(alg="None"),
    "alg none with a signature": _header(alg="none"),
    "alg HS512": _header(alg="HS512"),
    "alg RS256 with a key of their own": _rsa,
    "HS256 with a public key": _public_key_as_secret,
    "alg missing": lambda s: signed(s, {"kid": _kid(s), "typ": "JWT"}),
    "alg a list": _header(alg=["HS256"]),
    "another secret": lambda s: signed(s, key=b"x" * 32),
    "the key of another purpose": lambda s: signed(s, key=keys_for("cursor", s)[0].material),
    "the secret itself": lambda s: signed(s, key=s.secret.get_secret_value().encode()),
    "an empty key": lambda s: signed(s, key=b"\0"),
    "changed claims": _tampered,
    "cut signature": lambda s: signed(s)[:-4],
    "no kid": lambda s: signed(s, {"alg": "HS256", "typ": "JWT"}),
    "unknown kid": _header(kid="0" * 16),
    "kid a path": _header(kid="../../../../dev/null"),
    "kid a URL": _header(kid="https://keys.example/jwks.json"),
    "kid SQL": _header(kid="' UNION SELECT 'secret' --"),
    "kid a number": _header(kid=1),
    "a key in the header": _header(jwk={"kty": "oct", "k": encode(b"x" * 32)}),
    "signed with the key in the header": lambda s: signed(
        s,
        {"alg": "HS256", "kid": _kid(s), "typ": "JWT", "jwk": {"kty": "oct", "k": encode(b"x" * 32)}},
        key=b"x" * 32,
    ),
    "another typ": _header(typ="secevent+jwt"),
    "a key address in the header": _header(jku="https://keys.example/jwks.json"),
    "critical extension": _header(crit=["exp"], exp=1),
    "unencoded payload": _header(b64=False, crit=["b64"]),
    "wrong aud": _claim(aud="https://elsewhere.example"),
    "several aud": _claim(aud=["http://127.0.0.1:8000", "https://elsewhere.example"]),
    "no aud": _claim(aud=...),
    "wrong iss": _claim(iss="somebody"),
    "no iss": _claim(iss=...),
    "expired": _seconds("exp", -31),
    "no exp": _claim(exp=...),
    "exp as text": _claim(exp="9999999999"),
    "exp NaN": lambda s: signed(s, payload=json.dumps(claims(s, exp=float("nan")))),
    "exp infinite": lambda s: signed(s, payload=json.dumps(claims(s, exp=float("inf")))),
    "exp true": _claim(exp=True),
    "not valid yet": _seconds("nbf", 31),
    "no sub": _claim(sub=...),
    "empty sub": _claim(sub=""),
    "no roles": _claim(roles=[]),
    "unknown role": _claim(roles=["root"]),
    "roles as text": _claim(roles="admin"),
    "unknown claim": _claim(admin=True),
    "a claim that stands twice": _duplicate,
    "payload not JSON": lambda s: signed(s, payload="{broken"),
    "payload an array": lambda s: signed(s, payload=[1]),
    "payload nested": lambda s: signed(s, payload="[" * 1000 + "]" * 1000),
    "header not JSON": lambda s: signed(s, "{broken"),
    "header an array": lambda s: signed(s, "[]"),
    "1 MiB": lambda s: signed(s, payload=claims(s, sub="x" * 1024 * 1024)),
    "1 MiB of dots": lambda s: "." * 1024 * 1024,
    "ours, but long": _claim(regions=[f"region-{number}" for number in range(300)]),
    "padding": lambda s: signed(s) + "==",
    "other alphabet": lambda s: signed(s).replace("-", "+").replace("_", "/") + "/",
    "not ASCII": lambda s: signed(s) + "é",
    "surrogate": lambda s: signed(s) + "\udc80",
    "new line": lambda s: signed(s) + "\n",
}


@pytest.mark.parametrize("case", FORGED)
def test_forged_tokens_are_refused(toy_settings: Settings, case: str) -> None:
    with pytest.raises(InvalidToken):
        read_token(FORGED[case](toy_settings), toy_settings)


@pytest.mark.parametrize(("claim", "offset"), [("exp", -29), ("nbf", 29)])
def test_clocks_may_differ_by_half_a_minute(toy_settings: Settings, claim: str, offset: int) -> None:
    assert read_token(_seconds(claim, offset)(toy_settings), toy_settings)


def test_a_token_says_what_was_minted(toy_settings: Settings) -> None:
    assert read_token(mint(ENGINEER, toy_settings, timedelta(hours=1)), toy_settings) == ENGINEER


def test_a_token_that_nobody_would_accept_is_not_minted(toy_settings: Settings) -> None:
    everywhere = replace(ENGINEER, regions=frozenset(f"region-{number}" for number in range(300)))
    with pytest.raises(TooMuchForToken):
        mint(everywhere, toy_settings, timedelta(hours=1))


def test_a_token_that_was_accepted_still_expires(toy_settings: Settings) -> None:
    token = mint(ENGINEER, toy_settings, timedelta(seconds=-29))
    assert read_token(token, toy_settings)
    before = clock.now()
    try:
        clock.set(before + timedelta(seconds=2))
        with pytest.raises(InvalidToken):
            read_token(token, toy_settings)
    finally:
        clock.set(before)


def test_the_previous_secret_is_accepted_while_it_is_named(toy_settings: Settings) -> None:
    token = mint(ENGINEER, toy_settings, timedelta(hours=1))
    rolled = toy_settings.model_copy(
        update={"secret": SecretStr("n" * 40), "previous_secret": toy_settings.secret}
    )
    assert read_token(token, rolled) == ENGINEER
    with pytest.raises(InvalidToken):
        read_token(token, rolled.model_copy(update={"previous_secret": None}))


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (None, 'Bearer realm="aftercare"'),
        ("Bearer nonsense", 'Bearer realm="aftercare", error="invalid_token"'),
        ("Basic dXNlcjpwYXNz", 'Bearer realm="aftercare", error="invalid_token"'),
        ("Bearer", 'Bearer realm="aftercare", error="invalid_token"'),
    ],
)
async def test_without_a_valid_token_the_answer_is_401(toy: Toy, header: str | None, challenge: str) -> None:
    async with toy.client(signed_in=False) as client:
        answer = await client.get("/toy/mine", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == challenge


async def test_two_tokens_are_none(toy: Toy) -> None:
    token = ("Authorization", f"Bearer {toy.token('engineer')}")
    async with toy.client(signed_in=False) as client:
        assert (await client.get("/toy/mine", headers=[token])).status_code == 200
        assert (await client.get("/toy/mine", headers=[token, token])).status_code == 401


@pytest.mark.parametrize(
    ("roles", "status"),
    [(("engineer",), 200), (("dispatcher", "care"), 200), (("adapter",), 403), (("admin",), 403)],
)
async def test_a_route_is_for_the_roles_it_names(toy: Toy, roles: tuple[Role, ...], status: int) -> None:
    async with toy.client(*roles, id="somebody") as client:
        answer = await client.get("/toy/mine")
    assert answer.status_code == status
    assert answer.json() == "somebody" if status == 200 else "dispatcher, engineer" in answer.json()["detail"]


async def test_an_open_route_asks_nobody(toy: Toy) -> None:
    async with toy.client(signed_in=False) as client:
        assert (await client.get("/toy/open")).json() == "open"
        assert (await client.get("/toy/open", headers={"Authorization": "Bearer junk"})).status_code == 200


def test_only_roles_that_exist_can_be_allowed() -> None:
    assert allow("engineer").roles == frozenset({"engineer"})
    for roles in [(), ("root",)]:
        with pytest.raises(TypeError):
            allow(*roles)  # type: ignore[arg-type]
