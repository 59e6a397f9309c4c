"""What people do to alerts: acknowledge, snooze, assign; one at a time or many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from shared.clock import uuid7
from shared.db import Tx, insert_rows
from shared.db.tables import audit
from shared.errors import AftercareError
from shared.events import Payload
from shared.http.auth import Principal
from shared.outbox.emit import emit
from sla_monitor.alerts import queries, store
from sla_monitor.alerts.rules import (
    LONGEST_SNOOZE,
    Acknowledge,
    Alert,
    Assign,
    Deed,
    Refusal,
    Snooze,
    delay,
    do,
    refuse,
)
from sla_monitor.alerts.store import Held
from sla_monitor.clocks import telling
from sla_monitor.clocks.rules.changes import StoredClock
from sla_monitor.clocks.store import save_clocks
from sla_monitor.sinks.notices import Telling, tell_sinks

ASSIGNEE: Literal["assignee"] = "assignee"


class AlertAlreadyAcknowledged(AftercareError):
    """Somebody looks after this alert already; read it again to see who."""

    kind = "conflict"


class AlertRetracted(AftercareError):
    """This alert was taken back: a late message showed that nothing was missed."""

    kind = "conflict"


class SnoozeOutOfRange(AftercareError):
    """An alert can be snoozed until a time to come, at most {hours} hours ahead."""

    status: ClassVar = 422


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one alert of many; `refused` is None when it was done, `alert` None when unknown."""

    id: UUID
    refused: Refusal | None
    alert: Alert | None


async def handle_alerts(tx: Tx, by: Principal, deed: Deed, seen: Mapping[UUID, int]) -> list[Outcome]:
    """Do `deed` to every alert that still is as it was seen (id, version); say of each what became of it.

    `SnoozeOutOfRange` for all of them when it is.
    """
    _check(deed, tx.now)
    held = await store.lock_alerts(tx, by, list(seen))
    refused: dict[UUID, Refusal | None] = {
        each.alert.id: refuse(each.alert, deed, seen[each.alert.id]) for each in held
    }
    done = await _do(tx, by, deed, [each for each in held if refused[each.alert.id] is None])
    known = {each.alert.id: each.alert for each in held} | done
    return [Outcome(id, refused.get(id, "unknown"), known.get(id)) for id in seen]


async def acknowledge_alert(tx: Tx, by: Principal, id: UUID, require: Callable[[int], None]) -> None:
    """Note that `by` looks after an alert they may see; `require` checks the version they have seen."""
    held = await store.lock_alerts(tx, by, [id])
    if not held:
        raise queries.AlertUnknown(id=id)
    require(held[0].alert.version)
    match refuse(held[0].alert, Acknowledge(), held[0].alert.version):
        case "already_acknowledged":
            raise AlertAlreadyAcknowledged
        case "retracted":
            raise AlertRetracted
    await _do(tx, by, Acknowledge(), held)


def _check(deed: Deed, now: datetime) -> None:
    if isinstance(deed, Snooze) and not now < deed.until <= now + LONGEST_SNOOZE:
        raise SnoozeOutOfRange(hours=int(LONGEST_SNOOZE.total_seconds() // 3600))


async def _do(tx: Tx, by: Principal, deed: Deed, held: Sequence[Held]) -> dict[UUID, Alert]:
    if not held:
        return {}
    after = {each.alert.id: do(each.alert, deed, by.id, tx.now) for each in held}
    await store.save_alerts(tx, list(after.values()))
    ids = list(after)
    match deed:
        case Acknowledge():
            await store.stop_ladders(tx, ids)
        case Snooze(until=until):
            later = {each.alert.id: delay(each.alert, until, tx.now) for each in held}
            await store.put_off_ladders(tx, later)
        case Assign(to=to):
            tellings = [
                Telling(after[each.alert.id].id, each.subject, each.clock.promise, "assignment",
                        f"assigned {after[each.alert.id].version}", ((ASSIGNEE, to),))
                for each in held
            ]  # fmt: skip
            await tell_sinks(tx, tellings)
    word, detail = _record_of(deed)
    await store.save_deeds(tx, [(id, word, detail) for id in ids], by.id)
    rows = [
        {"id": uuid7(), "actor": by.id, "action": f"alert {word}", "subject": str(id), "detail": detail}
        for id in ids
    ]
    await insert_rows(tx, audit, rows)
    await _emit(tx, held, lambda clock, each: _payload(clock, each, deed, by.id))
    return after


async def _emit(tx: Tx, held: Sequence[Held], payload: Callable[[StoredClock, Held], Payload]) -> None:
    """One event about each alert, each with a version of its clock's own."""
    clocks: dict[UUID, StoredClock] = {}
    for each in held:
        known = clocks.get(each.clock.id, each.clock)
        clock = clocks[each.clock.id] = replace(known, version=known.version + 1)
        emit(tx, payload(clock, each), subject=clock.id, sequence=clock.version)
    await save_clocks(tx, list(clocks.values()))


def _payload(clock: StoredClock, held: Held, deed: Deed, by: str) -> Payload:
    alert = held.alert
    match deed:
        case Acknowledge():
            return telling.acknowledged(clock, held.subject, alert.id, alert.threshold, by)
        case Snooze():
            return telling.snoozed(
                clock, held.subject, alert.id, alert.threshold, deed.until, deed.reason, by
            )
        case Assign():
            return telling.assigned(clock, held.subject, alert.id, alert.threshold, deed.to, by)


def _record_of(deed: Deed) -> tuple[str, dict[str, Any]]:
    match deed:
        case Acknowledge():
            return "acknowledged", {}
        case Snooze(until=until, reason=reason):
            return "snoozed", {"until": until.isoformat(), "reason": reason}
        case Assign(to=to):
            return "assigned", {"to": str(to)}
