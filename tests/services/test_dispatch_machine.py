"""Whatever people, phones, the desk and time do: every ticket has one owner (R24, decision 9).

A state machine plays dispatchers who act at the same moment, engineers on old pages and on phones that were
away, customers, leave, people who leave for good, requests that come twice, and calls that are cut off in the
middle. After each step an oracle in plain SQL, which shares nothing with the service, says what must be so.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from unittest.mock import AsyncMock
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chaos.checkers import Report
from chaos.result import Result, versions
from contracts.dispatching import (
    DUTY_LEAD_G,
    EXPERT_D,
    JUNIOR_A,
    JUNIOR_B,
    LEADER_E,
    REPAIRED,
    SAMPLE,
    SENIOR_C,
    SUPERVISOR_F,
    Desk,
    dispatching,
    heard,
    person,
    reclassified,
    registered,
)
from dispatch.acceptance.actions import heed_silence
from dispatch.availability.actions import begin_leave
from dispatch.offers.actions import pass_on
from dispatch.organisation.actions import import_organisation
from dispatch.organisation.rules import Organisation
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events.intake import RequestMerged, RequestSolved
from shared.http.etag import Precondition

T = TypeVar("T")

ENGINEERS = (JUNIOR_A, JUNIOR_B, SENIOR_C, EXPERT_D, LEADER_E, SUPERVISOR_F)
LEADS = (DUTY_LEAD_G, person(16))
OBJECTIONS = (
    "away", "below_tier", "blocked", "busy", "certificate_expires", "declined", "full", "lacks_certificate",
    "lacks_skills", "off_shift", "other_product_line", "other_region",
)  # fmt: skip
PLAIN = ("accept", "depart", "arrive", "begin", "resume")
JOB = ("accept", "depart", "arrive", "begin", "resolve")
FULL: dict[str, dict[str, Any]] = {
    "decline": {"reason": "no time"},
    "pause": {"waiting_for": "customer"},
    "resolve": {"work_note": "done", "items": [*REPAIRED]},
    "parts": {"lines": [{"part_number": "belt", "quantity": 1}]},
    "inform": {"text": "we are at it"},
}
NEXT = {
    "assigned": ("accept", "accept", "decline"),
    "accepted": ("depart", "begin", "pause", "parts"),
    "visit_agreed": ("depart", "begin", "pause"),
    "travelling": ("arrive", "pause", "inform"),
    "on_site": ("begin", "resolve"),
    "working": ("resolve", "pause", "parts"),
    "waiting": ("resume",),
}
"""What makes sense in a state; now and then something else is tried."""
SEVERITIES = ("general", "important", "urgent")
PHONE = {"begin": "begin_work", "parts": "request_parts", "inform": "inform_customer"}
"""What a phone calls a command whose route is named otherwise."""

WRONG = {
    "an open ticket is owned by nobody who works here": """
        SELECT ticket.id FROM ticket LEFT JOIN person ON person.id = owner_id AND person.active
        WHERE state NOT IN ('closed', 'cancelled') AND person.id IS NULL""",
    "a request has no ticket or two": """
        SELECT asked.id FROM unnest($1::uuid[]) AS asked (id) LEFT JOIN ticket ON request_id = asked.id
        GROUP BY asked.id HAVING count(ticket.id) <> 1""",
    "two visits of one engineer overlap": """
        SELECT one.id FROM visit AS one
        JOIN visit AS two ON one.engineer_id = two.engineer_id AND one.id < two.id
        WHERE one.state = 'agreed' AND two.state = 'agreed'
          AND one.starts_at < two.ends_at AND two.starts_at < one.ends_at""",
    "somebody's load is not what they have": """
        SELECT person_id FROM capacity WHERE working <> (
            SELECT count(*) FROM ticket WHERE engineer_id = person_id AND state IN (
                'assigned', 'accepted', 'visit_agreed', 'travelling', 'on_site', 'working', 'waiting'))""",
    "what was told of a ticket has a gap": """
        SELECT subject FROM event_log
        WHERE type LIKE 'dispatch.%' AND subject IN (SELECT id::text FROM ticket)
        GROUP BY subject HAVING count(DISTINCT sequence) <> max(sequence)""",
    "what was told of a ticket is not its history": """
        SELECT id FROM ticket
        WHERE version <> (SELECT max(version) FROM history WHERE ticket_id = ticket.id)""",
}
"""Each finds what must not be there."""


class Centre(RuleBasedStateMachine):
    """Every step is taken by the service; then the oracle looks."""

    desk: ClassVar[Desk]
    loop: ClassVar[asyncio.Runner]
    looks: ClassVar[int] = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @initialize()
    def open(self) -> None:
        self.asked: list[UUID] = []
        self.sent: list[bytes] = []
        self.brought: dict[tuple[UUID, str], str] = {}
        self.gone: set[UUID] = set()
        self.now = clock.now()
        self.run(self.desk.clear())
        self.run(self.desk.put(SAMPLE, 0))
        self.ask("general", "cooling")
        self.ask("important", "electrical")

    # --- The desk ---

    @rule(severity=st.sampled_from(SEVERITIES), skill=st.sampled_from(("cooling", "electrical", "magic")))
    def ask(self, severity: str, skill: str) -> None:
        request_id = uuid7()
        self.asked.append(request_id)
        self.tell(heard(registered(severity, skills=(skill,)), request_id))

    def tell(self, *messages: bytes) -> None:
        self.sent += messages
        self.run(self.desk.receive(*messages))

    @rule(data=st.data())
    def tell_again(self, data: st.DataObject) -> None:
        if self.sent:
            self.tell(*data.draw(st.lists(st.sampled_from(self.sent), min_size=1, max_size=3)))

    @rule(data=st.data(), severity=st.sampled_from(SEVERITIES), version=st.integers(2, 5))
    def judge_anew(self, data: st.DataObject, severity: str, version: int) -> None:
        if self.asked:
            self.tell(heard(reclassified(severity), data.draw(st.sampled_from(self.asked)), version))

    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        if len(self.asked) > 1:
            main, other = data.draw(st.permutations(self.asked))[:2]
            self.tell(heard(RequestMerged(main_id=main, by=person(24)), other, 9))

    @rule(data=st.data())
    def solve(self, data: st.DataObject) -> None:
        if self.asked:
            request_id = data.draw(st.sampled_from(self.asked))
            solved = RequestSolved(request_id=request_id, solved_at=clock.now(), by=person(24))
            self.tell(heard(solved, request_id, 8))

    # --- People ---

    def ticket(self, data: st.DataObject) -> Any:
        """A ticket, the ones that live first; None where there is none."""
        rows = self.run(self.desk.rows("SELECT * FROM ticket ORDER BY state IN ('closed', 'cancelled'), id"))
        return data.draw(st.sampled_from(rows[:4])) if rows else None

    def command(self, data: st.DataObject, state: str) -> str:
        sensible, any_of_them = NEXT.get(state, ()), (*PLAIN, *FULL)
        return data.draw(st.sampled_from(sensible * 4 + any_of_them))

    def call(self, who: UUID, role: Any, ticket: Any, command: str, version: int, **body: Any) -> Any:
        path = f"/dispatch/tickets/{ticket.id}/{command}"
        return self.desk.acting(who, role).post(path, json={"base_version": version, **body})

    @rule(data=st.data(), stale=st.sampled_from((0, 0, 0, 2)))
    def work(self, data: st.DataObject, stale: int) -> None:
        """The engineer does what is next, or something that is not; perhaps on an old page."""
        if (ticket := self.ticket(data)) and ticket.engineer_id:
            command = self.command(data, ticket.state)
            version = max(1, ticket.version - stale)
            sent = self.call(
                ticket.engineer_id, "engineer", ticket, command, version, **FULL.get(command, {})
            )
            self.sensible(self.run(sent))

    @rule(data=st.data(), hours=st.integers(1, 6))
    def agree(self, data: st.DataObject, hours: int) -> None:
        ticket = self.ticket(data)
        if ticket and ticket.state in ("accepted", "visit_agreed", "on_site", "waiting"):
            begins = clock.now() + timedelta(hours=hours)
            visit = {"starts_at": begins.isoformat(), "ends_at": (begins + timedelta(hours=2)).isoformat()}
            sent = self.call(ticket.engineer_id, "engineer", ticket, "visits", ticket.version, **visit)
            self.sensible(self.run(sent))

    @rule(data=st.data(), people=st.lists(st.sampled_from(ENGINEERS), min_size=1, max_size=4))
    def assign_at_the_same_moment(self, data: st.DataObject, people: list[UUID]) -> None:
        """Dispatchers who saw the same version: one of them wins at most."""
        if ticket := self.ticket(data):

            async def all_of_them() -> list[httpx.Response]:
                known = {"reason": "because", "despite": OBJECTIONS}
                wishes = [{"person_id": str(each), **known} for each in people]
                calls = (
                    self.call(LEADS[n % 2], "dispatcher", ticket, "assign", ticket.version, **wish)
                    for n, wish in enumerate(wishes)
                )
                return list(await asyncio.gather(*calls))

            answers = [self.sensible(each) for each in self.run(all_of_them())]
            assert answers.count(200) <= 1

    @rule(data=st.data(), command=st.sampled_from(("cancel", "reopen")))
    def end_or_begin_again(self, data: st.DataObject, command: str) -> None:
        if ticket := self.ticket(data):
            body = {"reason": "other", "note": "x"} if command == "cancel" else {"reason": "again"}
            sent = self.call(DUTY_LEAD_G, "dispatcher", ticket, command, ticket.version, **body)
            self.sensible(self.run(sent))

    @rule(data=st.data(), turns=st.integers(0, 60))
    def be_cut_off(self, data: st.DataObject, turns: int) -> None:
        """A call that ends somewhere in the middle has done all of it, or nothing."""
        if (ticket := self.ticket(data)) and ticket.engineer_id:
            command = self.command(data, ticket.state)
            call = self.call(
                ticket.engineer_id, "engineer", ticket, command, ticket.version, **FULL.get(command, {})
            )

            async def cut() -> None:
                task = asyncio.ensure_future(call)
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

            self.run(cut())

    @rule(data=st.data(), together=st.booleans())
    def come_back_with_a_phone(self, data: st.DataObject, together: bool) -> None:
        """What was done without a network arrives, perhaps twice at the same moment."""
        if (ticket := self.ticket(data)) and ticket.engineer_id:
            names = [self.command(data, ticket.state) for _ in range(data.draw(st.integers(1, 3)))]
            names = data.draw(st.sampled_from((names, [*JOB])))
            deeds: list[dict[str, Any]] = []
            for name in names:
                basis = {"after": deeds[-1]["id"]} if deeds else {"base_version": ticket.version}
                deed = {"id": str(uuid7()), "ticket_id": str(ticket.id), "done_at": clock.now().isoformat()}
                deeds.append({**deed, **basis, "name": PHONE.get(name, name), "fields": FULL.get(name, {})})
            batch = {"sent_at": clock.now().isoformat(), "commands": deeds}
            phone = self.desk.acting(ticket.engineer_id, "engineer")

            async def bring() -> list[httpx.Response]:
                times = 2 if together else 1
                return await asyncio.gather(
                    *(phone.post("/dispatch/app/commands", json=batch) for _ in range(times))
                )

            for answer in self.run(bring()):
                assert answer.status_code == 200, answer.text
                for each in answer.json()["results"]:
                    place = ticket.engineer_id, each["id"]
                    assert self.brought.setdefault(place, each["outcome"]) == each["outcome"]

    def sensible(self, answer: httpx.Response) -> int:
        """Done, or refused for a reason that can be told; its status."""
        assert answer.status_code in (200, 403, 404, 409, 412, 422), answer.text
        assert answer.is_success or answer.json()["type"].startswith("/problems/")
        return answer.status_code

    # --- Absence ---

    @rule(who=st.sampled_from(ENGINEERS), days=st.integers(1, 3))
    def go_on_leave(self, who: UUID, days: int) -> None:
        now = clock.now()
        leave = {"person_id": str(who), "starts_at": now.isoformat()}
        body = {**leave, "ends_at": (now + timedelta(days=days)).isoformat()}
        answer = self.run(self.desk.acting(DUTY_LEAD_G, "dispatcher").post("/dispatch/leave", json=body))
        assert answer.status_code in (201, 403, 404, 409, 422), answer.text

    @rule(who=st.sampled_from((JUNIOR_A, JUNIOR_B, SENIOR_C)))
    def leave_for_good_or_return(self, who: UUID) -> None:
        self.gone ^= {who}
        people = [each.model_copy(update={"active": each.id not in self.gone}) for each in SAMPLE.people]
        document = Organisation.model_validate(
            SAMPLE.model_copy(update={"people": tuple(people)}).model_dump(mode="json")
        )

        async def put(tx: Tx) -> None:
            [row] = await self.desk.rows("SELECT version FROM organisation")
            await import_organisation(tx, document, Precondition(frozenset({str(row.version)})), "admin")

        self.run(self.desk.database.transact(put))

    # --- The customer, and time ---

    @rule(data=st.data(), verdict=st.sampled_from(("accept", "reject")))
    def judge_the_result(self, data: st.DataObject, verdict: str) -> None:
        ticket = self.ticket(data)
        if ticket is None or ticket.state != "resolved":
            return

        async def judge() -> httpx.Response:
            link = await self.desk.link_to(ticket.id)
            client = self.desk.served.client()
            page = (await client.get(link)).text
            proof = page.split('name="proof" value="')[1].split('"')[0]
            form = {"verdict": verdict, "proof": proof, "reason": "still loud"}
            return await client.post(link, data=form, headers={"origin": str(client.base_url).rstrip("/")})

        assert self.run(judge()).status_code in (200, 303, 409)

    @rule(minutes=st.sampled_from((6, 40, 300, 60 * 24 * 3)))
    def let_time_pass(self, minutes: int) -> None:
        self.now = max(self.now, clock.now()) + timedelta(minutes=minutes)
        address = self.desk.served.settings.public_url
        self.run(self.desk.database.transact(lambda tx: pass_on(tx, self.now)))
        self.run(self.desk.database.transact(lambda tx: begin_leave(tx, self.now)))
        self.run(self.desk.database.transact(lambda tx: heed_silence(tx, self.now, address)))

    # --- The oracle ---

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "asked"):
            type(self).looks += 1
            self.run(self.look())

    async def look(self) -> None:
        for what, query in WRONG.items():
            found = await self.desk.admin.fetch(query, *([self.asked] if "$1" in query else []))
            assert not found, what
        rows = await self.desk.admin.fetch("SELECT person, id, outcome FROM phone_command")
        kept = {(UUID(row["person"]), str(row["id"])): row["outcome"] for row in rows}
        assert kept == self.brought, "a phone was told something else than what is kept"
        assert await self.desk.violations() == {}


@pytest.fixture
def machine(postgres_url: str) -> Iterator[type[Centre]]:
    """The machine on a service of its own, in an event loop of its own: hypothesis is not asynchronous."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        desk = runner.run(stack.enter_async_context(dispatching(postgres_url)))
        yield type("Centre", (Centre,), {"desk": desk, "loop": runner})
        runner.run(stack.aclose())


