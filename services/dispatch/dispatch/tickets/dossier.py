"""Everything there is to know about one ticket, for its page and for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from dispatch.assignment.store import list_decisions
from dispatch.assignment.words import said
from dispatch.jobs.store import Log
from dispatch.jobs.work import Work, load_work
from dispatch.leadership.rules import Notice, notice_in
from dispatch.organisation.rules import Department
from dispatch.organisation.store import load_departments, load_names
from dispatch.promises.rules import Deadlines
from dispatch.promises.store import deadlines
from dispatch.supply.store import list_requisitions
from dispatch.support.reading import Mark, awaited_signer, marks
from dispatch.support.rules import Plan
from dispatch.support.store import list_plans
from dispatch.tasks.rules import Task
from dispatch.tasks.store import list_of_ticket
from dispatch.tickets.rules import Ticket
from dispatch.tickets.store import list_history
from dispatch.visits.store import list_visits
from dispatch.visits.window import Fight, NoWindow, Window, limits_of, window_of
from shared.db import Tx
from shared.events.terms import PersonId
from shared.i18n import gettext

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Visited:
    """A visit with the work that was done on it (R33); no visit: the work that was done at other times."""

    visit: Row | None
    logs: Sequence[Log]

    @property
    def planned_minutes(self) -> int:
        if self.visit is None:
            return 0
        length: timedelta = self.visit["ends_at"] - self.visit["starts_at"]
        return round(length / timedelta(minutes=1))

    @property
    def worked_minutes(self) -> int:
        return sum(log.minutes for log in self.logs)


@dataclass(frozen=True, slots=True)
class Dossier:
    """A ticket, what became of it and why; lists have the newest first. `names` tells who everybody is."""

    ticket: Ticket
    history: Sequence[Row]
    decisions: Sequence[Row]
    visits: Sequence[Row]
    requisitions: Sequence[Row]
    names: Mapping[PersonId, str]
    work: Work
    owed: Deadlines
    tasks: Sequence[Task]
    departments: Mapping[str, Department]
    plans: Sequence[Plan]
    signer_id: PersonId | None
    plan_mark: Mark | None

    def name_of(self, person: PersonId | str | None) -> str | None:
        """How to call somebody: a colleague by name, anybody else as they signed in."""
        if person is None or isinstance(person, UUID):
            return self.names.get(person) if person else None
        try:
            return self.names.get(UUID(person), person)
        except ValueError:
            return person

    def department(self, code: str) -> str:
        """How to call a department; by its code where the organisation has none of it any more."""
        return self.departments[code].name if code in self.departments else code

    @property
    def visited(self) -> Sequence[Visited]:
        """Every visit, the newest first, then what was done at other times, where anything was."""
        logs: defaultdict[UUID | None, list[Log]] = defaultdict(list)
        for log in self.work.logs:
            logs[log.visit_id].append(log)
        visits = [Visited(visit, logs[visit["id"]]) for visit in self.visits]
        return [*visits, Visited(None, logs[None])] if logs[None] else visits

    @property
    def notice(self) -> Notice | None:
        """The last time leadership was informed; None when it never was."""
        return notice_in(self.history)

    @property
    def visit_lapsed(self) -> bool:
        """Whether the time that was agreed last cannot be kept, and nothing else is agreed yet."""
        return self.ticket.is_open and bool(self.visits) and self.visits[0]["state"] == "lapsed"

    @property
    def parts_at(self) -> datetime | None:
        """When the last of what is short will be there, where that is known."""
        expected = (row["expected_at"] for row in self.requisitions if row["expected_at"])
        return max(expected, default=None)

    @property
    def window(self) -> Window | NoWindow:
        """When a visit can be, what was agreed with it; why it cannot."""
        agreed = (row for row in self.visits if row["state"] == "agreed")
        appointment = next(((row["starts_at"], row["ends_at"]) for row in agreed), None)
        return window_of(limits_of(self.owed, self.parts_at, appointment))

    @property
    def fights(self) -> Sequence[Fight]:
        return self.window.fights if isinstance(self.window, NoWindow) else ()

    @property
    def transfers(self) -> int:
        """How often it went to another engineer than before (R128)."""
        given = [row["facts"]["engineer_id"] for row in self.history if row["what"] == "ticket_assigned"]
        return sum(one != other for one, other in pairwise(given))

    @property
    def work_note(self) -> str | None:
        """What the engineer wrote when the work was done last."""
        return next(
            (str(row["facts"]["work_note"]) for row in self.history if "work_note" in row["facts"]), None
        )


def words(finding: Row) -> str:
    """A finding of the assignment rules in the reader's language."""
    return said(finding["rule"], finding["facts"], gettext)


async def load_dossier(tx: Tx, ticket: Ticket) -> Dossier:
    history = await list_history(tx, ticket.id)
    decisions = await list_decisions(tx, ticket.id)
    visits = await list_visits(tx, ticket.id)
    requisitions = await list_requisitions(tx, [ticket.id])
    tasks = await list_of_ticket(tx, ticket.id)
    departments = {each.code: each for each in await load_departments(tx)}
    people = set(_people(ticket, history, decisions, visits)) | {each.owner_id for each in tasks}
    names = await load_names(tx, people)
    work = await load_work(tx, ticket)
    owed = (await deadlines(tx, [ticket.id]))[ticket.id]
    plans = await list_plans(tx, ticket.id)
    signer_id = await awaited_signer(tx, ticket, plans)
    names = {**names, **await load_names(tx, {each for each in (signer_id, ticket.helper_id) if each})}
    mark = (await marks(tx, [ticket])).get(ticket.id)
    return Dossier(
        ticket, history, decisions, visits, requisitions, names, work, owed, tasks, departments, plans,
        signer_id, mark,
    )  # fmt: skip


def _people(
    ticket: Ticket, history: Sequence[Row], decisions: Sequence[Row], visits: Sequence[Row]
) -> Iterator[PersonId]:
    yield from (each for each in (ticket.owner_id, ticket.engineer_id, ticket.supervisor_id) if each)
    yield from ticket.group_ids
    yield from (visit["engineer_id"] for visit in visits)
    for made in decisions:
        yield from (UUID(each["person_id"]) for each in made["explanation"]["candidates"])
    for row in history:
        for name, value in row["facts"].items():
            if name in (
                "engineer_id",
                "supervisor_id",
                "owner_id",
                "previous_owner_id",
                "leader_id",
                "helper_id",
                "by",
            ):
                if known := _person(value):  # who moved a visit is told by what they are
                    yield known
            elif name in ("leader_ids", "member_ids"):
                yield from map(UUID, value)
    for row in (*history, *decisions):
        by = row.get("by") or row.get("decided_by")
        if by and (known := _person(by)):
            yield known


def _person(principal: str) -> PersonId | None:
    try:
        return UUID(principal)
    except ValueError:
        return None
