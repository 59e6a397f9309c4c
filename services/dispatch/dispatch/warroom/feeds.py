"""When a war room has changed: one row, at which the page of whoever looks at it fetches itself anew.

What somebody may do there depends on who they are, and a row is drawn once for all: so the row tells that
something happened, and the page what.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID
from zlib import crc32

from dispatch.access import READERS, Viewer, is_within, sees
from dispatch.incidents.store import load_incidents
from dispatch.promises.store import deadlines
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import load_ticket
from dispatch.warroom.store import load_leaders
from shared.db import Tx
from shared.events.terms import PersonId
from shared.http.auth import Principal
from shared.http.sse import LiveFeed, Row

NAME: Final = "warroom"


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the ticket stands; `about` is what else the page shows of it, `leaders` may see it besides."""

    ticket: Ticket
    leaders: frozenset[PersonId]
    about: Hashable

    @property
    def mark(self) -> str:
        """Another text whenever something else is to be seen."""
        return f"{self.ticket.version}-{crc32(repr(self.about).encode())}"


async def _nothing(tx: Tx) -> Sequence[Row]:
    return ()


async def _never(tx: Tx) -> Hashable:
    return None


def _is_theirs(row: Row, principal: Principal) -> bool:
    viewer, pulse = Viewer.of(principal), row.data
    leads = viewer.person_id in pulse.leaders and is_within(viewer, pulse.ticket)
    return sees(viewer, pulse.ticket) or leads


def _narrow(query: str, principal: Principal) -> LiveFeed:
    """Of one ticket, by its id; of what is no id, nothing."""
    try:
        ticket_id = UUID(query)
    except ValueError:
        return WARROOM

    async def pulse(tx: Tx) -> Pulse | None:
        ticket = await load_ticket(tx, ticket_id)
        if ticket is None:
            return None
        incidents = (await load_incidents(tx, [ticket.request_id])).get(ticket.request_id, [])
        owed = await deadlines(tx, [ticket.id])
        leaders = await load_leaders(tx, ticket.id)
        return Pulse(ticket, leaders, (tuple(incidents), owed[ticket.id]))

    async def rows(tx: Tx) -> Sequence[Row]:
        found = await pulse(tx)
        return [Row(str(ticket_id), "0", found)] if found else []

    return LiveFeed(
        name=f"{NAME}?{query}",
        roles=frozenset(READERS),
        snapshot=rows,
        version=pulse,
        template="warroom_pulse.html",
        visible=_is_theirs,
    )


WARROOM: Final = LiveFeed(
    name=NAME,
    roles=frozenset(READERS),
    snapshot=_nothing,
    version=_never,
    template="warroom_pulse.html",
    visible=_is_theirs,
    narrow=_narrow,
)
