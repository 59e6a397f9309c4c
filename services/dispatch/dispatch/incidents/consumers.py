"""What the service desk tells of incidents, in whatever order it arrives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from dispatch.incidents import store
from dispatch.tickets.record import Change, record
from dispatch.tickets.store import lock_by_request
from dispatch.warroom.rules import join_incident
from shared.db import Tx
from shared.events import Event
from shared.events.intake import IncidentDeclared, IncidentEnded, IncidentUpdated, RequestLinked
from shared.inbox import on

Told = Event[IncidentDeclared] | Event[IncidentUpdated] | Event[IncidentEnded]
Linked = Event[RequestLinked]


async def on_incident_told(tx: Tx, events: Sequence[Told]) -> None:
    """Keep how each incident stands; every event carries all of it."""
    newest = {UUID(event.subject): event for event in sorted(events, key=lambda event: event.version)}
    await store.save_incidents(
        tx,
        [
            {
                "incident_id": incident_id,
                "title": event.data.title,
                "cause": event.data.cause,
                "recovery_at": event.data.recovery_at,
                "ended": isinstance(event.data, IncidentEnded),
                "version": event.version,
            }
            for incident_id, event in newest.items()
        ],
    )


async def on_request_linked(tx: Tx, events: Sequence[Linked]) -> None:
    """Keep which requests belong to which incident, and tell their tickets."""
    ordered = sorted(events, key=lambda event: event.version)
    newest = {(UUID(event.subject), event.data.incident_id): event for event in ordered}
    news = await store.save_links(
        tx,
        [
            {
                "request_id": request_id,
                "incident_id": incident_id,
                "linked": event.data.linked,
                "version": event.version,
            }
            for (request_id, incident_id), event in newest.items()
        ],
    )
    if news:
        await _note(tx, news, newest)


async def _note(
    tx: Tx, news: Collection[tuple[UUID, UUID, bool]], causes: Mapping[tuple[UUID, UUID], Linked]
) -> None:
    """Those who have a ticket of them see it in its history; who gets one later finds what is kept."""
    tickets = await lock_by_request(tx, {request_id for request_id, _, _ in news})
    changes: dict[UUID, Change] = {}
    for request_id, incident_id, linked in sorted(news):
        if ticket := tickets.get(request_id):
            before = changes.get(request_id)
            steps = before.steps if before else ()
            now = before.after if before else ticket
            more = join_incident(now, incident_id, linked=linked)
            cause = causes[request_id, incident_id]
            changes[request_id] = Change(ticket, (*steps, *more), cause=cause)
    await record(tx, list(changes.values()), None)


consumers: Final = (
    on(IncidentDeclared, on_incident_told),
    on(IncidentUpdated, on_incident_told),
    on(IncidentEnded, on_incident_told),
    on(RequestLinked, on_request_linked),
)
