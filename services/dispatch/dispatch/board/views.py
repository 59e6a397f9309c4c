"""The live parts of the board that everybody sees through filters of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Final

from sqlalchemy import text

from dispatch.access import OVERSEERS, Viewer
from dispatch.board.filters import Filters, limits_of, place_of
from dispatch.board.grid import Centre, Grid, load_grid
from dispatch.board.queue import load_waiting
from dispatch.board.store import version_of_open
from dispatch.promises.store import version_of_owed
from shared.db import Tx
from shared.http.auth import Principal
from shared.http.sse import LiveFeed, Row

REST: Final = 0.5  # seconds; in a storm of events the days are not planned anew for each of them
_AGAIN: Final = 300  # seconds after which a plan, which begins now, has moved on by itself

ReadRows = Callable[[Tx, Viewer, Filters], Awaitable[Sequence[Row]]]


def rows_of(grid: Grid) -> list[Row]:
    """The heads of the centres, each above its engineers."""
    rows = []
    for code, lines in groupby(grid.lines, key=lambda line: line.person.centre):
        rows.append(Row(f"centre {code}", f"{code or ''} ", Centre(code, grid.centres[code])))
        for line in lines:
            centre, tier, name, person_id = place_of(line.person)
            rows.append(Row(person_id, f"{centre} {tier} {name}", line))
    return rows


async def grid_rows(tx: Tx, viewer: Viewer, filters: Filters) -> Sequence[Row]:
    return rows_of(await load_grid(tx, viewer, filters))


async def queue_rows(tx: Tx, viewer: Viewer, filters: Filters) -> Sequence[Row]:
    found = await load_waiting(tx, viewer, filters)
    return sorted((Row(str(each.ticket.id), each.order, each) for each in found), key=lambda row: row.order)


_PRESENT: Final = text(
    """
    SELECT (SELECT count(*) FROM absence), (SELECT count(*) FROM duty),
           (SELECT sum(hashtextextended(id::text || state, 0)) FROM absence),
           (SELECT max(id::text) FROM duty), (SELECT max(version) FROM assignment_policy)
    """
)


async def version_of_board(tx: Tx) -> Hashable:
    """Differs after each commit that changes what the board shows, and after a while by itself."""
    present = tuple((await tx.execute(_PRESENT)).one())
    moved_on = int(tx.now.timestamp() // _AGAIN)
    return await version_of_open(tx), await version_of_owed(tx), present, moved_on


def named(name: str, filters: Filters) -> str:
    """What a browser asks for that follows the feed called `name` through `filters`."""
    return f"{name}?{filters.query}" if filters.query else name


def _narrow(feed: LiveFeed, rows: ReadRows, query: str, principal: Principal) -> LiveFeed:
    viewer, filters = Viewer.of(principal), Filters.read(query)

    async def snapshot(tx: Tx) -> Sequence[Row]:
        return await rows(tx, viewer, filters)

    return replace(
        feed, name=named(feed.name, filters), snapshot=snapshot, narrow=None, view=limits_of(viewer)
    )


async def _nothing(tx: Tx) -> Sequence[Row]:
    """Nobody follows the board but through their own eyes."""
    return []


def _feed(name: str, template: str, rows: ReadRows) -> LiveFeed:
    whole = LiveFeed(name, frozenset(OVERSEERS), _nothing, version_of_board, template, rest=REST)
    return replace(whole, narrow=partial(_narrow, whole, rows))


GRID: Final = _feed("grid", "grid_row.html", grid_rows)
QUEUE: Final = _feed("queue", "queue_row.html", queue_rows)
