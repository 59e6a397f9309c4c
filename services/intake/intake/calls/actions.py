"""What a telephone system tells becomes events, each once."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from intake.calls import rules, store
from intake.requests.rules import UNKNOWN, phone_identity
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


async def find(
    tx: Tx, account: str, external_id: str, event: rules.Event, at: datetime, region: str
) -> Row[Any]:
    """The call that an event is about, held; a new one if it is the first we hear of it."""
    new = {
        "id": uuid7(),
        "account": account,
        "external_id": external_id,
        "region": region,
        "state": rules.state_after(None, event),
        "rang_at": at,
        "version": 0,
    }
    return await store.lock_or_make(tx, new)


async def joined(tx: Tx, call: Row[Any], caller: str | None) -> UUID | None:
    """The request that a call belongs to; of a known customer with one open request it is that one.

    The number is kept with the call, in one form, and goes nowhere else.
    """
    number = phone_identity(caller) if caller else None
    if number is None:
        return call.request_id  # type: ignore[no-any-return]
    if call.caller is None:
        await store.keep_caller(tx, call.id, number.value)
    return call.request_id or await store.open_request_of(tx, number)


async def note_event(
    tx: Tx,
    call: Row[Any],
    event: rules.Event,
    at: datetime,
    region: str,
    by: UUID | None,
    request_id: UUID | None,
) -> bool:
    """Remember what was told of a call, and the request it became; whether it was news."""
    news = await store.note(tx, call.id, event, at)
    changes: dict[str, Any] = {"request_id": request_id}
    if news:
        changes["state"] = rules.state_after(call.state, event)
        changes["region"] = region if call.region == UNKNOWN else call.region
        if event == "rang":
            changes["rang_at"] = at
        _tell(tx, call, event, at, changes["region"], request_id, by)
    if news or request_id != call.request_id:
        await store.save(tx, call.id, **changes)
    return news


async def miss_forgotten(tx: Tx, now: datetime) -> datetime | None:
    """A ring without any end counts as missed (decision 19); returns `now` while there may be more."""
    forgotten = await store.lock_ringing(tx, now - rules.RINGS_AT_MOST, MOST)
    for call in forgotten:
        # Not `now`: the customer waits no less because we looked late.
        missed_at = call.rang_at + rules.RINGS_AT_MOST
        await store.note(tx, call.id, "missed", missed_at)
        await store.save(tx, call.id, state="missed")
        _tell(tx, call, "missed", missed_at, call.region, call.request_id, None)
    return now if len(forgotten) == MOST else None


def _tell(
    tx: Tx,
    call: Row[Any],
    event: rules.Event,
    at: datetime,
    region: str,
    request_id: UUID | None,
    by: UUID | None,
) -> None:
    make = partial(_PAYLOADS[event], region=region, request_id=request_id)
    payload: Payload = make(by=by) if event in _BY_SOMEBODY else make()
    emit(tx, payload, subject=call.id, sequence=call.version + 1, time=at)
