"""Tasks as programs see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from dispatch.tasks.rules import ALLOWED, Command, State, Task
from dispatch.tasks.store import Head
from shared.events.terms import PersonId, Severity


class HeadView(BaseModel):
    """What other departments see of the ticket: nothing about the customer."""

    number: int
    title: str
    product_line: str | None
    severity: Severity

    @classmethod
    def of(cls, head: Head) -> HeadView:
        return cls(**{name: getattr(head, name) for name in cls.model_fields})


class TaskView(BaseModel):
    """Something that a department is asked for on a ticket."""

    id: UUID
    ticket_id: UUID
    episode: int
    department: str
    what: str
    needed_by: datetime
    blocking: bool
    """Whether the work on the ticket waits for it."""
    state: State
    owner_id: PersonId
    """Who answers for it: always somebody."""
    asked_by: str
    """The principal."""
    asked_at: datetime
    said: str
    """What was said last: the answer, or why it was declined, withdrawn or reopened."""
    changed_at: datetime
    version: int
    late: bool
    """Overdue, or ended after it was needed."""
    allowed: tuple[Command, ...]
    """What may be done in this state, by those who may."""

    @classmethod
    def of(cls, task: Task, now: datetime, **more: Any) -> TaskView:
        values = {name: getattr(task, name) for name in Task.__slots__}
        allowed = tuple(sorted(ALLOWED[task.state]))
        return cls(**values, late=task.is_late(now), allowed=allowed, **more)


class ListedTask(TaskView):
    """A task in a list, with the head of its ticket."""

    ticket: HeadView


class LineView(BaseModel):
    """One thing that was done or said about a task."""

    at: datetime
    what: str
    by: str | None
    """The principal; null for the service itself."""
    owner_id: PersonId
    """Who answered for it then."""
    said: str


class TaskDetail(ListedTask):
    """A task with what was done and said about it, the oldest first."""

    lines: list[LineView]

    @staticmethod
    def told(rows: Iterable[Mapping[str, Any]]) -> list[LineView]:
        return [LineView(**{name: row[name] for name in LineView.model_fields}) for row in rows]
