"""What somebody has to see to, so that the board can go on telling the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from shared.db import Tx
from shared.http.auth import Principal, Role
from sla_monitor.calendars.store import load_warnings
from sla_monitor.clocks.view import View
from sla_monitor.policies.store import list_uncovered
from sla_monitor.sinks.store import load_failing

_SINKS: Final[frozenset[Role]] = frozenset({"operations", "admin"})
_NAMED: Final = 5  # uncovered subjects; of more than that the number is enough


@dataclass(frozen=True, slots=True)
class Notice:
    """One line of the strip.

    kind      a calendar whose year nobody has confirmed, a sink that does not deliver, or subjects to which
              nothing is promised
    name      of the calendar or the sink
    number    the year, how many messages wait, or how many subjects there are
    since     when the sink failed first
    subjects  id and name of the latest
    """

    id: str
    kind: Literal["calendar", "sink", "uncovered"]
    name: str = ""
    number: int = 0
    since: datetime | None = None
    subjects: tuple[tuple[UUID, str], ...] = ()


async def load_notices(tx: Tx, view: View) -> Sequence[Notice]:
    """The subjects first: of them somebody waits."""
    years = [
        Notice(f"calendar.{each.calendar}.{each.year}", "calendar", each.calendar, each.year)
        for each in await load_warnings(tx, tx.now)
    ]
    sinks = [
        Notice(f"sink.{each.id}", "sink", each.name, each.waiting, each.failing_since or each.waiting_since)
        for each in await load_failing(tx)
    ]
    return (*await _uncovered(tx, view), *sinks, *years)


async def _uncovered(tx: Tx, view: View) -> Sequence[Notice]:
    found = await list_uncovered(tx, view.viewer)
    if not found:
        return ()
    named = tuple((each.subject_id, each.title or each.subject_id.hex[-6:]) for each in found[:_NAMED])
    return (Notice("uncovered", "uncovered", number=len(found), subjects=named),)


def may_see(notice: Notice, viewer: Principal) -> bool:
    """Who may not open a sink's page is not told of it."""
    return notice.kind != "sink" or bool(viewer.roles & _SINKS)
