"""A toy service whose routes show what the doors of every service do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import asyncpg
import httpx
from fastapi import APIRouter, Depends, FastAPI, Form, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import text

from shared.clock import uuid7
from shared.db import Database
from shared.events import Payload
from shared.http.auth import Caller, Principal, Role, allow, mint, public
from shared.http.cursor import Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.health import FlowReport
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.outbox.emit import emit
from shared.settings import Settings

TABLES = """
CREATE TABLE toy.thing (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    quantity integer NOT NULL,
    version integer NOT NULL DEFAULT 1
);
CREATE TABLE toy.late (
    id uuid PRIMARY KEY, other uuid REFERENCES toy.late DEFERRABLE INITIALLY DEFERRED
);
CREATE FUNCTION toy.fail(state text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'asked for' USING ERRCODE = state; END $$;
GRANT ALL ON toy.thing, toy.late TO toy;
"""


class ThingAdded(Payload):
    """A thing was added to the toy service."""

    type = "toy.thing_added.v1"
    name: str


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")
    part: str = Field(max_length=40)
    quantity: int = Field(ge=1, le=1000)


class NewThing(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100)
    quantity: int = 1
    lines: list[Line] = []
    weight: float | None = None
    due: AwareDatetime | None = None
    id: UUID | None = None

    @field_validator("name")
    @classmethod
    def _no_curses(cls, name: str) -> str:
        if name.startswith("cursed"):
            raise ValueError(f"{name} is a curse")
        return name


class Thing(BaseModel):
    id: UUID
    name: str
    quantity: int
    version: int = 1


@dataclass
class Moments:
    """How far the endpoints have come: who ran, who is inside, who may go on."""

    attempts: list[str] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)


moments = Moments()
router = APIRouter(route_class=ServiceRoute)
adapter = Depends(allow("adapter"))


@dataclass
class Health:
    """What the process would report, as a test wants it."""

    draining: bool = False
    services: dict[str, str | None] = field(default_factory=lambda: {"toy": None})
    report: FlowReport = field(default_factory=lambda: FlowReport(bus=None, services={}, tasks={}))
    hang: bool = False

    async def readiness(self) -> dict[str, str | None]:
        if self.hang:
            await asyncio.Event().wait()
        return self.services

    async def flow(self) -> FlowReport:
        if self.hang:
            await asyncio.Event().wait()
        return self.report


@dataclass
class Toy:
    """The toy service: `client()` speaks as an adapter unless told otherwise."""

    app: FastAPI
    database: Database
    settings: Settings
    health: Health
    admin: asyncpg.Connection
    moments: Moments

    def token(self, *roles: Role, id: str = "adapter-1", lifetime: timedelta = timedelta(hours=1)) -> str:
        return mint(Principal(id, frozenset(roles or ("adapter",))), self.settings, lifetime)

    def client(self, *roles: Role, id: str = "adapter-1", signed_in: bool = True) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, raise_app_exceptions=False),
            base_url="http://toy.test",
            headers={"Authorization": f"Bearer {self.token(*roles, id=id)}"} if signed_in else {},
        )

    async def names(self) -> list[str]:
        """The things that are really there."""
        return [row["name"] for row in await self.admin.fetch("SELECT name FROM toy.thing ORDER BY name")]

    async def count(self, table: str) -> int:
        count: int = await self.admin.fetchval(f"SELECT count(*) FROM toy.{table}")
        return count

    def free_connections(self) -> bool:
        """Whether every connection is back in the pool."""
        checked_out: int = self.database.engine.pool.checkedout()  # type: ignore[attr-defined]
        return checked_out == 0


_ADD = text("INSERT INTO thing (id, name, quantity) VALUES (:id, :name, :quantity)")


async def _add(tx: WriteTx, body: NewThing) -> Thing:
    thing = Thing(id=body.id or uuid7(), name=body.name, quantity=body.quantity)
    await tx.execute(_ADD, {"id": thing.id, "name": thing.name, "quantity": thing.quantity})
    emit(tx, ThingAdded(name=thing.name), subject=thing.id, sequence=1)
    return thing


@router.post("/things", status_code=201, dependencies=[adapter, Depends(idempotent())])
async def add(tx: WriteTx, body: NewThing, response: Response) -> Thing:
    moments.attempts.append("add")
    thing = await _add(tx, body)
    response.headers["Location"] = f"/toy/things/{thing.id}"
    return thing


@router.post("/sure-things", status_code=201, dependencies=[adapter, Depends(idempotent(required=True))])
async def add_surely(tx: WriteTx, body: NewThing) -> Thing:
    moments.attempts.append("add")
    return await _add(tx, body)


@router.post("/slow-things", status_code=201, dependencies=[adapter, Depends(idempotent())])
async def add_slowly(tx: WriteTx, body: NewThing) -> Thing:
    moments.attempts.append("add")
    thing = await _add(tx, body)
    moments.entered.set()
    await moments.gate.wait()
    return thing


@router.post("/touch/{name}", dependencies=[adapter, Depends(idempotent())])
async def touch(tx: WriteTx, name: str) -> str:
    moments.attempts.append("touch")
    return f"touched {name}"


@router.post("/patience", dependencies=[adapter, Depends(idempotent())])
async def patience(tx: WriteTx) -> str:
    return str((await tx.execute(text("SHOW lock_timeout"))).scalar_one())


@router.post("/late-failures", status_code=201, dependencies=[adapter])
async def add_what_fails_at_commit(tx: WriteTx) -> str:
    await tx.execute(text("INSERT INTO late VALUES (:id, :other)"), {"id": uuid7(), "other": uuid7()})
    return "added"


@router.post("/contended", status_code=201, dependencies=[adapter])
async def contended(tx: WriteTx, body: NewThing, times: int, state: str = "40001") -> Thing:
    moments.attempts.append("contended")
    thing = await _add(tx, body)
    if len(moments.attempts) <= times:
        await tx.execute(text("SELECT fail(:state)"), {"state": state})
    return thing


@router.post("/answers/{status}", dependencies=[adapter, Depends(idempotent())])
async def answer(tx: WriteTx, status: int, raised: bool = False) -> Response:
    await _add(tx, NewThing(name=f"answered {status}"))
    if raised:
        raise HTTPException(status)
    return JSONResponse({"status": status}, status)


@router.get("/things", dependencies=[adapter])
async def list_things(tx: ReadTx, paging: Paged, starts: str = "") -> Page[Thing]:
    rows = await tx.execute(
        text(
            "SELECT * FROM thing WHERE starts_with(name, :starts) AND name > :after"
            " ORDER BY name LIMIT :limit"
        ),
        {
            "starts": starts,
            "after": paging.after[0] if paging.after else "",
            "limit": paging.limit + 1,
        },
    )
    things = [Thing(**row) for row in rows.mappings()]
    return paging.page(things, key=lambda thing: (thing.name, thing.id))


@router.get("/sneaky", dependencies=[adapter])
async def write_while_reading(tx: ReadTx) -> None:
    await tx.execute(_ADD, {"id": uuid7(), "name": "sneaky", "quantity": 1})


@router.get("/sneaky-event", dependencies=[adapter])
async def emit_while_reading(tx: ReadTx) -> None:
    emit(tx, ThingAdded(name="x"), subject="x", sequence=1)


@router.put("/things/{id}", dependencies=[adapter])
async def change(id: UUID, tx: WriteTx, seen: IfMatch, response: Response, body: NewThing) -> Thing:
    row = (
        (await tx.execute(text("SELECT * FROM thing WHERE id = :id FOR UPDATE"), {"id": id})).mappings().one()
    )
    seen.require(row["version"])
    version = row["version"] + 1
    await tx.execute(
        text("UPDATE thing SET name = :name, version = :version WHERE id = :id"),
        {"id": id, "name": body.name, "version": version},
    )
    show_version(response, version)
    return Thing(id=id, name=body.name, quantity=body.quantity, version=version)


@router.get("/search", dependencies=[adapter])
async def search(
    tx: ReadTx,
    q: str,
    since: AwareDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 10,
) -> str:
    return str((await tx.execute(text("SELECT :q"), {"q": q})).scalar_one())


@router.get("/by-name/{name}", dependencies=[adapter])
async def by_name(tx: ReadTx, name: str) -> int:
    found = await tx.execute(text("SELECT count(*) FROM thing WHERE name = :name"), {"name": name})
    return int(found.scalar_one())


@router.post("/forms", dependencies=[adapter])
async def form(tx: WriteTx, name: Annotated[str, Form(max_length=20)]) -> str:
    return str((await tx.execute(text("SELECT :name"), {"name": name})).scalar_one())


@router.post("/raw", dependencies=[adapter])
async def raw(request: Request) -> int:
    return len(await request.body())


@router.post("/files", dependencies=[adapter], max_body_size=2 * 1024 * 1024)
async def files(request: Request) -> int:
    return len(await request.body())


@router.get("/breaks", dependencies=[adapter])
async def breaks(q: str = "nothing") -> None:
    raise RuntimeError(f"broken by {q}")


@router.get("/mine", dependencies=[Depends(allow("engineer", "dispatcher"))])
async def mine(caller: Caller) -> str:
    return caller.id


@router.get("/open", dependencies=[Depends(public())])
async def open_to_all() -> str:
    return "open"
