"""Who sees which ticket, and who may act on it: the one place that decides (decision 22, R125).

An engineer's own work is what they have, own, guide or belong to the emergency group of. A leader also sees
what they were informed of, and what they were asked to approve (R23). What somebody may not see does not
exist for them (404); what they see but is not theirs to do is refused (403).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, true

from dispatch.leadership.store import was_informed
from dispatch.solutions.store import was_asked
from dispatch.tickets import store
from dispatch.tickets.rules import Command, Ticket
from dispatch.tickets.store import ticket as table
from shared.db import Tx
from shared.errors import AftercareError
from shared.events.terms import PersonId
from shared.http.auth import Principal, Role

DISPATCHERS: Final[tuple[Role, ...]] = ("dispatcher", "admin")
# Who watches the promises removes what blocks them (R25): an engineer who will be late is replaced.
ASSIGNERS: Final[tuple[Role, ...]] = ("dispatcher", "operations", "admin")
OVERSEERS: Final[tuple[Role, ...]] = ("dispatcher", "operations", "admin")
READERS: Final[tuple[Role, ...]] = ("engineer", "dispatcher", "operations", "admin")
WORKERS: Final[tuple[Role, ...]] = ("engineer", "dispatcher", "admin")
HELP: Final[frozenset[Command]] = frozenset({"ask_department", "escalate", "deescalate", "sign_plan"})
"""What everybody whose work it is may ask for, and who removes what blocks it (R25)."""

_NOBODY: Final = UUID(int=0)


class NoSuchTicket(AftercareError):
    """There is no such ticket, or it is not yours to see."""

    kind = "not_found"


class NoSuchCustomer(AftercareError):
    """There is no such customer, or none of the tickets that you see is theirs."""

    kind = "not_found"


class NotYourTask(AftercareError):
    """You see this ticket, but only its engineer, its owner or a dispatcher may do this."""

    kind = "forbidden"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose eyes and hands; who does not oversee sees their own work alone."""

    id: str
    person_id: PersonId
    oversees: bool
    dispatches: bool
    may_assign: bool
    is_admin: bool
    regions: frozenset[str] | None
    product_lines: frozenset[str] | None
    customer_levels: frozenset[str] | None

    @classmethod
    def of(cls, principal: Principal) -> Viewer:
        return cls(
            principal.id,
            person_id_of(principal),
            bool(principal.roles.intersection(OVERSEERS)),
            bool(principal.roles.intersection(DISPATCHERS)),
            bool(principal.roles.intersection(ASSIGNERS)),
            "admin" in principal.roles,
            principal.regions,
            principal.product_lines,
            principal.customer_levels,
        )

    @property
    def is_limited(self) -> bool:
        return any(each is not None for each in (self.regions, self.product_lines, self.customer_levels))

    @property
    def employee_id(self) -> PersonId | None:
        """Which employee this is; None of an account that is none."""
        return None if self.person_id == _NOBODY else self.person_id


def person_id_of(principal: Principal) -> PersonId:
    """The employee a principal is; an id that nobody has when they are none."""
    try:
        return UUID(principal.id)
    except ValueError:
        return _NOBODY


def involved_in(ticket: Ticket) -> frozenset[PersonId]:
    """Everybody whose work it is: who has, owns, guides or helps with it, and its group (decision 22)."""
    helping = (ticket.supervisor_id, ticket.helper_id, *ticket.group_ids)
    people = (ticket.engineer_id, ticket.owner_id, *helping)
    return frozenset(each for each in people if each is not None)


def sees(viewer: Viewer, ticket: Ticket) -> bool:
    """Whether `ticket` exists for `viewer`, who was not informed of it as a leader."""
    return (viewer.oversees or viewer.person_id in involved_in(ticket)) and is_within(viewer, ticket)


def is_within(viewer: Viewer, ticket: Ticket) -> bool:
    """Whether a ticket lies within what somebody's account is limited to (R125)."""
    return (
        _within(viewer.regions, ticket.site.region)
        and _within(viewer.product_lines, ticket.product_line)
        and _within(viewer.customer_levels, ticket.customer_level)
    )


def _within(limit: frozenset[str] | None, value: str | None) -> bool:
    """A limit shows what is known to lie within it."""
    return limit is None or value in limit


def visible_to(viewer: Viewer) -> ColumnElement[bool]:
    """`sees`, as a condition on the table of tickets."""
    conditions: list[ColumnElement[bool]] = [true(), *limits_of(viewer)]
    if not viewer.oversees:
        own = viewer.person_id
        person = (table.c.engineer_id, table.c.owner_id, table.c.supervisor_id, table.c.helper_id)
        grouped = and_(table.c.severity == "urgent", table.c.group_ids.has_key(str(own)))
        conditions.append(or_(*(column == own for column in person), grouped))
    return and_(*conditions)


def limits_of(viewer: Viewer) -> list[ColumnElement[bool]]:
    """`is_within`, as conditions on the table of tickets."""
    conditions: list[ColumnElement[bool]] = []
    if viewer.regions is not None:
        conditions.append(table.c.region.in_(viewer.regions))
    if viewer.product_lines is not None:
        conditions.append(table.c.product_line.in_(viewer.product_lines))
    if viewer.customer_levels is not None:
        conditions.append(table.c.customer_level.in_(viewer.customer_levels))
    return conditions


def may(viewer: Viewer, ticket: Ticket, command: Command) -> bool:
    """Whether `viewer`, who sees the ticket, may do this to it, leaving its state aside."""
    if command == "assign":
        return viewer.may_assign
    if command in ("cancel", "reopen"):
        return viewer.dispatches
    if command in HELP:
        return viewer.may_assign or viewer.person_id in involved_in(ticket)
    return viewer.dispatches or viewer.person_id in (ticket.engineer_id, ticket.owner_id)


async def find_ticket(tx: Tx, viewer: Viewer, ticket_id: UUID) -> Ticket:
    """The ticket, to be read; `NoSuchTicket` when it does not exist for `viewer`."""
    return await _visible(tx, viewer, await store.load_ticket(tx, ticket_id))


async def lock_visible(tx: Tx, viewer: Viewer, ticket_id: UUID) -> Ticket:
    """The same, and nobody else changes it until the end."""
    return await _visible(tx, viewer, await store.load_ticket(tx, ticket_id, lock=True))


async def lock_ticket(tx: Tx, viewer: Viewer, ticket_id: UUID, command: Command) -> Ticket:
    """The ticket, to be changed by `command`; `NoSuchTicket` or `NotYourTask` when it may not."""
    found = await lock_visible(tx, viewer, ticket_id)
    if not may(viewer, found, command):
        raise NotYourTask
    return found


async def _visible(tx: Tx, viewer: Viewer, found: Ticket | None) -> Ticket:
    if found is None:
        raise NoSuchTicket
    if sees(viewer, found):
        return found
    if not (is_within(viewer, found) and await leads(tx, viewer, found)):
        raise NoSuchTicket
    return found


async def leads(tx: Tx, viewer: Viewer, found: Ticket) -> bool:
    """Whether they were told of it, or asked about it, as its leadership."""
    person_id = viewer.person_id
    return await was_informed(tx, found.id, person_id) or await was_asked(tx, found.id, person_id)


async def require_customer(tx: Tx, viewer: Viewer, customer_id: UUID) -> None:
    """`NoSuchCustomer` for who is limited to a part, unless something of that customer's lies within it."""
    if viewer.is_limited and not await store.has_ticket(tx, customer_id, visible_to(viewer)):
        raise NoSuchCustomer
