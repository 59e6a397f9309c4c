"""Judge due timers; each alert is raised once, by whoever inserts its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from shared.clock import uuid7
from shared.db import Tx
from shared.events import Payload
from shared.outbox.emit import emit
from sla_monitor.alerts import store, timers
from sla_monitor.alerts.climbing import Raised, climb_first
from sla_monitor.alerts.rules import Verdict, judge
from sla_monitor.alerts.timers import Due
from sla_monitor.clocks import telling
from sla_monitor.clocks.rules.changes import BREACH, CONFIRM, StoredClock, Timer
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.clocks.store import Armed, arm

BATCH: Final = 400
PATIENCE: Final = timedelta(seconds=5)
"""A breach is told so long after its deadline at the latest, confirmed or not."""


_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def judge_due(
    tx: Tx, now: datetime, watermarks: Mapping[str, datetime], began: datetime
) -> datetime | None:
    """Deal with the timers that are due; when to look again, None when nothing is armed.

    `began` is when this process began to listen: before it has heard anything it does not call a breach
    unconfirmed.
    """
    latest = now - PATIENCE if began <= now - PATIENCE else _NEVER
    due = await timers.claim_due(tx, now, latest, watermarks, BATCH)
    if not due:
        return await timers.next_due(tx, now)
    await _deal(tx, due, now)
    return now  # at once: what is next is found in the tick after, so that no alert waits for that search


async def _deal(tx: Tx, due: Sequence[Due], now: datetime) -> None:
    clocks: dict[UUID, StoredClock] = {}
    verdicts: list[tuple[Verdict, Subject]] = []
    unconfirmed: dict[UUID, Armed] = {}
    for _, group in groupby(sorted(due, key=lambda each: each.clock.id), key=lambda each: each.clock.id):
        ran_out = list(group)
        thresholds = {each.threshold for each in ran_out}
        heard = all(each.heard for each in ran_out if each.threshold >= BREACH)
        for verdict in judge(ran_out[0].clock, thresholds, heard, now):
            clocks[verdict.clock.id] = verdict.clock
            verdicts.append((verdict, ran_out[0].subject))
            if verdict.what == "breached" and not verdict.clock.confirmed:
                unconfirmed[verdict.clock.id] = ran_out[0].awaits, [Timer(CONFIRM, verdict.clock.deadline)]
    await timers.settle(tx, [(each.clock.id, each.threshold) for each in due], list(clocks.values()))
    await arm(tx, unconfirmed)
    await _tell(tx, verdicts, now)


async def _tell(tx: Tx, verdicts: Sequence[tuple[Verdict, Subject]], now: datetime) -> None:
    """Emit what the verdicts say; a warning and a breach only for whom the alert's row was new."""
    alerts = [_alert(verdict, now) for verdict, _ in verdicts]
    raised = await store.claim_alerts(tx, [alert for alert in alerts if alert])
    new: list[Raised] = []
    for (verdict, subject), alert in zip(verdicts, alerts, strict=True):
        if alert is None or alert["id"] in raised:
            payload = _payload(verdict, subject, now)
            emit(tx, payload, subject=verdict.clock.id, sequence=verdict.clock.version, time=now)
        if alert and alert["id"] in raised:
            new.append(Raised(alert["id"], alert["threshold"], verdict.clock, subject))
    await climb_first(tx, new, now)


def _alert(verdict: Verdict, now: datetime) -> dict[str, Any] | None:
    match verdict.what:
        case "warned":
            threshold = verdict.clock.warned
        case "breached":
            threshold = BREACH
        case _:
            return None
    return {
        "id": uuid7(),
        "clock_id": verdict.clock.id,
        "threshold": threshold,
        "revision": verdict.clock.revision,
        "raised_at": now,
        "acknowledged_by": None,
        "acknowledged_at": None,
        "version": 1,
    }


def _payload(verdict: Verdict, subject: Subject, now: datetime) -> Payload:
    match verdict.what:
        case "warned":
            return telling.warned(verdict.clock, subject)
        case "breached":
            return telling.breached(verdict.clock, subject, now)
        case "resumed":
            return telling.resumed(verdict.clock, subject)
        case "confirmed":
            return telling.amended(verdict.clock, subject, previous="breached")
