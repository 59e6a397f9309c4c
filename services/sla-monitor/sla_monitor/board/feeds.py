"""The live lists of the board, each narrowed to what one person looks at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from time import perf_counter
from typing import Final, Protocol

from shared.db import Tx
from shared.http.auth import Principal, Role
from shared.http.sse import LiveFeed, Row
from sla_monitor.board import store
from sla_monitor.board.notices import load_notices, may_see
from sla_monitor.clocks.view import Filters, View

ROLES: Final[frozenset[Role]] = frozenset({"operations", "dispatcher", "admin"})
EVERY: Final = timedelta(seconds=2)  # for figures
SOON: Final = timedelta(milliseconds=100)  # for lists, in a storm of events too
# Figures count a whole day. However large it is, they take a twentieth of the time at most.
REST: Final = 20


class ReadRows(Protocol):
    """All rows of a feed, as they are seen through a view."""

    async def __call__(self, tx: Tx, view: View) -> Sequence[Row]: ...


async def running_rows(tx: Tx, view: View) -> Sequence[Row]:
    """What runs, the soonest deadline first."""
    found = await store.load_running(tx, view)
    return [Row(str(each.id), each.deadline.isoformat(), each) for each in found]


async def missed_rows(tx: Tx, view: View) -> Sequence[Row]:
    """What became known today as missed, the latest first."""
    found = await store.load_missed(tx, view)
    return [Row(str(each.id), _latest_first(each.alerted_at), each) for each in found]


def _latest_first(instant: datetime | None) -> str:
    return f"{10**11 - (instant.timestamp() if instant else 0):018.6f}"


async def ticket_rows(tx: Tx, view: View) -> Sequence[Row]:
    """Today by ticket."""
    tile = await store.load_tickets(tx, view)
    return [Row(tile.id, "", tile)]


async def tile_rows(tx: Tx, view: View) -> Sequence[Row]:
    """Today by clock."""
    found = await store.load_tiles(tx, view)
    return [Row(each.id, f"{place:02}", each) for place, each in enumerate(found)]


async def state_rows(tx: Tx, view: View) -> Sequence[Row]:
    """How fresh the board is, and what it does not show."""
    return [Row("pulse", "", await store.load_pulse(tx, view))]


async def notice_rows(tx: Tx, view: View) -> Sequence[Row]:
    """What somebody has to see to."""
    found = await load_notices(tx, view)
    return [Row(each.id, f"{place:03}", each) for place, each in enumerate(found)]


@dataclass
class Paced:
    """Rows that are read again after a while, and the longer that takes the longer a while is."""

    rows: Callable[[Tx], Awaitable[Sequence[Row]]]
    looks: int = 0
    due: datetime | None = None

    async def version(self, tx: Tx) -> Hashable:
        if self.due is None or tx.now >= self.due:
            self.looks += 1
        return self.looks

    async def snapshot(self, tx: Tx) -> Sequence[Row]:
        began = perf_counter()
        found = await self.rows(tx)
        self.due = tx.now + max(EVERY, REST * timedelta(seconds=perf_counter() - began))
        return found


def _narrow(feed: LiveFeed, rows: ReadRows, paced: bool, query: str, viewer: Principal) -> LiveFeed:
    view = View.of(viewer, Filters.read(query))
    read = partial(rows, view=view)
    pace = Paced(read)
    return replace(
        feed,
        name=named(feed.name, view),
        snapshot=pace.snapshot if paced else read,
        version=pace.version if paced else partial(_all, read),
        narrow=None,
        view=view.key,
    )


async def _all(read: Callable[[Tx], Awaitable[Sequence[Row]]], tx: Tx) -> Hashable:
    return tuple((row.id, row.data) for row in await read(tx))


def named(name: str, view: View) -> str:
    """What a browser asks for that follows the feed called `name` through `view`."""
    return f"{name}?{view.filters.query}" if view.filters.query else name


def _everything(row: Row, viewer: Principal) -> bool:
    return True


def _feed(
    name: str,
    template: str,
    rows: ReadRows,
    *,
    paced: bool = False,
    visible: Callable[[Row, Principal], bool] = _everything,
) -> LiveFeed:
    read = partial(rows, view=View.of(None))
    rest = (EVERY if paced else SOON).total_seconds()
    whole = LiveFeed(name, ROLES, read, partial(_all, read), template, visible, rest=rest)
    return replace(whole, narrow=partial(_narrow, whole, rows, paced))


RUNNING: Final = _feed("running", "board_running.html", running_rows)
MISSED: Final = _feed("missed", "board_missed.html", missed_rows)
TICKETS: Final = _feed("tickets", "board_tile.html", ticket_rows, paced=True)
TODAY: Final = _feed("today", "board_tile.html", tile_rows, paced=True)
STATE: Final = _feed("state", "board_state.html", state_rows, paced=True)
NOTICES: Final = _feed(
    "notices",
    "board_notices.html",
    notice_rows,
    paced=True,
    visible=lambda row, viewer: may_see(row.data, viewer),
)
FEEDS: Final = (RUNNING, MISSED, TICKETS, TODAY, STATE, NOTICES)
