"""A person tells the leadership group of a promise now, whatever step its ladder has come to (R23)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final
from uuid import UUID

from shared.clock import uuid7
from shared.db import Tx
from shared.db.audit import record
from shared.errors import AftercareError
from shared.http.auth import Principal
from shared.outbox.emit import emit
from sla_monitor.alerts import store
from sla_monitor.alerts.ladder import People, resolve
from sla_monitor.alerts.rules import BY_HAND
from sla_monitor.clocks import telling
from sla_monitor.clocks.rules.changes import StoredClock
from sla_monitor.clocks.store import save_clocks
from sla_monitor.sinks.notices import Telling, tell_sinks

LEADERSHIP: Final = ("leadership",)


class PromiseOver(AftercareError):
    """This promise has ended ({outcome}); there is nothing left to tell leadership of."""

    kind = "conflict"
    shown: ClassVar = ("outcome", "stopped_at")


class LeadershipToldAlready(AftercareError):
    """Leadership was told of this already."""

    kind = "conflict"
    shown: ClassVar = ("at", "by")


class LeadershipOutOfReach(AftercareError):
    """No notification channel is there for leadership in this region; set one up, then repeat this."""

    kind = "conflict"


async def call_leadership(tx: Tx, by: Principal, clock_id: UUID) -> UUID:
    """Tell leadership of a clock that `by` may see, by every sink that is there for it; the alert's id.

    It hangs on the alert that says the most. `ClockUnknown`, `PromiseOver`; `LeadershipToldAlready` where a
    person or the ladder was faster; `LeadershipOutOfReach` where nobody would hear of it.
    """
    clock, subject = await store.lock_clock(tx, by, clock_id)
    if clock.stopped_at is not None or clock.outcome in ("met", "cancelled"):
        ended = clock.stopped_at.isoformat() if clock.stopped_at else None
        raise PromiseOver(outcome=clock.outcome, stopped_at=ended)
    held = await store.lock_latest(tx, clock.id)
    alert_id = held.alert.id if held else await _raise(tx, clock)
    threshold = held.alert.threshold if held else BY_HAND
    if told := await store.load_called(tx, alert_id):
        raise LeadershipToldAlready(at=told.at.isoformat(), by=told.by)
    people = (await store.load_people(tx, [clock.subject_id])).get(clock.subject_id, People())
    tell = resolve(LEADERSHIP, subject, people)
    if not await tell_sinks(tx, [Telling(alert_id, subject, clock.promise, "called", "called", tell)]):
        raise LeadershipOutOfReach
    await store.save_deeds(tx, [(alert_id, "called", {"roles": list(LEADERSHIP)})], by.id)
    await record(tx, by.id, "alert called", str(alert_id), {"clock": str(clock.id)})
    clock = replace(clock, version=clock.version + 1, called=True)
    payload = telling.called(clock, subject, alert_id, threshold, people.leadership, by.id)
    emit(tx, payload, subject=clock.id, sequence=clock.version)
    await save_clocks(tx, [clock])
    return alert_id


async def _raise(tx: Tx, clock: StoredClock) -> UUID:
    """An alert that says no more than that somebody should look; the clock is held."""
    id = uuid7()
    row = {
        "id": id,
        "clock_id": clock.id,
        "threshold": BY_HAND,
        "revision": clock.revision,
        "raised_at": tx.now,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "version": 1,
    }
    await store.claim_alerts(tx, [row])
    return id
