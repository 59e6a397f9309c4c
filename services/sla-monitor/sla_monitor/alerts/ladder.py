"""Whom to tell at which step of an alert, as its policy's ladder says and events have told who is who."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sla_monitor.clocks.rules.changes import BREACH
from sla_monitor.clocks.rules.history import Subject
from sla_monitor.policies.rules import LADDER, Promise, Role, Step

NOBODY_NAMED: Final[tuple[Role, ...]] = ("owner",)
"""Who is told at a step that the ladder does not have any more: whoever is accountable (R24)."""


@dataclass(frozen=True, slots=True)
class People:
    """Who supervises, leads and is informed of one subject, as far as events have told."""

    supervisor: UUID | None = None
    team_lead: UUID | None = None
    leadership: tuple[UUID, ...] = ()


def steps_at(promise: Promise | None, threshold: int) -> tuple[Role, ...]:
    """The roles to tell when `threshold` percent of the time are gone."""
    for step in _ladder(promise):
        if step.at == threshold and not step.minutes_after:
            return step.tell
    return NOBODY_NAMED


def steps_after(promise: Promise | None) -> tuple[Step, ...]:
    """The steps above the breach."""
    return tuple(step for step in _ladder(promise) if step.at == BREACH and step.minutes_after)


def _ladder(promise: Promise | None) -> tuple[Step, ...]:
    return promise.ladder if promise else LADDER


def resolve(roles: Sequence[str], subject: Subject, people: People) -> tuple[tuple[str, UUID | None], ...]:
    """Each role with the people it is for; with None where no event has told who that is."""
    known: Mapping[str, Sequence[UUID | None]] = {
        "owner": (subject.owner_id,),
        "supervisor": (people.supervisor,),
        "team_lead": (people.team_lead,),
        "leadership": people.leadership or (None,),
    }
    return tuple((role, person) for role in roles for person in known[role])


# The events that tell who is who.
ASSIGNED: Final = "dispatch.ticket_assigned"
GROUPED: Final = "dispatch.group_formed"
INFORMED: Final = "dispatch.leadership_informed"


def people_of(latest: Mapping[str, Mapping[str, Any]]) -> People:
    """Who is who, from the facts of the latest event of each kind.

    The engineer's supervisor guides the ticket (R21); the emergency group's leader leads the team (R22);
    the leadership group was named when it was informed (R23).
    """
    supervisor = latest.get(ASSIGNED, {}).get("supervisor_id")
    leader = latest.get(GROUPED, {}).get("leader_id")
    informed = latest.get(INFORMED, {}).get("leader_ids", ())
    return People(
        UUID(supervisor) if supervisor else None,
        UUID(leader) if leader else None,
        tuple(UUID(each) for each in informed),
    )
