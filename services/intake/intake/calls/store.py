"""Calls and what was told of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, delete, func, literal, or_, select, true, update

from intake.duplicates.store import together
from intake.requests.access import Limits, within
from intake.requests.rules import Identity
from intake.tables import call, call_event, call_recording, customer, identity, request
from shared.db import Tx, insert_rows
from shared.errors import AftercareError

COUNTED: Final = 1000


class NoSuchCall(AftercareError):
    """There is no such call here, or it is not yours to hear."""

    kind = "not_found"


async def lock_or_make(tx: Tx, new: dict[str, Any]) -> Row[Any]:
    """The call of an account's external id, held; made from `new` when it was unknown."""
    await insert_rows(tx, call, [new], tail="ON CONFLICT (account, external_id) DO NOTHING")
    which = (call.c.account == new["account"]) & (call.c.external_id == new["external_id"])
    return (await tx.execute(select(call).where(which).with_for_update())).one()


async def load(tx: Tx, id: UUID) -> Row[Any]:
    """Raises `NoSuchCall`."""
    row = (await tx.execute(select(call).where(call.c.id == id))).first()
    if row is None:
        raise NoSuchCall
    return row


async def note(tx: Tx, call_id: UUID, kind: str, happened_at: datetime) -> bool:
    """Remember an event of a call; False when it was told before."""
    row = {"call_id": call_id, "kind": kind, "happened_at": happened_at}
    return bool(await insert_rows(tx, call_event, [row], tail="ON CONFLICT DO NOTHING RETURNING kind"))


async def save(tx: Tx, call_id: UUID, **changes: Any) -> None:
    changes["version"] = call.c.version + 1
    await tx.execute(update(call).where(call.c.id == call_id).values(changes))


async def keep_caller(tx: Tx, call_id: UUID, number: str) -> None:
    """Nothing that is told of a call holds the number, so that its version stays."""
    await tx.execute(update(call).where(call.c.id == call_id).values(caller=number))


async def forget(tx: Tx, requests: Sequence[UUID], numbers: Sequence[str]) -> None:
    """Who called, and where they can be heard, of calls about these requests or from these numbers."""
    theirs = call.c.request_id.in_(requests) | call.c.caller.in_(numbers)
    which = select(call.c.id).where(theirs)
    await tx.execute(delete(call_recording).where(call_recording.c.call_id.in_(which)))
    await tx.execute(update(call).where(theirs).values(caller=None))


async def lock_ringing(tx: Tx, since: datetime, most: int) -> list[Row[Any]]:
    """Calls that have been ringing since before `since`."""
    query = select(call).where(call.c.state == "ringing", call.c.rang_at <= since)
    return list(await tx.execute(query.order_by(call.c.id).limit(most).with_for_update(skip_locked=True)))


async def open_request_of(tx: Tx, caller: Identity) -> UUID | None:
    """The one open request of the customer who has this number; None when they have none or several."""
    query = (
        select(request.c.id)
        .join(identity, identity.c.customer_id == request.c.customer_id)
        .where(identity.c.kind == caller.kind, identity.c.value == caller.value)
        .where(request.c.closed_at.is_(None))
        .limit(2)
    )
    found = (await tx.execute(query)).scalars().all()
    return found[0] if len(found) == 1 else None


async def keep_recording(tx: Tx, call_id: UUID, reference: str, consent_at: datetime) -> None:
    """Remember where a recording lies; each once."""
    row = {"call_id": call_id, "reference": reference, "consent_at": consent_at}
    await insert_rows(tx, call_recording, [row], tail="ON CONFLICT DO NOTHING")


async def load_of_request(tx: Tx, request_id: UUID) -> list[Row[Any]]:
    """The calls about a request and what is merged into it, in their order, without who called."""
    recorded = select(call_recording.c.call_id).where(call_recording.c.call_id == call.c.id).exists()
    columns = (call.c.id, call.c.state, call.c.rang_at, recorded.label("recorded"))
    which = together(call.c.request_id, request_id)
    query = select(*columns).where(which).order_by(call.c.rang_at, call.c.id)
    return list(await tx.execute(query))


async def load_events(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, list[Row[Any]]]:
    """What was told of each call, in the order in which it happened."""
    told: dict[UUID, list[Row[Any]]] = {id: [] for id in ids}
    query = select(call_event).where(call_event.c.call_id.in_(ids)).order_by(call_event.c.happened_at)
    for row in await tx.execute(query):
        told[row.call_id].append(row)
    return told


async def load_recordings(tx: Tx, call_id: UUID) -> list[Row[Any]]:
    """Where the recordings of a call lie."""
    query = select(call_recording).where(call_recording.c.call_id == call_id)
    return list(await tx.execute(query.order_by(call_recording.c.consent_at, call_recording.c.reference)))


async def load_to_return(tx: Tx, limits: Limits, since: datetime, most: int) -> list[Row[Any]]:
    """Calls since `since` that reached nobody, and whose caller nobody has spoken to afterwards (R51).

    The oldest first, `most` of them, with who called and when it was missed; `waiting` is how many there
    are, and stands at `COUNTED` for as many or more.
    """
    missed = _missed_at()
    # Written out, so that PostgreSQL sees in every plan that the partial index holds these.
    states = [literal(each, literal_execute=True) for each in ("busy", "missed")]
    open_calls = (
        select(call.c.id, call.c.caller, call.c.request_id, call.c.state, missed.c.missed_at)
        .select_from(call.join(missed, true()).outerjoin(request, request.c.id == call.c.request_id))
        .where(call.c.state.in_(states), call.c.rang_at >= since, ~_spoken_since(missed.c.missed_at))
        .where(*_theirs(limits))
        .order_by(call.c.rang_at, call.c.id)
        .limit(COUNTED)
        .subquery("open_call")
    )
    named = (identity.c.kind == "phone") & (identity.c.value == open_calls.c.caller)
    query = (
        select(open_calls, func.count().over().label("waiting"))
        .add_columns(customer.c.id.label("customer_id"), customer.c.name)
        .select_from(open_calls)
        .outerjoin(identity, named)
        .outerjoin(customer, customer.c.id == identity.c.customer_id)
        .order_by(open_calls.c.missed_at, open_calls.c.id)
        .limit(most)
    )
    return list(await tx.execute(query))


def _missed_at() -> Any:
    at = func.min(call_event.c.happened_at).label("missed_at")
    kinds = call_event.c.kind.in_(("busy", "missed"))
    return select(at).where(call_event.c.call_id == call.c.id, kinds).lateral("missed")


def _spoken_since(missed_at: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether a call of the same number was answered or returned after it was missed."""
    other = call.alias("other")
    reached = call_event.alias("reached")
    return (
        select(literal(1))
        .select_from(other.join(reached, reached.c.call_id == other.c.id))
        .where(other.c.caller == call.c.caller, reached.c.kind.in_(("answered", "returned")))
        .where(reached.c.happened_at >= missed_at)
        .correlate(call, missed_at.table)
        .exists()
    )


def _theirs(limits: Limits) -> Sequence[ColumnElement[bool]]:
    """As its request is, or by its region if it became none."""
    if limits.none:
        return []
    alone = call.c.request_id.is_(None)
    if limits.product_lines is not None or limits.customer_levels is not None:
        return [~alone, *within(limits)]
    return [or_(and_(alone, call.c.region.in_(sorted(limits.regions or ()))), and_(~alone, *within(limits)))]
