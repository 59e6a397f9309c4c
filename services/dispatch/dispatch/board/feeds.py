"""The live lists: the dispatchers' board with its figures, and every engineer's own work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dispatch.access import OVERSEERS, Viewer, involved_in, person_id_of, sees
from dispatch.board.store import OpenTicket, count_open, list_open, list_open_of_each, version_of_open
from dispatch.tickets.rules import State, Ticket
from shared.db import Tx
from shared.events.terms import PersonId
from shared.http.auth import Principal
from shared.http.sse import LiveFeed, Row

Part = Literal["engineer", "owner", "supervisor", "helper", "group"]

_FIGURES: Final = ("needs_decision", "urgent", "in_work", "with_customer")
# What one has begun comes first, then what is urgent, then what is due; what waits for the customer is done.
_NEXT: Final[dict[State, int]] = {"on_site": 0, "travelling": 1, "resolved": 9}


@dataclass(frozen=True, slots=True)
class Task:
    """A ticket as one of the people sees it whose work it is."""

    open: OpenTicket
    person_id: PersonId
    part: Part


async def board_rows(tx: Tx) -> Sequence[Row]:
    return [Row(str(each.ticket.id), each.order, each) for each in await list_open(tx)]


async def figure_rows(tx: Tx) -> Sequence[Row]:
    counts = await count_open(tx)
    return [Row(name, str(place), (name, counts[name])) for place, name in enumerate(_FIGURES)]


async def work_rows(tx: Tx) -> Sequence[Row]:
    """One row per ticket and person, each for that person's eyes only."""
    return [row for each in await list_open_of_each(tx) for row in _tasks(each)]


def _tasks(each: OpenTicket) -> Iterator[Row]:
    for person_id in involved_in(each.ticket):
        part = part_of(each.ticket, person_id)
        began = _NEXT.get(each.ticket.state, 2)
        later = each.ticket.severity != "urgent"
        order = f"{part != 'engineer':d}{began}{later:d}{each.due} {each.order}"
        yield Row(f"{each.ticket.id} {person_id}", order, Task(each, person_id, part))


def part_of(ticket: Ticket, person_id: PersonId) -> Part:
    """What somebody has to do with a ticket that is their work."""
    if person_id == ticket.engineer_id:
        return "engineer"
    if person_id == ticket.owner_id:
        return "owner"
    if person_id == ticket.supervisor_id:
        return "supervisor"
    return "helper" if person_id == ticket.helper_id else "group"


def _may_see(row: Row, principal: Principal) -> bool:
    return sees(Viewer.of(principal), row.data.ticket)


def _has_no_limits(row: Row, principal: Principal) -> bool:
    """The figures count everything, so they are for those who may see everything."""
    limits = (principal.regions, principal.product_lines, principal.customer_levels)
    return all(limit is None for limit in limits)


def is_mine(row: Row, principal: Principal) -> bool:
    return bool(row.data.person_id == person_id_of(principal))


BOARD: Final = LiveFeed(
    name="board",
    roles=frozenset(OVERSEERS),
    snapshot=board_rows,
    version=version_of_open,
    template="board_row.html",
    visible=_may_see,
)
FIGURES: Final = LiveFeed(
    name="figures",
    roles=frozenset(OVERSEERS),
    snapshot=figure_rows,
    version=version_of_open,
    template="figure_row.html",
    visible=_has_no_limits,
)
WORK: Final = LiveFeed(
    name="work",
    roles=frozenset({"engineer"}),
    snapshot=work_rows,
    version=version_of_open,
    template="work_row.html",
    visible=is_mine,
)
