"""What waits at the board: nobody has it, nobody could decide it, or its time must be agreed anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import and_, exists, or_, select

from dispatch.access import Viewer, visible_to
from dispatch.availability.store import absence
from dispatch.board.filters import Filters
from dispatch.promises.rules import Deadlines, name_of
from dispatch.promises.store import deadlines
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import ticket, ticket_of
from dispatch.visits.store import visit
from shared.db import Tx

MOST: Final = 200  # the most pressing; the list of all open tickets has the others
Why = Literal["decide", "unassigned", "away", "passed", "cancelled"]
"""Nobody passed and a person decides, nobody has it yet; or its visit is to be agreed anew, because whoever
would come is away then, because its time is over and nobody set out, or because it was cancelled."""
_PRESSING: Final = {"urgent": 0, "important": 1, "general": 2}


@dataclass(frozen=True, slots=True)
class Due:
    """What is promised next, and by when."""

    code: str
    at: datetime

    @property
    def name(self) -> str:
        """To be translated."""
        return name_of(self.code)

    @classmethod
    def of(cls, owed: Deadlines) -> Due | None:
        return cls(*owed.next) if owed.next else None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket that waits for somebody at the board."""

    ticket: Ticket
    why: Why
    due: Due | None

    @property
    def order(self) -> str:
        """By the next deadline; what has none comes behind, the more severe first."""
        due = f"{self.due.at.timestamp():013.0f}" if self.due else "9" * 13
        return f"{due}{_PRESSING[self.ticket.severity]} {self.ticket.id}"


_OF_IT: Final = visit.c.ticket_id == ticket.c.id
_AGREED: Final = exists().where(_OF_IT, visit.c.state == "agreed")
_OFF: Final = exists().where(_OF_IT, visit.c.state.in_(("lapsed", "cancelled", "no_show")))


def _over(now: datetime) -> Any:
    return exists().where(_OF_IT, visit.c.state == "agreed", visit.c.ends_at < now)


_AWAY: Final = exists().where(
    _OF_IT,
    visit.c.state == "agreed",
    absence.c.person_id == visit.c.engineer_id,
    absence.c.state == "approved",
    absence.c.starts_at < visit.c.ends_at,
    absence.c.ends_at > visit.c.starts_at,
)
_NOBODYS: Final = ticket.c.state.in_(("opened", "needs_decision"))
_BEFORE: Final = ticket.c.state.in_(("assigned", "accepted"))
_EXPECTED: Final = ticket.c.state == "visit_agreed"


async def load_waiting(tx: Tx, viewer: Viewer, filters: Filters) -> list[Waiting]:
    """What `viewer` may see of it, in the region that is chosen; two statements."""
    over = _over(tx.now)
    chosen = select(ticket, _AWAY.label("away"), over.label("over")).where(
        visible_to(viewer),
        or_(
            _NOBODYS,
            and_(_BEFORE, _OFF, ~_AGREED),
            and_(_EXPECTED, or_(over, _AWAY)),
        ),
    )
    if filters.region is not None:
        chosen = chosen.where(ticket.c.region == filters.region)
    rows: Sequence[Any] = (await tx.execute(chosen.order_by(ticket.c.id).limit(MOST))).all()
    owed = await deadlines(tx, [row.id for row in rows])
    return [Waiting(ticket_of(row), _why(row), Due.of(owed[row.id])) for row in rows]


def _why(row: Any) -> Why:
    if row.state == "needs_decision":
        return "decide"
    if row.state == "opened":
        return "unassigned"
    if row.state != "visit_agreed":
        return "cancelled"
    return "away" if row.away else "passed"
