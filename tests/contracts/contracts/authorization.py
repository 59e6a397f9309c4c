"""Who may use which route: what the routes declare, what the table expects, and what really happens.

Every route is called for real by nobody, with an expired token, by each role with a token and with a session,
and by a session that cannot prove that one of our pages sent the call. Bodies are broken on purpose: who may
not come in must be told so before anybody looks at what was brought, and who may changes nothing.
"""

from __future__ import annotations

import tomllib
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import httpx
from fastapi import FastAPI
from fastapi.responses import Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.auth import ROLES, Principal, Role, access_of, mint
from shared.http.sessions import SAFE_METHODS, cookie_name, csrf_token, start_session
from shared.settings import Settings

Roles = frozenset[Role] | None
"""Who may come in; None is everybody."""
SIGNED: Roles = frozenset()
"""Nobody by role: a public door with a lock of its own, such as a webhook's signature."""

# Only served in development, by the framework, which knows no declarations.
_FRAMEWORK: Final = {"/openapi.json"}
_BROKEN: Final = b"{"


@dataclass(frozen=True)
class Door:
    """One method of one route."""

    name: str
    """`GET /sla/board`, as in the table."""
    method: str
    address: str
    """The path with the least that its parameters accept."""
    declared: bool
    roles: Roles


def doors_of(app: FastAPI) -> list[Door]:
    """Every method of every route, by name."""
    found: list[Door] = []
    for route in iter_route_contexts(app.routes):
        if route.path is None or route.path in _FRAMEWORK:
            continue
        declared, roles = _declaration(route)
        for method in sorted(route.methods or {"GET"}):
            found.append(Door(f"{method} {route.path}", method, _address(route), declared, roles))
    return sorted(found, key=lambda door: door.name)


def _declaration(route: Any) -> tuple[bool, Roles]:
    if not isinstance(route.original_route, APIRoute):
        return False, None
    declarations = [access.roles for access in access_of(route)]
    limits = [roles for roles in declarations if roles is not None]
    return bool(declarations), frozenset.intersection(*limits) if limits else None


def _address(route: Any) -> str:
    values = dict.fromkeys(route.param_convertors, "x")
    if isinstance(route.original_route, APIRoute):
        values |= {field.alias: _least(field.field_info.annotation) for field in route.dependant.path_params}
    return str(route.path_format.format(**values))


def _least(annotation: Any) -> str:
    if annotation is uuid.UUID:
        return str(uuid.UUID(int=7 << 76 | 2 << 62))
    if annotation is int:
        return "1"
    if get_origin(annotation) is Literal:
        return str(get_args(annotation)[0])
    return "x"


def read_table(path: Path) -> dict[str, Roles]:
    """The committed answers: `"GET /sla/board" = ["operations"]`, `"public"`, or `"signed"`."""
    table: dict[str, Roles] = {}
    for name, value in tomllib.loads(path.read_text(encoding="utf-8")).items():
        if value == "public":
            table[name] = None
        elif value == "signed":
            table[name] = SIGNED
        elif isinstance(value, list) and value and ROLES.issuperset(value):
            table[name] = frozenset(value)
        else:
            raise ValueError(
                f'{path.name}: {name}: write "public", "signed" or a list of {", ".join(sorted(ROLES))}'
            )
    return table


def without(table: Mapping[str, Roles], *services: str) -> dict[str, Roles]:
    """The rows of a process in which these services do not run."""
    return {door: roles for door, roles in table.items() if door.split("/")[1] not in services}


def written(roles: Roles) -> str:
    """The right side of a row."""
    if roles == SIGNED:
        return '"signed"'
    return '"public"' if roles is None else "[" + ", ".join(f'"{role}"' for role in sorted(roles)) + "]"


def disagreements(doors: list[Door], table: Mapping[str, Roles]) -> Iterator[str]:
    """Where declarations and table differ."""
    names = {door.name for door in doors}
    for door in doors:
        if not door.declared:
            yield f"{door.name} declares nobody: add Depends(allow(…)) or Depends(public()) to the route"
        elif door.name not in table:
            yield f'{door.name} has no row; if this is meant, add: "{door.name}" = {written(door.roles)}'
        elif table[door.name] != door.roles and not (table[door.name] == SIGNED and door.roles is None):
            yield f"{door.name} declares {written(door.roles)}, the table says {written(table[door.name])}"
    for name in table:
        if name not in names:
            yield f"{name} has a row but no route: delete the row"


