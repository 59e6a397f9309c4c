"""What the service desk tells of incidents, in whatever order it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from dispatch.incidents import store
from shared.db import Tx
from shared.events import Event
from shared.events.intake import IncidentDeclared, IncidentEnded, IncidentUpdated, RequestLinked
from shared.inbox import on

Told = Event[IncidentDeclared] | Event[IncidentUpdated] | Event[IncidentEnded]


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


async def on_request_linked(tx: Tx, events: Sequence[Event[RequestLinked]]) -> None:
    """Keep which requests belong to which incident."""
    ordered = sorted(events, key=lambda event: event.version)
    newest = {(UUID(event.subject), event.data.incident_id): event for event in ordered}
    await store.save_links(
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


consumers: Final = (
    on(IncidentDeclared, on_incident_told),
    on(IncidentUpdated, on_incident_told),
    on(IncidentEnded, on_incident_told),
    on(RequestLinked, on_request_linked),
)
