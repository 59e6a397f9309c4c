"""The desk's lists and figures.

A list walks the requests' own key backwards, so a page costs the same wherever it begins. A figure is counted
in a partial index that holds open requests only, and to `COUNTED` at most: it costs what is open, never what
there ever was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, func, literal, or_, select

from intake.desk.choice import Choice
from intake.requests.access import Limits, within
from intake.requests.numbers import number_in
from intake.requests.rules import SIMPLE
from intake.requests.store import COLUMNS, Request
from intake.search.bigrams import grams
from intake.search.store import holding
from intake.tables import request
from shared.clock import uuid7_floor
from shared.db import Tx

COUNTED: Final = 10_000
SIMPLE_DAYS: Final = 30
"""So far back the share of questions that were solved at first contact is looked at (R11)."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all open requests that somebody may see; `COUNTED` stands for as many or more."""

    open: int
    urgent: int
    unanswered: int
    without_ticket: int
    simple: int
    """Enquiries and questions about orders that came in of late, the denominator of the next (R11)."""
    at_once: int
    """Of these what the first answer solved."""

    @property
    def first_contact(self) -> float | None:
        """The share of simple questions that were solved at first contact; None without any."""
        return self.at_once / self.simple if self.simple else None


async def load_chosen(tx: Tx, choice: Choice, limits: Limits, most: int) -> list[Request]:
    """The newest first, from `choice.before` backwards."""
    conditions = [*_chosen(choice), *within(limits)]
    query = select(*COLUMNS).where(*conditions).order_by(request.c.id.desc()).limit(most)
    return [Request(**row._mapping) for row in await tx.execute(query)]


async def load_figures(tx: Tx, limits: Limits) -> Figures:
    """In one statement."""
    is_open, seen = request.c.closed_at.is_(None), within(limits)
    counted = {
        "open": (),
        "urgent": (request.c.severity == "urgent",),
        "unanswered": (request.c.answered_at.is_(None),),
        "without_ticket": (request.c.ticket_id.is_(None),),
    }
    numbers = []
    for name, conditions in counted.items():
        some = select(literal(1)).select_from(request).where(is_open, *conditions, *seen).limit(COUNTED)
        numbers.append(select(func.count()).select_from(some.subquery()).scalar_subquery().label(name))
    numbers += _of_simple(limits, tx.now)
    return Figures(**(await tx.execute(select(*numbers))).one()._mapping)


def _of_simple(limits: Limits, now: datetime) -> list[Any]:
    """How many simple questions of late, the newest `COUNTED` of them, and how many were solved at once."""
    since = uuid7_floor(now - timedelta(days=SIMPLE_DAYS))
    # Written out, so that PostgreSQL sees in every plan that the partial index holds these.
    kinds = [literal(each, literal_execute=True) for each in sorted(SIMPLE)]
    late = (request.c.kind.in_(kinds), request.c.id >= since, *within(limits))
    at_once = (request.c.solved_at == request.c.answered_at).label("at_once")
    newest = select(at_once).where(*late).order_by(request.c.id.desc()).limit(COUNTED).subquery()
    return [
        select(func.count()).select_from(newest).scalar_subquery().label("simple"),
        select(func.count()).where(newest.c.at_once).scalar_subquery().label("at_once"),
    ]


def _chosen(choice: Choice) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for name in ("severity", "kind", "channel", "region"):
        if value := getattr(choice, name):
            found.append(request.c[name] == value)
    for chosen, column in ((choice.answered, request.c.answered_at), (choice.ticket, request.c.ticket_id)):
        if chosen:
            found.append(column.is_not(None) if chosen == "yes" else column.is_(None))
    if choice.state:
        closed = request.c.closed_at
        found.append(closed.is_(None) if choice.state == "open" else closed.is_not(None))
    if choice.before:
        found.append(request.c.id < choice.before)
    if choice.q:
        found.append(_searched(choice.q))
    return found


def _searched(words: str) -> ColumnElement[bool]:
    """What holds these words, and the request whose number they are."""
    said = request.c.id.in_(holding(grams(words) or [words]))
    number = number_in(words)
    return said if number is None else or_(said, request.c.number == number)
