"""What a telephone system tells becomes events, each once."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from intake.calls import rules, store
from shared.clock import uuid7
from shared.db import Tx
from shared.events import Payload
from shared.events.intake import CallAnswered, CallBusy, CallEnded, CallMissed, CallRang, CallReturned
from shared.outbox.emit import emit

MOST: Final = 100

_PAYLOADS: Final[dict[rules.Event, Any]] = {
    "rang": CallRang,
    "answered": CallAnswered,
    "busy": CallBusy,
    "missed": CallMissed,
    "ended": CallEnded,
    "returned": CallReturned,
}
_BY_SOMEBODY: Final = {"answered", "returned"}


async def note_event(
    tx: Tx, account: str, external_id: str, event: rules.Event, at: datetime, region: str, by: UUID | None
) -> tuple[UUID, bool]:
    """Remember what was told of a call; returns the call's id and whether it was news."""
    new = {
        "id": uuid7(),
        "account": account,
        "external_id": external_id,
        "region": region,
        "state": rules.state_after(None, event),
        "rang_at": at,
        "version": 0,
    }
    call = await store.lock_or_make(tx, new)
    if not await store.note(tx, call.id, event, at):
        return call.id, False
    changes: dict[str, Any] = {"state": rules.state_after(call.state, event)}
    if event == "rang":
        changes["rang_at"] = at
    await store.save(tx, call.id, **changes)
    _tell(tx, call, event, at, by)
    return call.id, True


async def miss_forgotten(tx: Tx, now: datetime) -> datetime | None:
    """A ring without any end counts as missed (decision 19); returns `now` while there may be more."""
    forgotten = await store.lock_ringing(tx, now - rules.RINGS_AT_MOST, MOST)
    for call in forgotten:
        await store.note(tx, call.id, "missed", now)
        await store.save(tx, call.id, state="missed")
        _tell(tx, call, "missed", now, None)
    return now if len(forgotten) == MOST else None


def _tell(tx: Tx, call: Any, event: rules.Event, at: datetime, by: UUID | None) -> None:
    make = partial(_PAYLOADS[event], region=call.region, request_id=call.request_id)
    payload: Payload = make(by=by) if event in _BY_SOMEBODY else make()
    emit(tx, payload, subject=call.id, sequence=call.version + 1, time=at)
