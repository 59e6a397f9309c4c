"""Whatever departments, engineers, leave and imports do: every task has one owner, and waits hold (R24, R37).

A state machine sends sensible and senseless commands. The oracle keeps a table of its own of what may be done
in which state and of what a ticket waits for; it shares nothing with the service, and the rest it asks of the
database in plain SQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, ClassVar, TypeVar
from unittest.mock import AsyncMock
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from contracts.dispatching import (
    DUTY_LEAD_G,
    FROM_AFAR,
    LOGISTICS,
    RND_DEVELOPER,
    RND_LEAD,
    SALES,
    SAMPLE,
    Desk,
    dispatching,
    person,
)
from dispatch.organisation.rules import Organisation
from shared.clock import clock

T = TypeVar("T")

DEPARTMENT = {"rnd": {RND_LEAD, RND_DEVELOPER}, "sales": {SALES}, "logistics": {LOGISTICS}}
DUTY = {DUTY_LEAD_G, person(16)}
BODIES: dict[str, dict[str, Any]] = {
    "accept": {},
    "finish": {"answer": "done"},
    "decline": {"reason": "not ours"},
    "withdraw": {},
    "reopen": {"reason": "again"},
    "comments": {"text": "hm"},
}
# Written down once more, by hand: what leads where.
LEADS = {
    ("asked", "accept"): "accepted",
    ("asked", "finish"): "done",
    ("accepted", "finish"): "done",
    ("asked", "decline"): "declined",
    ("accepted", "decline"): "declined",
    ("asked", "withdraw"): "withdrawn",
    ("accepted", "withdraw"): "withdrawn",
    ("done", "reopen"): "asked",
    ("declined", "reopen"): "asked",
    ("withdrawn", "reopen"): "asked",
}
ASKERS = ("withdraw", "reopen")
WRONG = {
    "an open task has no owner who works here": """
        SELECT task.id FROM department_task AS task
        LEFT JOIN person ON person.id = task.owner_id AND person.active
        WHERE task.state IN ('asked', 'accepted') AND person.id IS NULL""",
    "an owner of an open task is away, though somebody else is there": """
        SELECT task.id FROM department_task AS task JOIN absence ON absence.person_id = task.owner_id
        WHERE task.state IN ('asked', 'accepted') AND absence.state = 'approved'
          AND absence.handed_over_at IS NOT NULL AND absence.ends_at > now()
          AND task.owner_id NOT IN (SELECT unnest($1::uuid[]))""",
    "a task is open on a ticket that has ended": """
        SELECT task.id FROM department_task AS task JOIN ticket ON ticket.id = task.ticket_id
        WHERE task.state IN ('asked', 'accepted') AND ticket.state IN ('closed', 'cancelled')""",
    "what was told of a ticket is not its history": """
        SELECT ticket.id FROM ticket WHERE version <> (
            SELECT count(DISTINCT sequence) FROM event_log WHERE subject = ticket.id::text
              AND type LIKE 'dispatch.%')""",
}


class House(RuleBasedStateMachine):
    """Every step is taken by the service; then the oracle looks."""

    desk: ClassVar[Desk]
    loop: ClassVar[asyncio.Runner]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @initialize()
    def open(self) -> None:
        self.gone: set[UUID] = set()
        self.away: set[UUID] = set()
        self.tasks: dict[UUID, str] = {}  # what state each must be in
        self.blocks: set[UUID] = set()
        self.waits: str | None = None  # for "tasks", "hand" or nothing
        self.over = False
        self.run(self.desk.clear())
        self.run(self.desk.put(SAMPLE, 0))
        self.request = self.run(self.desk.ask())
        self.engineer = self.ticket().engineer_id
        for command in ("accept", "begin"):
            assert self.post(self.engineer, "engineer", command) == 200

    def ticket(self) -> Any:
        return self.run(self.desk.ticket(self.request))

    def post(self, who: UUID, role: Any, command: str, **body: Any) -> int:
        ticket = self.ticket()
        path = f"/dispatch/tickets/{ticket.id}/{command}"
        answer = self.run(
            self.desk.acting(who, role).post(path, json={"base_version": ticket.version, **body})
        )
        assert answer.status_code in (200, 403, 404, 409, 412, 422), answer.text
        return answer.status_code

    def blocked(self) -> bool:
        return any(self.tasks[each] in ("asked", "accepted") for each in self.blocks)

    # --- The ticket ---

    @rule(department=st.sampled_from(sorted(DEPARTMENT)), blocking=st.booleans())
    def ask(self, department: str, blocking: bool) -> None:
        needed = (clock.now() + timedelta(hours=3)).isoformat()
        wish = {"department": department, "what": "look", "needed_by": needed, "blocking": blocking}
        status = self.post(self.engineer, "engineer", "tasks", **wish)
        there = department != "logistics" or LOGISTICS not in self.gone
        assert status == (409 if self.over else 200 if there else 422)
        if status == 200:
            rows = self.run(self.desk.rows("SELECT id FROM department_task"))
            [fresh] = {row.id for row in rows} - set(self.tasks)
            self.tasks[fresh] = "asked"
            if blocking:
                self.blocks.add(fresh)
                self.waits = self.waits or "tasks"

    @rule(command=st.sampled_from(("resume", "pause", "resolve")))
    def work(self, command: str) -> None:
        body: dict[str, Any] = {"waiting_for": "other_department"} if command == "pause" else {}
        if command == "resolve":
            body = {"work_note": "done", "items": [*FROM_AFAR]}
        status = self.post(self.engineer, "engineer", command, **body)
        possible = not self.over and (self.waits is not None) == (command == "resume")
        assert status == (200 if possible and not (command == "resolve" and self.blocked()) else 409)
        if status == 200:
            self.waits = "hand" if command == "pause" else None
            self.over = command == "resolve"

    @rule()
    def begin_again(self) -> None:
        """Cancelled with all that is open, and opened again with nothing."""
        if not self.over:
            assert self.post(DUTY_LEAD_G, "dispatcher", "cancel", reason="other", note="x") == 200
            self.tasks |= dict.fromkeys(
                (each for each, state in self.tasks.items() if state in ("asked", "accepted")), "withdrawn"
            )
            assert self.post(DUTY_LEAD_G, "dispatcher", "reopen", reason="x") == 200
            self.engineer = self.ticket().engineer_id
            for command in ("accept", "begin"):
                assert self.post(self.engineer, "engineer", command) == 200
            self.waits = None

    # --- The departments ---

    @rule(data=st.data(), stale=st.sampled_from((0, 0, 0, 1)))
    def answer(self, data: st.DataObject, stale: int) -> None:
        self.answer_one(data, stale)

    def answer_one(self, data: st.DataObject, stale: int) -> None:
        if not self.tasks:
            return
        task_id = sorted(self.tasks)[data.draw(st.integers(0, len(self.tasks) - 1))]
        sensible = [each for state, each in LEADS if state == self.tasks[task_id]]
        command = data.draw(st.sampled_from((*sensible, *sensible, *BODIES)))
        [task] = self.run(self.desk.rows("SELECT * FROM department_task WHERE id = :id", id=task_id))
        side = DUTY_LEAD_G if command in ASKERS else task.owner_id
        who = data.draw(st.sampled_from((side, side, side, side, side, SALES, RND_LEAD, DUTY_LEAD_G)))
        role: Any = "dispatcher" if who in DUTY else "department"
        body = {"base_version": task.version - stale, **BODIES[command]}
        if task.version - stale < 1:
            return
        answer = self.run(
            self.desk.acting(who, role).post(f"/dispatch/department-tasks/{task_id}/{command}", json=body)
        )
        assert answer.status_code == self.expected(task, who, command, stale), answer.text
        if answer.status_code == 200 and command != "comments":
            self.follow(task_id, command)

    def expected(self, task: Any, who: UUID, command: str, stale: int) -> int:
        """By the oracle's own reading of the rules."""
        state = self.tasks[task.id]
        ours = who == task.owner_id or who in DEPARTMENT[task.department]
        if not ours and who not in DUTY:
            return 404
        if command != "comments":
            if not (who in DUTY if command in ASKERS else ours):
                return 403
            if (state, command) not in LEADS:
                return 409
            if stale:
                return 412
            if command == "reopen" and self.over:
                return 409
        return 200

    def follow(self, task_id: UUID, command: str) -> None:
        self.tasks[task_id] = LEADS[self.tasks[task_id], command]
        if task_id in self.blocks:
            if command == "reopen":
                self.waits = self.waits or "tasks"
            elif self.waits == "tasks" and not self.blocked():
                self.waits = None

    # --- Absence ---

    @rule(who=st.sampled_from((RND_LEAD, RND_DEVELOPER, SALES)))
    def go_on_leave(self, who: UUID) -> None:
        now = clock.now()
        body = {"person_id": str(who), "starts_at": now.isoformat()}
        ends = {"ends_at": (now + timedelta(days=1)).isoformat()}
        owned = self.owned()
        answer = self.run(
            self.desk.acting(DUTY_LEAD_G, "dispatcher").post("/dispatch/leave", json={**body, **ends})
        )
        assert answer.status_code in (201, 422), answer.text
        if answer.status_code == 201:
            self.away.add(who)
        self.moved(owned)

    @rule(data=st.data())
    def answer_again(self, data: st.DataObject) -> None:
        """Departments answer more often than anything else happens."""
        self.answer_one(data, 0)

    @rule(who=st.sampled_from((RND_DEVELOPER, LOGISTICS)))
    def leave_for_good_or_return(self, who: UUID) -> None:
        self.gone ^= {who}
        people = [each.model_copy(update={"active": each.id not in self.gone}) for each in SAMPLE.people]
        kept = [each for each in SAMPLE.departments if each.accountable not in self.gone]
        changes = {"people": tuple(people), "departments": tuple(kept)}
        document = Organisation.model_validate(SAMPLE.model_copy(update=changes).model_dump(mode="json"))
        [row] = self.run(self.desk.rows("SELECT version FROM organisation"))
        owned = self.owned()
        self.run(self.desk.put(document, row.version))
        self.moved(owned)

    def owned(self) -> dict[UUID, UUID]:
        return {row.id: row.owner_id for row in self.run(self.desk.rows("SELECT * FROM department_task"))}

    def moved(self, before: dict[UUID, UUID]) -> None:
        """Who gets a task that was somebody else's has not said yes yet."""
        for task_id, owner in self.owned().items():
            if owner != before[task_id]:
                assert self.tasks[task_id] in ("asked", "accepted")
                self.tasks[task_id] = "asked"

    # --- The oracle ---

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "tasks"):
            self.run(self.look())

    async def look(self) -> None:
        for what, query in WRONG.items():
            assert not await self.desk.admin.fetch(query, *([[*DUTY]] if "$1" in query else [])), what
        rows = await self.desk.admin.fetch("SELECT id, state, owner_id, department FROM department_task")
        assert {row["id"]: row["state"] for row in rows} == self.tasks
        for row in rows:
            if row["state"] in ("asked", "accepted"):
                assert row["owner_id"] in DEPARTMENT[row["department"]] | DUTY
        ticket = await self.desk.ticket(self.request)
        assert (ticket.state == "waiting") == (self.waits is not None), "waits for what it should not"
        assert await self.desk.violations() == {}


@pytest.fixture
def machine(postgres_url: str) -> Iterator[type[House]]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        desk = runner.run(stack.enter_async_context(dispatching(postgres_url)))
        yield type("House", (House,), {"desk": desk, "loop": runner})
        runner.run(stack.aclose())


def play(machine: type[House], examples: int, steps: int, *, same: bool = False) -> None:
    """Without shrinking, which takes minutes here: what failed is told step by step anyway."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=same,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_every_task_has_one_owner_and_a_ticket_waits_as_long_as_it_must(machine: type[House]) -> None:
    play(machine, examples=8, steps=20)


def test_a_service_that_forgets_to_let_tickets_go_on_is_noticed(
    machine: type[House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.tasks.actions._go_on", AsyncMock(return_value=()))
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        play(machine, examples=200, steps=20, same=True)
