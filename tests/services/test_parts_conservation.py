"""Received = on hand + used, and held ≤ on hand, whatever happens in whatever order (C7).

A state machine plays storekeepers, engineers, dispatch and time against the real service; an oracle of a few
dictionaries, which shares no code with it, says after each step what must lie where.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, TypeVar
from unittest.mock import AsyncMock
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chaos.databases import empty
from contracts.hearing import Hearing, hearing, told_event
from parts.app import service
from parts.catalogue.actions import save_catalogue
from parts.invariants import invariants
from parts.requisitions import actions, loops, store
from parts.stock.actions import receive_delivery
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events.dispatch import PartsRequested, TicketClosed
from shared.events.terms import PartLine, Site

T = TypeVar("T")

ENGINEER = UUID(int=1)
WAREHOUSES = {"shanghai": "SH-1", "chengdu": "CD-1"}
PARTS = ("PUMP-7", "SEAL-2")
TICKETS = tuple(UUID(int=7 << 76 | 2 << 62 | number) for number in range(1, 4))
LINES = st.dictionaries(st.sampled_from(PARTS), st.integers(1, 6), min_size=1)


@dataclass
class Asked:
    """What the oracle knows of one requisition."""

    ticket: UUID
    version: int
    warehouse: str
    lines: dict[str, int]
    state: str = "short"
    changes: int = 1


class Oracle:
    """What must be so, by counting on fingers."""

    def __init__(self) -> None:
        self.received: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.used: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.asked: dict[UUID, Asked] = {}
        self.closed: dict[UUID, int] = {}

    def held(self, shelf: tuple[str, str]) -> int:
        return sum(
            each.lines.get(shelf[1], 0)
            for each in self.asked.values()
            if each.state == "held" and each.warehouse == shelf[0]
        )

    def fits(self, asked: Asked) -> bool:
        shelves = {(asked.warehouse, part): quantity for part, quantity in asked.lines.items()}
        return all(
            self.received[shelf] - self.used[shelf] - self.held(shelf) >= quantity
            for shelf, quantity in shelves.items()
        )

    def move(self, asked: Asked, state: str) -> None:
        asked.state = state
        asked.changes += 1

    def ask(self, id: UUID, asked: Asked) -> None:
        self.asked[id] = asked
        if asked.version < self.closed.get(asked.ticket, 0):
            asked.state = "released"
        elif self.fits(asked):
            asked.state = "held"

    def close(self, ticket: UUID, version: int) -> None:
        self.closed[ticket] = max(version, self.closed.get(ticket, 0))
        for each in self.asked.values():
            if each.ticket == ticket and each.version < version and each.state in ("held", "short"):
                self.move(each, "released")

    def use(self, id: UUID) -> bool:
        each = self.asked[id]
        if each.state != "held":
            return False
        for part, quantity in each.lines.items():
            self.used[each.warehouse, part] += quantity
        self.move(each, "used")
        return True

    def give_back(self, id: UUID) -> bool:
        each = self.asked[id]
        if each.state not in ("held", "short"):
            return False
        self.move(each, "released")
        return True

    def run_out(self) -> None:
        for each in self.asked.values():
            if each.state == "held":
                self.move(each, "released")

    def serve(self) -> None:
        for id in sorted(self.asked):
            if self.asked[id].state == "short" and self.fits(self.asked[id]):
                self.move(self.asked[id], "held")


class Storehouse(RuleBasedStateMachine):
    """Every step is taken by the service and by the oracle."""

    parts: ClassVar[Hearing]
    loop: ClassVar[asyncio.Runner]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    @initialize()
    def open(self) -> None:
        self.oracle = Oracle()
        self.sent: list[bytes] = []
        self.run(self.clear())

    async def clear(self) -> None:
        await empty(
            self.parts.admin,
            "part, warehouse, movement, balance, requisition, requisition_line, closed_ticket,"
            " event_log, inbox, parked, dead_letter",
        )
        names = {part: (part, part) for part in PARTS}
        centres = {code: centre for centre, code in WAREHOUSES.items()}
        await self.parts.database.transact(lambda tx: save_catalogue(tx, names, centres))

    @rule(centre=st.sampled_from(sorted(WAREHOUSES)), part=st.sampled_from(PARTS), pieces=st.integers(1, 9))
    def deliver(self, centre: str, part: str, pieces: int) -> None:
        code = WAREHOUSES[centre]
        self.run(
            self.parts.database.transact(lambda tx: receive_delivery(tx, code, [(part, pieces)], "PO-1"))
        )
        self.oracle.received[code, part] += pieces

    @rule(
        ticket=st.sampled_from(TICKETS),
        centre=st.sampled_from(sorted(WAREHOUSES)),
        version=st.integers(1, 9),
        lines=LINES,
    )
    def ask(self, ticket: UUID, centre: str, version: int, lines: dict[str, int]) -> None:
        id = uuid7()
        wanted = tuple(PartLine(part_number=part, quantity=quantity) for part, quantity in lines.items())
        payload = PartsRequested(requisition_id=id, engineer_id=ENGINEER, centre=centre, lines=wanted)
        self.tell(told_event(payload, subject=ticket, version=version))
        self.oracle.ask(id, Asked(ticket, version, WAREHOUSES[centre], lines))

    @rule(ticket=st.sampled_from(TICKETS), version=st.integers(1, 9))
    def close(self, ticket: UUID, version: int) -> None:
        payload = TicketClosed(
            request_id=ticket, customer_id=ticket, engineer_id=ENGINEER, reason="accepted",
            severity="general", site=Site(region="east", city="shanghai"), episode=1,
        )  # fmt: skip
        self.tell(told_event(payload, subject=ticket, version=version))
        self.oracle.close(ticket, version)

    @rule(data=st.data())
    def tell_again(self, data: st.DataObject) -> None:
        if self.sent:
            self.tell(data.draw(st.sampled_from(self.sent)))

    def tell(self, message: bytes) -> None:
        self.sent.append(message)
        self.run(self.parts.receive(message))

    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        self.attempt(data, actions.use, self.oracle.use)

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        self.attempt(data, actions.give_back, self.oracle.give_back)

    def attempt(self, data: st.DataObject, act: Any, expect: Any) -> None:
        if not self.oracle.asked:
            return
        id = data.draw(st.sampled_from(sorted(self.oracle.asked)))

        async def work(tx: Tx) -> bool:
            found = await store.lock_one(tx, id)
            try:
                await act(tx, found)
            except (actions.NotHeld, actions.NotWaitedFor):
                return False
            return True

        assert self.run(self.parts.database.transact(work)) == expect(id)

    @rule()
    def wait_until_holds_run_out(self) -> None:
        later = clock.now() + timedelta(days=8)
        self.run(self.parts.database.transact(lambda tx: loops.release_expired(tx, later)))
        self.oracle.run_out()

    @rule()
    def serve_who_waits(self) -> None:
        async def work() -> None:
            while await self.parts.database.transact(lambda tx: loops.serve_waiting(tx, tx.now)):
                pass

        self.run(work())
        self.oracle.serve()

    @invariant()
    def everything_lies_where_the_oracle_says(self) -> None:
        if hasattr(self, "oracle"):
            self.run(self.compare())

    async def compare(self) -> None:
        oracle, admin = self.oracle, self.parts.admin
        for row in await admin.fetch("SELECT warehouse, part_number, on_hand, reserved FROM balance"):
            shelf = (row["warehouse"], row["part_number"])
            assert row["on_hand"] == oracle.received[shelf] - oracle.used[shelf]
            assert row["reserved"] == oracle.held(shelf) <= row["on_hand"]
        found = await admin.fetch("SELECT id, state, version FROM requisition")
        assert {row["id"]: (row["state"], row["version"]) for row in found} == {
            id: (each.state, each.changes) for id, each in oracle.asked.items()
        }
        told = await admin.fetch(
            "SELECT subject, array_agg(sequence ORDER BY id) AS s FROM event_log GROUP BY 1"
        )
        assert {UUID(row["subject"]): row["s"] for row in told} == {
            id: list(range(1, each.changes + 1)) for id, each in oracle.asked.items()
        }
        async with self.parts.database.transaction() as tx:
            assert (await invariants(tx)).total == 0


@pytest.fixture
def machine(postgres_url: str) -> Iterator[type[Storehouse]]:
    """The machine on a service of its own, in an event loop of its own: hypothesis is not asynchronous."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        parts = runner.run(stack.enter_async_context(hearing(postgres_url, service)))
        yield type("Storehouse", (Storehouse,), {"parts": parts, "loop": runner})
        runner.run(stack.aclose())


def play(machine: type[Storehouse], examples: int, phases: Sequence[Phase] = tuple(Phase)) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            database=None,
            derandomize=Phase.shrink not in phases,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_piece_is_lost_or_promised_twice(machine: type[Storehouse]) -> None:
    play(machine, examples=12)


@pytest.mark.proof
def test_no_piece_is_lost_or_promised_twice_for_long(machine: type[Storehouse]) -> None:
    play(machine, examples=500)


def test_a_service_that_forgets_what_it_held_is_noticed(
    machine: type[Storehouse], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parts.stock.store.change_reserved", AsyncMock())
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        play(machine, examples=100, phases=[Phase.generate])
