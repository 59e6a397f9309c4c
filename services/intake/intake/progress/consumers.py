"""What dispatch and parts tell of the tickets of our requests is the story that customers read (R27)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from intake.progress import store
from intake.progress.story import Happened
from shared.db import Tx
from shared.events import Event, Payload, dispatch, parts, sla
from shared.inbox import Consumer, on

# Of each event only what customers are told; who works on it is not, but for their function.
_OF_TICKETS: Final[Mapping[type[Payload], tuple[str, ...]]] = {
    dispatch.TicketOpened: (),
    dispatch.TicketAssigned: ("tier",),
    dispatch.AssignmentDeclined: (),
    dispatch.AssignmentWithdrawn: (),
    dispatch.VisitAgreed: ("starts_at", "ends_at"),
    dispatch.VisitCancelled: (),
    dispatch.EngineerDeparted: (),
    dispatch.EngineerArrived: (),
    dispatch.TicketProgressed: ("remote",),
    dispatch.TicketPaused: ("waiting_for",),
    dispatch.TicketResumed: (),
    dispatch.TicketResolved: (),
    dispatch.ResultRejected: (),
    dispatch.ResultAccepted: (),
    dispatch.TicketClosed: ("reason",),
    dispatch.TicketCancelled: (),
    dispatch.TicketReopened: (),
}
_OF_PARTS: Final = (parts.PartsShort, parts.PartsReserved, parts.PartsReleased)
_PROGRESS: Final = "progress"


async def on_ticket_step(tx: Tx, events: Sequence[Event[Any]]) -> None:
    """Keep what happened to tickets."""
    await store.save_steps(
        tx,
        [(UUID(event.subject), _happened(event, _OF_TICKETS[type(event.data)])) for event in events],
    )


async def on_parts_step(tx: Tx, events: Sequence[Event[Any]]) -> None:
    """Keep whether a ticket waits for parts."""
    steps = [(event.data.ticket_id, _happened(event, (), requisition=event.subject)) for event in events]
    await store.save_steps(tx, steps)


async def on_progress_promised(tx: Tx, events: Sequence[Event[sla.ClockStarted]]) -> None:
    """Keep by when the customer is to hear how it goes (R62)."""
    told = [event for event in events if _is_progress(event.data)]
    steps = [
        Happened(event.id, "progress_promised", event.version, event.data.started_at, _until(event.data))
        for event in told
    ]
    await store.save_steps(tx, [(event.data.about, each) for event, each in zip(told, steps, strict=True)])


async def on_progress_paused(tx: Tx, events: Sequence[Event[sla.ClockPaused]]) -> None:
    """Keep that no instant is promised any more: somebody let the promise stand."""
    told = [event for event in events if _is_progress(event.data)]
    steps = [Happened(event.id, "progress_paused", event.version, event.time) for event in told]
    await store.save_steps(tx, [(event.data.about, each) for event, each in zip(told, steps, strict=True)])


def _is_progress(clock: sla.ClockStarted | sla.ClockPaused) -> bool:
    return clock.about_kind == "ticket" and clock.promise == _PROGRESS


def _until(clock: sla.ClockStarted) -> Mapping[str, str]:
    return {"deadline": clock.deadline.isoformat()}


consumers: Final[tuple[Consumer, ...]] = (
    *(on(payload, on_ticket_step) for payload in _OF_TICKETS),
    *(on(payload, on_parts_step) for payload in _OF_PARTS),
    on(sla.ClockStarted, on_progress_promised),
    on(sla.ClockPaused, on_progress_paused),
)


def _happened(event: Event[Any], told: Sequence[str], **facts: str) -> Happened:
    kind = event.type.split(".")[1]
    known = {name: _plain(getattr(event.data, name)) for name in told}
    return Happened(event.id, kind, event.version, event.time, {**known, **facts})


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