def play(machine: type[Centre], examples: int, steps: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize=Phase.shrink not in phases,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_every_ticket_has_one_owner_whatever_happens(machine: type[Centre]) -> None:
    play(machine, examples=10, steps=30)


CLAIM = """Dispatchers who act at the same moment, engineers on old pages and on phones that were away,
customers, leave, people who go for good, requests told twice, calls cut off in the middle, and time: after
every step each open ticket has one owner who works here, each request one ticket, no engineer two visits at
once, every load is what it is counted to be, every version of a ticket was told, and every command of a phone
has had one answer that is kept."""


@pytest.mark.proof
def test_every_ticket_has_one_owner_whatever_happens_for_long(machine: type[Centre]) -> None:
    drawn, begun, wrong = secrets.randbits(32), time.monotonic(), list[str]()
    try:
        play(seed(drawn)(machine), examples=1600, steps=50)
    except (AssertionError, BaseExceptionGroup) as error:
        wrong.append(str(error))
    report = Report("the oracle after each step", machine.looks, +Counter(wrong=len(wrong)), tuple(wrong))
    found = machine.loop.run(versions(machine.desk.admin, None))
    counts = {"steps": machine.looks}
    result = Result("dispatch", CLAIM, [drawn], found, counts, time.monotonic() - begun, [report])
    result.write(Path(__file__).parents[2] / "docs/proofs")
    report.assert_clean()
    assert machine.looks >= 50_000


def test_a_service_that_counts_nobodys_load_is_noticed(
    machine: type[Centre], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatch.tickets.store.shift_loads", AsyncMock())
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        play(machine, examples=20, steps=10, phases=[Phase.generate])
