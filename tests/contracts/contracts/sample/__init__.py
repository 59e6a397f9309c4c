"""A service of one page: promises with their deadlines, live, and one thing to do about each."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text

from shared.clock import uuid7
from shared.db import Tx
from shared.errors import AftercareError
from shared.http.auth import Role, allow
from shared.http.pages import Link, Site, page
from shared.http.sse import LiveFeed, Row
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import N_
from shared.process.service import Service

HERE = Path(__file__).parent
DESK: tuple[Role, ...] = ("dispatcher", "operations")


class NoSuchPromise(AftercareError):
    """There is no promise {id}."""

    kind = "not_found"


class NewPromise(BaseModel):
    model_config = ConfigDict(extra="forbid")

    customer: str
    subject: str
    severity: str = "general"
    due_at: datetime
    share: int = 0
    """Percent of the time that is used up."""


async def make_promise(tx: Tx, promise: NewPromise) -> str:
    id = str(uuid7())
    await tx.execute(
        text(
            "INSERT INTO promise (id, customer, subject, severity, due_at, share)"
            " VALUES (:id, :customer, :subject, :severity, :due_at, :share)"
        ),
        {"id": id, **promise.model_dump()},
    )
    return id


async def load_promises(tx: Tx) -> list[Row]:
    found = await tx.execute(text("SELECT * FROM promise ORDER BY due_at, id"))
    return [Row(row["id"], row["due_at"].isoformat(), dict(row)) for row in found.mappings()]


async def version_of_promises(tx: Tx) -> Any:
    return (await tx.execute(text("SELECT count(*), sum(version) FROM promise"))).one()


router = APIRouter(route_class=ServiceRoute)


@router.get("/board", dependencies=[Depends(allow(*DESK))])
async def board(request: Request, tx: ReadTx) -> Response:
    return page(request, "board.html", rows=await load_promises(tx))


@router.get("/promises/{id}", dependencies=[Depends(allow(*DESK))])
async def promise(tx: ReadTx, id: str) -> dict[str, Any]:
    for row in await load_promises(tx):
        if row.id == id:
            return dict(row.data)
    raise NoSuchPromise(id=id)


@router.post("/promises", status_code=201, dependencies=[Depends(allow("adapter"))])
async def add(tx: WriteTx, body: NewPromise) -> dict[str, str]:
    return {"id": await make_promise(tx, body)}


@router.post("/promises/{id}/owner", dependencies=[Depends(allow("operations"))])
async def take_over(tx: WriteTx, id: str, owner: Annotated[str, Form()]) -> Response:
    taken = await tx.execute(
        text("UPDATE promise SET owner = :owner, version = version + 1 WHERE id = :id"),
        {"id": id, "owner": owner},
    )
    if not taken.rowcount:
        raise NoSuchPromise(id=id)
    return RedirectResponse("/sample/board", 303)


feed = LiveFeed(
    name="board",
    roles=frozenset(DESK),
    snapshot=load_promises,
    version=version_of_promises,
    template="board_row.html",
)
site = Site(
    package=HERE,
    links=(Link("/sample/board", N_("Promises"), N_("What is due, and what is late."), frozenset(DESK)),),
    feeds=(feed,),
)
service = Service(name="sample", router=router, site=site, migrations=HERE / "migrations")
