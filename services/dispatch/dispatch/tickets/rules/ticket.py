"""A ticket, and one version of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

from dispatch.assignment.rules import Job
from dispatch.tickets.rules.states import ALLOWED, ENDED, Command, State
from shared.errors import AftercareError
from shared.events import Payload
from shared.events.dispatch import EndedAs, JobKind, WaitingFor
from shared.events.teamwork import Support
from shared.events.terms import Kind, Level, PersonId, Severity, Site, Tier


class TicketNotReady(AftercareError):
    """The ticket is {state}; possible now: {possible}."""

    kind = "conflict"
    shown: ClassVar = ("state", "allowed", "version")


class AlreadyWithThem(AftercareError):
    """This person has the ticket already; choose another one."""

    kind = "conflict"


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it is stored.

    group_ids        the emergency group, its leader first; only urgent tickets have one
    arrivals         how often an engineer came to the site in this episode
    request_version  the newest version of the request that is in here
    waiting_for      whom or what it waits for, and
    paused_in        the state it goes back to; None unless it waits
    ended_as         how it was closed or why it was cancelled; None while it is open
    duplicate_of     the ticket in whose place it was cancelled
    planned_minutes  of work; None where nobody estimated it
    device_id        the product it is about, where that is known
    support_level    whose help it has (R25), and
    helper_id        the expert who helps; None where nobody does beside those who have it
    """

    id: UUID
    number: int
    request_id: UUID
    request_version: int
    customer_id: UUID
    customer_level: Level
    kind: Kind
    severity: Severity
    difficulty: int
    skills: tuple[str, ...]
    product_line: str | None
    site: Site
    title: str
    state: State
    owner_id: PersonId
    engineer_id: PersonId | None
    supervisor_id: PersonId | None
    group_ids: tuple[PersonId, ...]
    declined_ids: tuple[PersonId, ...]
    tier: Tier | None
    centre: str | None
    same_city: bool | None
    episode: int
    arrivals: int
    opened_at: datetime
    version: int
    waiting_for: WaitingFor | None = None
    paused_in: State | None = None
    ended_as: EndedAs | None = None
    duplicate_of: UUID | None = None
    job_kind: JobKind = "repair"
    planned_minutes: int | None = None
    device_id: UUID | None = None
    support_level: Support = "l1"
    helper_id: PersonId | None = None

    @property
    def job(self) -> Job:
        site = self.site
        north, east = site.latitude, site.longitude
        return Job(
            self.severity,
            site.region,
            site.city,
            self.product_line,
            self.skills,
            frozenset(self.declined_ids),
            self.customer_id,
            self.customer_level,
            self.kind,
            None if north is None or east is None else (north, east),
            device=self.device_id,
        )

    @property
    def allowed(self) -> frozenset[Command]:
        return ALLOWED[self.state]

    @property
    def is_open(self) -> bool:
        return self.state not in ENDED

    @property
    def given_to(self) -> PersonId:
        """The engineer; only in states that have one."""
        assert self.engineer_id is not None
        return self.engineer_id


@dataclass(frozen=True, slots=True)
class Step:
    """One version of a ticket: as it is afterwards, what happened, what the world is told, what is noted.

    `at` is when it happened, where that was before it came to be known here.
    """

    ticket: Ticket
    payload: Payload
    notes: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None

    @property
    def what(self) -> str:
        """The name of its event."""
        return self.payload.type.split(".")[1]


Steps: TypeAlias = tuple[Step, ...]


def require(ticket: Ticket, command: Command) -> None:
    """`TicketNotReady` unless `command` is possible in the ticket's state."""
    if command not in ticket.allowed:
        allowed = sorted(ticket.allowed)
        raise TicketNotReady(
            state=ticket.state,
            allowed=allowed,
            version=ticket.version,
            possible=", ".join(allowed) or "nothing",
        )
