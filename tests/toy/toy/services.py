"""The two services, as `run` takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Integer,
    MetaData,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    select,
    text,
)

from shared.bus import Topology
from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.events import Event
from shared.http.auth import allow
from shared.http.idempotency import idempotent
from shared.http.transaction import ServiceRoute, WriteTx
from shared.inbox import on
from shared.outbox.emit import emit
from shared.process.service import Service, topology_of
from toy.events import ThingIgnored, ThingKept, ThingMade

_FOLDER = Path(__file__).parent / "migrations"

made = MetaData()
thing = Table(
    "thing",
    made,
    Column("id", Uuid, primary_key=True),
    Column("key", Text),
    Column("amount", Integer),
)

kept = MetaData()
total = Table(
    "total",
    kept,
    Column("subject", Text, primary_key=True),
    Column("total", BigInteger),
    Column("events", Integer),
)
effect = Table("effect", kept, Column("event_id", Uuid), Column("subject", Text))
# One array, not IN with a list: the statement is the same however many there are, so it stays prepared.
TOTALS = select(total).where(total.c.subject == any_(bindparam("subjects", type_=ARRAY(Text))))


async def make_things(tx: Tx, things: Iterable[tuple[str, int, ThingMade]]) -> None:
    """Store things and tell of each: (subject, sequence, payload)."""
    rows = []
    for subject, sequence, payload in things:
        rows.append({"id": uuid7(), "key": f"{subject}/{sequence}", "amount": payload.amount})
        emit(tx, payload, subject=subject, sequence=sequence)
    await insert_rows(tx, thing, rows)


router = APIRouter(route_class=ServiceRoute)


class NewThing(BaseModel):
    """A thing to make."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(min_length=1, max_length=50)
    sequence: int = Field(ge=0)
    amount: int = Field(ge=0, le=1_000_000)


class MadeThing(BaseModel):
    """Where it went."""

    id: UUID


@router.post(
    "/things", status_code=201, dependencies=[Depends(allow("adapter")), Depends(idempotent(required=True))]
)
async def post_thing(
    tx: WriteTx, new: NewThing, key: Annotated[str, Header(alias="Idempotency-Key")]
) -> MadeThing:
    """Make one thing, once per key."""
    made_id = uuid7()
    await insert_rows(tx, thing, [{"id": made_id, "key": key, "amount": new.amount}])
    emit(tx, ThingMade(amount=new.amount), subject=new.subject, sequence=new.sequence)
    return MadeThing(id=made_id)


async def ignore_thing(tx: Tx) -> None:
    """Tell of something that nobody waits for."""
    emit(tx, ThingIgnored(), subject="ignored", sequence=1)


async def on_thing_made(tx: Tx, events: Sequence[Event[ThingMade]]) -> None:
    """Add up, read-modify-write: right only while the subject is locked."""
    if any(event.data.fail for event in events):
        raise RuntimeError("the handler has a bug for this one")
    subjects = sorted({event.subject for event in events})
    found = await tx.execute(TOTALS, {"subjects": subjects})
    totals = {row.subject: (row.total, row.events) for row in found}
    for event in events:
        amount, count = totals.get(event.subject, (0, 0))
        totals[event.subject] = amount + event.data.amount, count + 1
        emit(
            tx,
            ThingKept(total=totals[event.subject][0]),
            subject=event.subject,
            sequence=count + 1,
            cause=event,
        )
    await insert_rows(
        tx,
        total,
        [{"subject": each, "total": amount, "events": count} for each, (amount, count) in totals.items()],
        tail="ON CONFLICT (subject) DO UPDATE SET total = EXCLUDED.total, events = EXCLUDED.events",
    )
    await insert_rows(tx, effect, [{"event_id": event.id, "subject": event.subject} for event in events])


async def clear(tx: Tx) -> None:
    """Forget everything kept, between two uses of one database."""
    await tx.execute(text("TRUNCATE total, effect"))


maker = Service("maker", router=router, metadata=made, migrations=_FOLDER / "maker")
keeper = Service(
    "keeper", consumers=(on(ThingMade, on_thing_made),), metadata=kept, migrations=_FOLDER / "keeper"
)

TOPOLOGY: Topology = topology_of([maker, keeper])
