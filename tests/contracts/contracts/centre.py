"""A dispatch centre on which everybody acts at random, for a state machine to play (R24, decision 9).

Dispatchers who act at the same moment, engineers on old pages and on phones that were away, customers, leave,
people who leave for good, requests that come twice, calls that are cut off in the middle, and processes that
die around a commit and are asked again. After each step the oracle looks.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any
from uuid import UUID

import httpx
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from contracts.centre_hands import (
    CHANCE,
    ENGINEERS,
    LEADS,
    MEETING,
    NEXT,
    SEVERITIES,
    WHEN,
    Hands,
    together,
)
from contracts.centre_oracle import MOST_OPEN, Oracle
from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    SAMPLE,
    SENIOR_C,
    dispatching,
    heard,
    person,
    reclassified,
    registered,
)
from contracts.dying import When
from dispatch.acceptance.actions import heed_silence
from dispatch.availability.actions import begin_leave
from dispatch.offers.actions import pass_on
from dispatch.organisation.actions import import_organisation
from dispatch.organisation.rules import Organisation
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events.intake import RequestMerged, RequestSolved
from shared.http.etag import Precondition
from shared.inbox import Receiver


class Centre(Hands):
    """Every step is taken by the service; then the oracle looks."""

    @initialize()
    def open(self) -> None:
        self.oracle = Oracle(self.desk.admin)
        self.sent: list[bytes] = []
        self.receiver = Receiver(self.desk.database, self.desk.service.consumers)
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
        self.oracle.asked.append(request_id)
        self.tell(heard(registered(severity, skills=(skill,)), request_id))

    def tell(self, *messages: bytes) -> None:
        self.sent += messages
        self.run(self.desk.receive(*messages))

    @rule(severity=st.sampled_from(SEVERITIES), when=WHEN)
    def ask_and_die(self, severity: str, when: When) -> None:
        """What the bus brings again because nobody took it off, or because the process died before it did."""
        request_id = uuid7()
        self.oracle.asked.append(request_id)
        message = heard(registered(severity, skills=("cooling",)), request_id)
        self.dies(lambda: self.desk.receive(message), when)
        self.tell(message)

    @rule(chance=CHANCE)
    def tell_again(self, chance: Random) -> None:
        if self.sent:
            self.tell(*chance.choices(self.sent, k=chance.randint(1, 3)))

    @rule(chance=CHANCE, severity=st.sampled_from(SEVERITIES), version=st.integers(2, 5))
    def judge_anew(self, chance: Random, severity: str, version: int) -> None:
        if self.oracle.asked:
            self.tell(heard(reclassified(severity), chance.choice(self.oracle.asked), version))

    @rule(chance=CHANCE)
    def merge(self, chance: Random) -> None:
        if len(self.oracle.asked) > 1:
            main, other = chance.sample(self.oracle.asked, 2)
            self.tell(heard(RequestMerged(main_id=main, by=person(24)), other, 9))

    @rule(chance=CHANCE)
    def solve(self, chance: Random) -> None:
        if self.oracle.asked:
            request_id = chance.choice(self.oracle.asked)
            solved = RequestSolved(request_id=request_id, solved_at=clock.now(), by=person(24))
            self.tell(heard(solved, request_id, 8))

    # --- People ---

    @rule(chance=CHANCE, stale=st.sampled_from((0, 0, 0, 2)))
    def work(self, chance: Random, stale: int) -> None:
        """The engineer does something, perhaps on an old page."""
        if ticket := self.ticket(chance, *NEXT):
            ticket.version = max(1, ticket.version - stale)
            self.sensible(self.run(self.next_of(chance, ticket)()))

    @rule(chance=CHANCE)
    def decline(self, chance: Random) -> None:
        if ticket := self.ticket(chance, "assigned"):
            declined = self.call(ticket.engineer_id, "engineer", ticket, "decline", reason="no time")
            self.sensible(self.run(declined))

    @rule(chance=CHANCE, hours=st.integers(1, 6))
    def agree(self, chance: Random, hours: int) -> None:
        if ticket := self.ticket(chance, *MEETING):
            self.sensible(self.run(self.visit(ticket, hours)))

    @rule(
        chance=CHANCE,
        people=st.lists(st.sampled_from(ENGINEERS), min_size=1, max_size=4),
        overrule=st.booleans(),
    )
    def assign_at_the_same_moment(self, chance: Random, people: list[UUID], overrule: bool) -> None:
        """Dispatchers who saw the same version: one of them wins at most."""
        if ticket := self.ticket(chance):
            calls = (
                self.assign(ticket, each, LEADS[n % 2], overrule=overrule) for n, each in enumerate(people)
            )
            answers = [self.sensible(each) for each in self.run(together(*calls))]
            assert answers.count(200) <= 1

    @rule(chance=CHANCE, who=st.sampled_from(ENGINEERS), hours=st.integers(1, 2))
    def do_everything_at_the_same_moment(self, chance: Random, who: UUID, hours: int) -> None:
        """On several tickets: all are given to one engineer, agreed for one hour, worked on, told of anew."""
        calls: list[Any] = []
        for ticket in self.tickets()[:5]:
            deed = chance.choice(("assign", "assign", "visit", "work", "tell", "nothing"))
            if deed == "assign":
                calls.append(self.assign(ticket, who, DUTY_LEAD_G, overrule=False))
            elif deed == "visit" and ticket.state in MEETING:
                calls.append(self.visit(ticket, hours))
            elif deed == "work" and ticket.state in NEXT:
                calls.append(self.next_of(chance, ticket)())
            elif deed == "tell":
                severity = chance.choice(SEVERITIES)
                self.sent.append(heard(reclassified(severity), ticket.request_id, 6))
                calls.append(self.receiver.receive(self.sent[-1:], "live"))
        for answer in self.run(together(*calls)):
            if answer is not None:
                self.sensible(answer)

    @rule(chance=CHANCE, command=st.sampled_from(("cancel", "reopen")))
    def end_or_begin_again(self, chance: Random, command: str) -> None:
        if ticket := self.ticket(chance):
            body = {"reason": "other", "note": "x"} if command == "cancel" else {"reason": "again"}
            sent = self.call(DUTY_LEAD_G, "dispatcher", ticket, command, **body)
            self.sensible(self.run(sent))

    @rule(chance=CHANCE, turns=st.integers(0, 60))
    def be_cut_off(self, chance: Random, turns: int) -> None:
        """A call that ends somewhere in the middle has done all of it, or nothing."""
        if ticket := self.ticket(chance, *NEXT):
            call = self.next_of(chance, ticket)

            async def cut() -> None:
                task = asyncio.ensure_future(call())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

            self.run(cut())

    @rule(chance=CHANCE, when=WHEN)
    def die_and_ask_again(self, chance: Random, when: When) -> None:
        """A command whose process dies around the commit is asked again with the same key: done once."""
        if ticket := self.ticket(chance, *NEXT):
            call = self.next_of(chance, ticket, key=str(uuid7()))
            if not self.dies(call, when):
                return
            [now] = [each for each in self.tickets() if each.id == ticket.id]
            assert (now.version > ticket.version) == (when == "after"), "half of a command was done"
            answer = self.run(call())
            self.sensible(answer)
            if when == "after":
                assert answer.headers.get("idempotent-replayed") == "true", "a command was done twice"
                assert answer.json()["version"] == now.version
                [then] = [each for each in self.tickets() if each.id == ticket.id]
                assert then == now, "a command was done twice"

    @rule(chance=CHANCE, twice=st.booleans(), when=st.none() | WHEN, nth=st.integers(0, 3))
    def come_back_with_a_phone(self, chance: Random, twice: bool, when: When | None, nth: int) -> None:
        """What was done without a network arrives twice at one moment, or where a process dies."""
        if ticket := self.ticket(chance, *NEXT):
            batch = {"sent_at": clock.now().isoformat(), "commands": self.deeds(chance, ticket)}
            phone = self.desk.acting(ticket.engineer_id, "engineer")
            if when:
                self.dies(lambda: phone.post("/dispatch/app/commands", json=batch), when, nth)
            calls = (phone.post("/dispatch/app/commands", json=batch) for _ in range(1 + twice))
            for answer in self.run(together(*calls)):
                assert answer.status_code == 200, answer.text
                for each in answer.json()["results"]:
                    place = ticket.engineer_id, each["id"]
                    assert self.oracle.brought.setdefault(place, each["outcome"]) == each["outcome"]
                    if each["outcome"] == "applied":
                        self.oracle.done.add((ticket.id, each["version"]))

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

    @rule(chance=CHANCE, verdict=st.sampled_from(("accept", "reject")))
    def judge_the_result(self, chance: Random, verdict: str) -> None:
        ticket = self.ticket(chance, "resolved")
        if ticket is None:
            return

        async def judge() -> httpx.Response:
            link = await self.desk.link_to(ticket.id)
            client = self.desk.served.client()
            page = (await client.get(link)).text
            proof = page.split('name="proof" value="')[1].split('"')[0]
            form = {"verdict": verdict, "proof": proof, "reason": "still loud"}
            return await client.post(link, data=form, headers={"origin": str(client.base_url).rstrip("/")})

        assert self.run(judge()).status_code in (200, 303, 409)

    @rule(minutes=st.sampled_from((6, 40, 300, 60 * 24 * 3)), when=st.none() | WHEN)
    def let_time_pass(self, minutes: int, when: When | None) -> None:
        """What is due is done, and done again where a process died of it."""
        self.now = max(self.now, clock.now()) + timedelta(minutes=minutes)
        address = self.desk.served.settings.public_url
        due: tuple[Callable[[Tx], Any], ...] = (
            lambda tx: pass_on(tx, self.now),
            lambda tx: begin_leave(tx, self.now),
            lambda tx: heed_silence(tx, self.now, address),
        )
        for work in due:
            if when:
                self.dies(partial(self.desk.database.transact, work), when)
            self.run(self.desk.database.transact(work))

    # --- The oracle ---

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "oracle"):
            type(self).looks += 1
            self.run(self.oracle.look())


@contextmanager
def playing(admin_url: str) -> Iterator[type[Centre]]:
    """The machine on a service of its own, in an event loop of its own: hypothesis is not asynchronous."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        desk = runner.run(stack.enter_async_context(dispatching(admin_url)))
        put = desk.acting("admin", "admin").put(
            "/dispatch/assignment/policy",
            json={"policy": {"most_open": MOST_OPEN}},
            headers={"if-match": '"0"'},
        )
        assert runner.run(put).status_code == 200
        yield type("Centre", (Centre,), {"desk": desk, "loop": runner})
        runner.run(stack.aclose())
