"""Who is told of an alert: when it is raised, while nobody looks after it, when it is back or taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from shared.db import Tx
from shared.outbox.emit import emit
from sla_monitor.alerts import store
from sla_monitor.alerts.ladder import NOBODY_NAMED, People, resolve, steps_after, steps_at
from sla_monitor.alerts.rules import wake
from sla_monitor.alerts.store import Climb, Held
from sla_monitor.clocks import telling
from sla_monitor.clocks.rules.changes import BREACH, StoredClock
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.clocks.store import save_clocks
from sla_monitor.policies.rules import Promise
from sla_monitor.policies.store import load_rulebook
from sla_monitor.sinks.notices import Telling, follow_up, tell_sinks

BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert that this transaction raises."""

    alert_id: UUID
    threshold: int
    clock: StoredClock
    subject: Subject


async def climb_first(tx: Tx, raised: Sequence[Raised], now: datetime) -> None:
    """Tell those whom the ladder names for alerts just raised, and wait for the steps above the breach."""
    if not raised:
        return
    rulebook = await load_rulebook(tx)
    tellings: list[tuple[Raised, Sequence[str]]] = []
    waits: list[dict[str, Any]] = []
    for each in raised:
        promise = rulebook.policy(each.clock.policy_version).promise(each.clock.promise)
        tellings.append((each, steps_at(promise, each.threshold)))
        if each.threshold == BREACH:
            waits += _waits(each.alert_id, promise, now)
    people = await store.load_people(tx, [each.clock.subject_id for each in raised])
    await tell_sinks(
        tx,
        [
            Telling(
                each.alert_id,
                each.subject,
                each.clock.promise,
                "breach" if each.threshold == BREACH else "warning",
                str(each.threshold),
                resolve(roles, each.subject, people.get(each.clock.subject_id, People())),
            )
            for each, roles in tellings
        ],
    )
    await store.save_escalations(tx, waits)
    # What is heard of late may be over already.
    await follow_clocks(tx, [each.clock for each in raised if each.clock.stopped_at])


def _waits(alert_id: UUID, promise: Promise | None, now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "alert_id": alert_id,
            "minutes": step.minutes_after,
            "due_at": now + timedelta(minutes=step.minutes_after),
            "tell": list(step.tell),
        }
        for step in steps_after(promise)
    ]


async def look_up_again(tx: Tx, now: datetime) -> datetime | None:
    """Bring back what was snoozed until now, climb the ladders nobody has stopped; when to look again."""
    returning = await store.claim_returning(tx, now, BATCH)
    await _bring_back(tx, returning)
    climbs = await store.claim_steps(tx, now, BATCH)
    await _climb(tx, [each for each in climbs if is_open(each.held)])
    full = len(returning) == BATCH or len(climbs) == BATCH
    return now if full else await store.next_step(tx)


def is_open(held: Held) -> bool:
    """Whether somebody should still look after it: it stands for itself, nobody does, and it is not over."""
    alert, clock = held.alert, held.clock
    ended = clock.stopped_at is not None or clock.outcome in ("met", "cancelled")
    return not (alert.retracted or alert.acknowledged_at or ended or held.superseded)


async def _bring_back(tx: Tx, returning: Sequence[Held]) -> None:
    awake = {each.alert.id: wake(each.alert) for each in returning}
    await store.save_alerts(tx, list(awake.values()))
    back = [each for each in returning if is_open(each)]
    await store.save_deeds(tx, [(each.alert.id, "returned", {}) for each in back], None)
    people = await store.load_people(tx, [each.clock.subject_id for each in back])
    await tell_sinks(
        tx,
        [
            Telling(
                each.alert.id,
                each.subject,
                each.clock.promise,
                "returned",
                f"returned {awake[each.alert.id].version}",
                _looking_after(each, people.get(each.clock.subject_id, People())),
            )
            for each in back
        ],
    )


def _looking_after(held: Held, people: People) -> tuple[tuple[str, UUID | None], ...]:
    """The person it was assigned to, else whoever is accountable."""
    if held.alert.assigned_to is not None:
        return (("assignee", held.alert.assigned_to),)
    return resolve(NOBODY_NAMED, held.subject, people)


async def _climb(tx: Tx, climbs: Sequence[Climb]) -> None:
    if not climbs:
        return
    people = await store.load_people(tx, [each.held.clock.subject_id for each in climbs])
    tellings: list[Telling] = []
    clocks: dict[UUID, StoredClock] = {}
    for each in climbs:
        held = each.held
        tell = resolve(each.tell, held.subject, people.get(held.clock.subject_id, People()))
        rung = f"+{each.minutes}"
        tellings.append(Telling(held.alert.id, held.subject, held.clock.promise, "escalation", rung, tell))
        known = clocks.get(held.clock.id, held.clock)
        clock = clocks[held.clock.id] = replace(known, version=known.version + 1)
        payload = telling.escalated(clock, held.subject, held.alert.id, each.minutes, each.tell)
        emit(tx, payload, subject=clock.id, sequence=clock.version)
    await save_clocks(tx, list(clocks.values()))
    deeds = [(each.held.alert.id, "escalated", _step_of(each)) for each in climbs]
    await store.save_deeds(tx, deeds, None)
    await tell_sinks(tx, tellings)


def _step_of(climb: Climb) -> dict[str, Any]:
    return {"minutes": climb.minutes, "roles": list(climb.tell)}


async def follow_clocks(tx: Tx, clocks: Sequence[StoredClock]) -> None:
    """Clocks have changed: whoever was told of an alert hears that it was wrong, or is over.

    A ladder ends with its alert when it is next looked at.
    """
    if not clocks:
        return
    ids = sorted(each.id for each in clocks)
    await store.save_deeds(tx, [(id, "retracted", {}) for id in await store.load_retracted(tx, ids)], None)
    await follow_up(tx, ids)
