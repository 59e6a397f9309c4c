"""Whether leadership knows of an urgent ticket: who was informed, and who of them said so (R23).

What a ticket's history tells is all there is to it: each time leadership is informed is to be acknowledged
once, by whoever of them is first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from dispatch.tickets.rules import Ticket
from shared.errors import AftercareError
from shared.events.terms import PersonId

INFORMED: Final = "leadership_informed"
ACKNOWLEDGED: Final = "leadership_acknowledged"


class NothingToAcknowledge(AftercareError):
    """Leadership has nothing to acknowledge here: the ticket is not urgent, or it has ended."""

    kind = "conflict"


class NotInformed(AftercareError):
    """Only a leader who was informed of this ticket may acknowledge it, or an administrator for them."""

    kind = "forbidden"


@dataclass(frozen=True, slots=True)
class Notice:
    """The last time that leadership was informed of a ticket.

    leader_ids       who was informed then
    acknowledged_by  the principal who acknowledged it first; None while nobody has, like `acknowledged_at`
    """

    leader_ids: tuple[PersonId, ...]
    informed_at: datetime
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None


def notice_in(history: Iterable[Mapping[str, Any]]) -> Notice | None:
    """What the lines of a ticket's history, the newest first, say of it; None where nobody was informed."""
    by: str | None = None
    at: datetime | None = None
    for line in history:
        if line["what"] == ACKNOWLEDGED:
            by, at = line["by"], line["at"]
        elif line["what"] == INFORMED:
            return Notice(tuple(map(UUID, line["facts"]["leader_ids"])), line["at"], by, at)
    return None


def is_awaited(ticket: Ticket, notice: Notice) -> bool:
    """Whether somebody of the leadership still has to acknowledge it."""
    return notice.acknowledged_at is None and ticket.severity == "urgent" and ticket.is_open


def may_acknowledge(notice: Notice, person_id: PersonId, *, is_admin: bool) -> bool:
    """Whether somebody was informed themselves, or may do anything for others.

    Dispatchers may not: the promise is about leadership, not about whoever has heard of them.
    """
    return is_admin or person_id in notice.leader_ids
