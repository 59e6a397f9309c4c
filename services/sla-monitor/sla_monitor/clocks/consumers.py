"""Every event that can start, stop, end or pause a promise goes into its subject's history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from shared.db import Tx
from shared.events import Event, Payload, urgent
from shared.events import dispatch as dispatched
from shared.events import intake as taken_in
from shared.events.terms import Site
from shared.inbox import Consumer, on
from sla_monitor.clocks.actions import take
from sla_monitor.clocks.rules import Happening
from sla_monitor.clocks.rules.history import Facts

READ: Final[tuple[type[Payload], ...]] = (
    taken_in.RequestRegistered,
    taken_in.RequestReclassified,
    taken_in.RequestAnswered,
    taken_in.RequestMerged,
    taken_in.RequestSplit,
    taken_in.RequestClosed,
    taken_in.RequestReopened,
    taken_in.CallRang,
    taken_in.CallAnswered,
    taken_in.CallBusy,
    taken_in.CallMissed,
    taken_in.CallEnded,
    taken_in.CallReturned,
    dispatched.TicketOpened,
    dispatched.OwnerChanged,
    urgent.GroupFormed,
    urgent.LeadershipInformed,
    urgent.LeadershipAcknowledged,
    dispatched.TicketAssigned,
    dispatched.AssignmentAccepted,
    dispatched.AssignmentDeclined,
    dispatched.AssignmentWithdrawn,
    dispatched.TicketRegraded,
    dispatched.TicketAmended,
    dispatched.VisitAgreed,
    dispatched.EngineerArrived,
    dispatched.TicketProgressed,
    dispatched.TicketPaused,
    dispatched.TicketResumed,
    dispatched.CustomerInformed,
    dispatched.TicketResolved,
    dispatched.ResultRejected,
    dispatched.TicketClosed,
    dispatched.TicketCancelled,
    dispatched.TicketReopened,
)


async def on_happenings(tx: Tx, events: Sequence[Event[Any]]) -> None:
    """Something happened to tickets, requests or calls."""
    causes = {UUID(event.subject): event for event in events}
    await take(tx, [(UUID(event.subject), happening_of(event)) for event in events], causes)


consumers: Final[tuple[Consumer, ...]] = tuple(on(payload, on_happenings) for payload in READ)


def happening_of(event: Event[Any]) -> Happening:
    """An event as histories keep it."""
    kind = event.type.rpartition(".")[0]
    return Happening(event.id, kind, event.version, event.time.astimezone(UTC), facts_of(event.data))


def facts_of(payload: Payload) -> Facts:
    """The single values of a payload, its people, and where its site is: what may be asked for later."""
    facts: dict[str, Any] = {}
    for name, value in payload:
        match value:
            case bool() | int() | str() if not _is_prose(payload, name):
                facts[name] = value
            case UUID():
                facts[name] = str(value)
            case tuple() if value and all(isinstance(each, UUID) for each in value):
                facts[name] = [str(each) for each in value]
            case datetime():
                aware = value if value.tzinfo else value.replace(tzinfo=UTC)
                facts[name] = aware.astimezone(UTC).isoformat()
            case Site():
                facts |= {"region": value.region, "city": value.city}
    return facts


def _is_prose(payload: Payload, name: str) -> bool:
    """What somebody wrote; only the reason of an end is a value."""
    coded = isinstance(payload, dispatched.TicketClosed | dispatched.TicketCancelled)
    return name == "note" or (name == "reason" and not coded)