@dataclass(frozen=True)
class Caller:
    """Somebody at the door, and whether they are to be let in there."""

    name: str
    headers: Mapping[str, str] = field(default_factory=dict)
    known: bool = True
    role: Role | None = None
    proven: bool = True

    def expected(self, door: Door, roles: Roles) -> str:
        if roles is None:
            return "let in"
        if not self.known or roles == SIGNED:
            return "401"
        if self.role not in roles:
            return "403"
        return "let in" if self.proven or door.method in SAFE_METHODS else "403"


def callers(settings: Settings) -> list[Caller]:
    """Nobody, somebody too late, and every role in every way it can come."""
    made = [
        Caller("nobody", known=False),
        Caller("an expired token", _bearer("admin", settings, timedelta(hours=-1)), known=False),
        Caller("an altered token", _altered(settings), known=False),
        Caller("a token of nobody's making", {"authorization": "Bearer a.b.c"}, known=False),
    ]
    for role in sorted(ROLES):
        cookie, proof = _session(role, settings)
        made += [
            Caller(f"{role} by token", _bearer(role, settings, timedelta(hours=1)), role=role),
            Caller(f"{role} by session", {**cookie, **proof}, role=role),
            Caller(f"{role} by session without proof", cookie, role=role, proven=False),
        ]
    return made


def _bearer(role: Role, settings: Settings, lifetime: timedelta) -> dict[str, str]:
    token = mint(Principal(f"some.{role}", frozenset({role})), settings, lifetime)
    return {"authorization": f"Bearer {token}"}


def _altered(settings: Settings) -> dict[str, str]:
    """What an administrator's token says, signed for somebody else."""
    header, said, _ = _bearer("admin", settings, timedelta(hours=1))["authorization"].split(".")
    signature = _bearer("engineer", settings, timedelta(hours=1))["authorization"].rpartition(".")[2]
    return {"authorization": f"{header}.{said}.{signature}"}


def _session(role: Role, settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    response = Response()
    session = start_session(response, Principal(f"some.{role}", frozenset({role})), settings)
    sealed = response.headers["set-cookie"].split(";")[0]
    assert sealed.startswith(cookie_name(settings))
    return {"cookie": sealed}, {"x-csrf-token": csrf_token(session, settings)}


async def deviations(app: FastAPI, table: Mapping[str, Roles], settings: Settings) -> list[str]:
    """Every difference between declared, expected and observed, one sentence each."""
    doors = doors_of(app)
    found = [*disagreements(doors, table)]
    standing = callers(settings)
    async with calling(app, settings) as client:
        for door in doors:
            expected_of = table.get(door.name, door.roles)
            for caller in standing:
                if expected_of is None and caller.role:
                    continue  # open to all: whoever one is, it is the same door
                expected, observed = caller.expected(door, expected_of), await _observe(client, door, caller)
                if observed != expected:
                    found.append(f"{door.name} as {caller.name}: expected {expected}, observed {observed}")
    return found


async def _observe(client: httpx.AsyncClient, door: Door, caller: Caller) -> str:
    headers = {"accept": "application/json", **caller.headers}
    content = None
    if door.method not in SAFE_METHODS:
        content, headers["content-type"] = _BROKEN, "application/json"
    client.cookies.clear()
    status = (await client.request(door.method, door.address, headers=headers, content=content)).status_code
    if status in (401, 403):
        return str(status)
    return "a fault" if status == 500 else "let in"


@asynccontextmanager
async def calling(app: FastAPI, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose streams end as soon as they have begun."""
    transport = httpx.ASGITransport(_ending(app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=settings.public_url) as client:
        yield client


def _ending(app: ASGIApp) -> ASGIApp:
    """`app`, with streams that end as soon as they have begun: nobody waits for the end of one."""

    async def ended(scope: Scope, receive: Receive, send: Send) -> None:
        stream = False

        async def send_until_stream(message: Message) -> None:
            nonlocal stream
            if stream:
                return
            await send(message)
            if message["type"] == "http.response.start":
                stream = (b"content-type", b"text/event-stream; charset=utf-8") in message["headers"]
            if stream:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await app(scope, receive, send_until_stream)

    return ended
