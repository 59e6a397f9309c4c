"""Notices: that an alert is to be told through a sink, made in the transaction that raises the alert."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.clock import uuid7
from shared.db import Tx
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.sinks import store
from sla_monitor.sinks.registry import KINDS
from sla_monitor.sinks.rules import Terms, What

Told = tuple[str, UUID | None]
"""A role to tell, and the person if events have told who it is."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be told of an alert.

    rung  what makes it this telling and no other: an alert is told through a sink once at each
    """

    alert_id: UUID
    subject: Subject
    promise: str
    what: What
    rung: str
    tell: tuple[Told, ...]


async def tell_sinks(tx: Tx, tellings: Sequence[Telling]) -> int:
    """Make the notices of `tellings`, for each sink that is there for one of their roles; how many."""
    if not tellings:
        return 0
    sinks = await store.load_listening(tx)
    rows = [
        _row(each, sink_id, told, tx)
        for each in tellings
        for sink_id, terms in sinks
        if (told := _concerned(each, terms))
    ]
    await store.save_notices(tx, rows)
    return len(rows)


async def leadership_heard(tx: Tx) -> Callable[[str | None], bool]:
    """Whether, of a region, a sink is there by which leadership is told of what somebody tells it of."""
    heard = [terms.regions for _, terms in await store.load_listening(tx) if "leadership" in terms.roles]
    return lambda region: any(regions is None or region in regions for regions in heard)


def _concerned(telling: Telling, terms: Terms) -> tuple[Told, ...]:
    """Whom of those to tell the sink is there for."""
    if telling.what == "warning" and not terms.warnings:
        return ()
    if terms.regions is not None and telling.subject.region not in terms.regions:
        return ()
    return tuple((role, person) for role, person in telling.tell if role in terms.roles)


def _row(telling: Telling, sink_id: UUID, told: tuple[Told, ...], tx: Tx) -> dict[str, Any]:
    subject = telling.subject
    return {
        "id": uuid7(),
        "alert_id": telling.alert_id,
        "sink_id": sink_id,
        "rung": telling.rung,
        "what": telling.what,
        "tell": [[role, str(person) if person else None] for role, person in told],
        "owner": str(subject.owner_id or ""),
        "region": subject.region or "",
        "promise": telling.promise,
        "raised_at": tx.now,
        "state": "waiting",
    }


async def follow_up(tx: Tx, clocks: Sequence[UUID]) -> None:
    """Let the sinks that were told of alerts of `clocks` hear, once, that they were wrong or are over now."""
    told_ends = [kind.code for kind in KINDS.values() if kind.tells_ends]
    rows = [
        {
            "id": uuid7(),
            "alert_id": each.alert_id,
            "sink_id": each.sink_id,
            "rung": each.what,
            "what": each.what,
            "tell": list({tuple(told): told for tell in each.tells for told in tell}.values()),
            "owner": each.owner,
            "region": each.region,
            "promise": each.promise,
            "raised_at": tx.now,
            "state": "waiting",
        }
        for each in await store.load_following(tx, clocks, told_ends)
    ]
    await store.save_notices(tx, rows)
