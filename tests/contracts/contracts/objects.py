"""Who reaches which object through which door: every caller at every door, with each object behind it.

A table has one row per route (`dispatch_objects.toml`): what stands behind it, by which rule it opens, and
what to send so that it would. What each cell must answer follows from the roles of `authorization.toml` and
from the rule; what it does answer is observed on the running service. Whoever is refused has changed nothing,
and no answer tells of what its reader may not see.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import asyncpg
import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from contracts.authorization import SIGNED, Door, Roles, calling, doors_of
from shared.clock import uuid7
from shared.http.auth import Principal
from shared.http.sessions import SAFE_METHODS
from shared.settings import Settings

Verdict = Literal["let in", "401", "403", "404", "422"]
Whose = Literal["own", "foreign", "none"]

_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
_KEYS: Final = {
    "of",
    "may",
    "json",
    "form",
    "files",
    "raw",
    "type",
    "at",
    "query",
    "headers",
    "notes",
    "problem",
}


@dataclass(frozen=True, slots=True)
class Thing:
    """An object behind a door, or an id that nothing has.

    values   what stands for `{name}` in the address and for `"$name"` in what is sent
    workers  whose task it is; everybody else who sees it as their own stands in `others`
    made_by  who brought it about, where that matters
    """

    whose: Whose
    values: Mapping[str, Any]
    region: str | None = None
    product_line: str | None = None
    customer_level: str | None = None
    workers: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    made_by: str | None = None


@dataclass(frozen=True, slots=True)
class Somebody:
    """Who stands at the door; `principal` is None for whoever must not be taken for anybody."""

    name: str
    principal: Principal | None
    headers: Mapping[str, str]


Rule = Callable[[Principal | None, Thing], Verdict]


@dataclass(frozen=True, slots=True)
class Row:
    """How one door is used, as the table says it.

    at       what stands for `{name}` in the address where the thing does not say it
    notes    tables in which a refusal may be noted
    problem  where an answer keeps the problem, of a door that answers 200 and tells of it inside
    """

    of: str
    may: str
    json: Any = None
    form: Mapping[str, Any] | None = None
    files: Mapping[str, str] | None = None
    raw: str | None = None
    type: str | None = None
    at: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True)
class World:
    """What stands behind the doors of a service, and who comes to them.

    service   whose doors these are, as in `GET /dispatch/board`
    things    by kind; a door of the kind `nothing` has only its roles
    rules     by name
    values    what stands for `"$name"` whatever the thing
    problems  what a problem told inside of an answer would have been as a status, by the end of its type
    hidden    what no answer to somebody may tell of
    """

    app: FastAPI
    service: str
    settings: Settings
    admin: asyncpg.Connection
    things: Mapping[str, Sequence[Thing]]
    rules: Mapping[str, Rule]
    callers: Sequence[Somebody]
    values: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, Verdict] = field(default_factory=dict)
    hidden: Callable[[Principal], Collection[str]] = lambda principal: ()


def read_rows(path: Path) -> dict[str, list[Row]]:
    """The rows by door; a door that is used in several ways has a list of them."""
    found: dict[str, list[Row]] = {}
    for name, value in tomllib.loads(path.read_text(encoding="utf-8")).items():
        found[name] = [_row(path, name, each) for each in (value if isinstance(value, list) else [value])]
    return found


def _row(path: Path, name: str, value: Mapping[str, Any]) -> Row:
    if unknown := value.keys() - _KEYS:
        raise ValueError(f"{path.name}: {name}: there is no {', '.join(sorted(unknown))}")
    of = value.get("of") or ("ticket" if "{ticket_id}" in name else "nothing")
    may = value.get("may") or ("enter" if of == "nothing" else "see")
    rest = {key: each for key, each in value.items() if key not in ("of", "may")}
    return Row(of, may, **(rest | {"notes": tuple(value.get("notes", ()))}))


async def faults(
    world: World,
    rows: Mapping[str, list[Row]],
    roles: Mapping[str, Roles],
    only: Collection[str] | None = None,
) -> list[str]:
    """Every cell that is not as it must be, and every door without a row, one sentence each.

    only  the doors to try, by default all of them
    """
    doors = {door.name: door for door in doors_of(world.app) if f" /{world.service}/" in door.name}
    found = [*_disagreements(world, doors, rows, roles)]
    memory = await Memory.of(world.admin)
    async with calling(world.app, world.settings) as client:
        for name in doors.keys() & rows.keys() & roles.keys() & set(only or doors):
            for row in rows[name]:
                attempt = Attempt(world, client, doors[name], row, roles[name])
                found += await attempt.everybody(memory)
    return sorted(found)


def _disagreements(
    world: World, doors: Mapping[str, Door], rows: Mapping[str, list[Row]], roles: Mapping[str, Roles]
) -> Iterator[str]:
    for name in sorted(doors.keys() - rows.keys()):
        if name in roles:
            yield f"{name} has no row; add to the table of objects: {_suggested(world, name)}"
        else:
            yield f"{name} has no row in authorization.toml; add it there first"
    for name in sorted(rows.keys() - doors.keys()):
        yield f"{name} has a row but no route: delete the row"
    for name, ways in rows.items():
        for row in ways:
            if row.of not in world.things:
                yield f"{name}: there are no things of the kind {row.of}; there are {_named(world.things)}"
            if row.may not in world.rules:
                yield f"{name}: there is no rule {row.may}; there are {_named(world.rules)}"


def _suggested(world: World, name: str) -> str:
    """A row to begin with: the kind and the rule to be chosen, and the fields that must be sent."""
    parts = []
    if "{ticket_id}" not in name and "{" in name:
        parts.append(f'of = "<one of {_named(world.things)}>"')
    if "{" in name:
        parts.append(f'may = "<one of {_named(world.rules)}>"')
    for route in iter_route_contexts(world.app.routes):
        if isinstance(route.original_route, APIRoute) and name.endswith(f" {route.path}"):
            is_form = "x-www-form" in str(getattr(route.body_field, "field_info", ""))
            for body in route.dependant.body_params:
                fields = getattr(body.field_info.annotation, "model_fields", {})
                sent = [f'{each} = "…"' for each, info in fields.items() if info.is_required()]
                sent += ['base_version = "$version"'] if "base_version" in fields else []
                parts.append(f"{'form' if is_form else 'json'} = {{ {', '.join(dict.fromkeys(sent))} }}")
    return f'"{name}" = {{ {", ".join(parts)} }}' if parts else f'"{name}" = {{}}'


def _named(choice: Collection[str]) -> str:
    return ", ".join(sorted(choice))


@dataclass(frozen=True)
class Attempt:
    """One way of using one door, by everybody, with each thing behind it."""

    world: World
    client: httpx.AsyncClient
    door: Door
    row: Row
    roles: Roles

    async def everybody(self, memory: Memory) -> list[str]:
        """What was not as it must be. Who is refused comes first: nothing may have changed by then."""
        cells = [
            (self.expected(who, thing), who, thing)
            for who in self.world.callers
            for thing in self.world.things.get(self.row.of, ())
            if self.row.may in self.world.rules
        ]
        found: list[str] = []
        for verdict, who, thing in cells:
            if verdict != "let in":
                found += self.faults(verdict, who, thing, await self._send(who, thing))
        if changed := await memory.changed(self.world.admin, but=self.row.notes):
            found.append(f"{self.door.name}: somebody was refused, and changed {_named(changed)}")
            await memory.restore(self.world.admin)
        for verdict, who, thing in cells:
            if verdict == "let in":
                answer = await self._send(who, thing)
                found += self.faults(verdict, who, thing, answer)
                if answer.status_code < 400 and self.door.method not in SAFE_METHODS:
                    await memory.restore(self.world.admin)
        await memory.restore(self.world.admin)
        return found

    def expected(self, who: Somebody, thing: Thing) -> Verdict:
        if self.roles is not None:
            if who.principal is None or self.roles == SIGNED:
                return "401"
            if not self.roles & who.principal.roles:
                return "403"
        return self.world.rules[self.row.may](who.principal, thing)

    def faults(self, verdict: Verdict, who: Somebody, thing: Thing, answer: httpx.Response) -> list[str]:
        """What is wrong with an answer."""
        cell = f"{self.door.name} as {who.name}, {thing.whose} {self.row.of}"
        observed = self._observed(answer)
        if observed != verdict:
            return [f"{cell}: expected {verdict}, observed {observed}{_reason(answer)}"]
        if verdict == "let in" and who.principal and answer.is_success:
            seen = [each for each in self.world.hidden(who.principal) if each in answer.text]
            return [f"{cell}: tells of {each}, which is not theirs to see" for each in seen]
        return []

    async def _send(self, who: Somebody, thing: Thing) -> httpx.Response:
        row = self.row
        values = {**self.world.values, "new": str(uuid7())}
        values |= {**_filled(row.at, values), **thing.values}
        address = self.door.name.split()[1].format_map(values)
        sent: dict[str, Any] = {"params": _filled(row.query, values)} if row.query else {}
        headers = {"accept": "application/json", **who.headers, **_filled(row.headers, values)}
        if row.json is not None:
            sent["json"] = _filled(row.json, values)
        elif row.files is not None:
            sent["files"] = {name: ("file", each) for name, each in _filled(row.files, values).items()}
            sent["data"] = _filled(row.form or {}, values)
        elif row.form is not None:
            sent["data"], headers = _filled(row.form, values), headers | _FORM
        elif row.raw is not None:
            sent["content"], headers["content-type"] = bytes.fromhex(row.raw), row.type or "text/plain"
        self.client.cookies.clear()
        return await self.client.request(self.door.method, address, headers=headers, **sent)

    def _observed(self, answer: httpx.Response) -> str:
        status = answer.status_code
        if self.row.problem and status == 200:
            told: Any = answer.json()
            for step in self.row.problem.split("."):
                told = told[int(step) if step.isdigit() else step]
            kind = str(told["type"]).rpartition("/")[2] if told else ""
            return self.world.problems.get(kind, "let in")
        if status == 500:
            return "a fault"
        return str(status) if status in (401, 403, 404, 422) else "let in"


def _reason(answer: httpx.Response) -> str:
    if answer.headers.get("content-type") != "application/problem+json":
        return ""
    told = answer.json()
    return f" ({told.get('errors') or told['detail']})"


def _filled(sent: Any, values: Mapping[str, Any]) -> Any:
    """What is sent, with `"$name"` replaced."""
    match sent:
        case str() if sent.startswith("$"):
            return values[sent[1:]]
        case dict():
            return {key: _filled(each, values) for key, each in sent.items()}
        case list():
            return [_filled(each, values) for each in sent]
        case other:
            return other


_TABLES: Final = """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    ORDER BY relname
"""


@dataclass(frozen=True)
class Memory:
    """All rows of a schema as they were, to compare with and to go back to."""

    kept: Mapping[str, str]
    looking: str

    @classmethod
    async def of(cls, admin: asyncpg.Connection) -> Memory:
        names = [row["relname"] for row in await admin.fetch(_TABLES)]
        each = (
            f"""SELECT '{name}' AS name,
            (SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} AS t) AS held"""
            for name in names
        )
        looking = " UNION ALL ".join(each)
        for name in names:
            await admin.execute(f"DROP TABLE IF EXISTS kept_{name}")
            await admin.execute(f"CREATE TEMP TABLE kept_{name} AS TABLE {name}")
        return cls({row["name"]: row["held"] for row in await admin.fetch(looking)}, looking)

    async def changed(self, admin: asyncpg.Connection, but: Collection[str] = ()) -> list[str]:
        """The tables that do not hold what they held."""
        held = {row["name"]: row["held"] for row in await admin.fetch(self.looking)}
        return [name for name in held if held[name] != self.kept[name] and name not in but]

    async def restore(self, admin: asyncpg.Connection) -> None:
        """Everything is as it was again."""
        if changed := await self.changed(admin):
            async with admin.transaction():
                await admin.execute("SET LOCAL session_replication_role = replica")
                for name in changed:
                    await admin.execute(
                        f"DELETE FROM {name}; "
                        f"INSERT INTO {name} OVERRIDING SYSTEM VALUE SELECT * FROM kept_{name}"
                    )
