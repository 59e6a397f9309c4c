"""Requests and closed tickets in, holds and events out, on a real database."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.hearing import Hearing, hearing, told_event
from parts.app import service
from parts.catalogue.actions import save_catalogue
from parts.invariants import _VIOLATIONS, invariants
from parts.requisitions.actions import use
from parts.requisitions.loops import release_expired, serve_waiting
from parts.requisitions.store import lock_one
from parts.stock.actions import receive_delivery
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.errors import Outage
from shared.events.dispatch import PartsRequested, TicketCancelled, TicketClosed
from shared.events.terms import PartLine, Site

ENGINEER = UUID(int=1)
SITE = Site(region="east", city="shanghai")


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as parts:
        yield parts


@pytest_asyncio.fixture
async def parts(running: Hearing) -> AsyncIterator[Hearing]:
    """Two parts and one warehouse, nothing on its shelves; nothing may be wrong when a test is done."""
    await empty(
        running.admin,
        "part, warehouse, movement, balance, requisition, requisition_line, closed_ticket,"
        " event_log, inbox, parked, dead_letter",
    )
    names = {"PUMP-7": ("Pump", "泵"), "SEAL-2": ("Seal", "密封圈")}
    await running.database.transact(lambda tx: save_catalogue(tx, names, {"SH-1": "shanghai"}))
    yield running
    async with running.database.transaction() as tx:
        assert (await invariants(tx)).total == 0


async def deliver(parts: Hearing, **lines: int) -> None:
    pieces = [(part.replace("_", "-").upper(), quantity) for part, quantity in lines.items()]
    await parts.database.transact(lambda tx: receive_delivery(tx, "SH-1", pieces, "PO-1"))


def request(
    ticket: UUID, requisition: UUID, *lines: tuple[str, int], version: int = 5, centre: str = "shanghai"
) -> bytes:
    payload = PartsRequested(
        requisition_id=requisition,
        engineer_id=ENGINEER,
        centre=centre,
        lines=tuple(PartLine(part_number=part, quantity=quantity) for part, quantity in lines),
    )
    return told_event(payload, subject=ticket, version=version)


def close(ticket: UUID, *, version: int, episode: int = 1) -> bytes:
    payload = TicketClosed(
        request_id=UUID(int=9), customer_id=UUID(int=8), engineer_id=ENGINEER, reason="accepted",
        severity="general", site=SITE, episode=episode,
    )  # fmt: skip
    return told_event(payload, subject=ticket, version=version)


async def shelf(parts: Hearing, part: str = "PUMP-7") -> tuple[int, int]:
    row = await parts.admin.fetchrow("SELECT on_hand, reserved FROM balance WHERE part_number = $1", part)
    return (row["on_hand"], row["reserved"]) if row else (0, 0)


async def state(parts: Hearing, requisition: UUID) -> str | None:
    found: str | None = await parts.admin.fetchval("SELECT state FROM requisition WHERE id = $1", requisition)
    return found


async def words(parts: Hearing, requisition: UUID) -> list[tuple[str, int]]:
    return [(name, sequence) for name, sequence, _ in await parts.told(requisition)]


async def test_what_is_there_is_held_and_told(parts: Hearing) -> None:
    await deliver(parts, pump_7=5)
    ticket, requisition = uuid7(), uuid7()
    await parts.receive(request(ticket, requisition, ("PUMP-7", 2)))
    ((name, sequence, data),) = await parts.told(requisition)
    assert (name, sequence) == ("parts_reserved", 1)
    assert (data["ticket_id"], data["warehouse"]) == (str(ticket), "SH-1")
    assert data["lines"] == [{"part_number": "PUMP-7", "quantity": 2}]
    assert await shelf(parts) == (5, 2)


async def test_what_is_missing_is_told_and_nothing_is_held(parts: Hearing) -> None:
    await deliver(parts, pump_7=5)
    requisition = uuid7()
    await parts.receive(request(uuid7(), requisition, ("PUMP-7", 7), ("SEAL-2", 1), ("SEAL-2", 2)))
    ((name, _, data),) = await parts.told(requisition)
    assert name == "parts_short"
    missing = {line["part_number"]: line["quantity"] for line in data["missing"]}
    assert missing == {"PUMP-7": 2, "SEAL-2": 3}  # a line that stands twice is wanted twice
    assert await shelf(parts) == (5, 0)


async def test_an_unknown_part_and_an_unknown_centre_are_short(parts: Hearing) -> None:
    await deliver(parts, pump_7=5)
    unknown_part, unknown_centre, nothing = uuid7(), uuid7(), uuid7()
    await parts.receive(
        request(uuid7(), unknown_part, ("NOPE", 1)),
        request(uuid7(), unknown_centre, ("PUMP-7", 1), centre="nowhere"),
        request(uuid7(), nothing),
    )
    assert [await state(parts, each) for each in (unknown_part, unknown_centre)] == ["short", "short"]
    assert await shelf(parts) == (5, 0)


async def test_one_request_told_twice_holds_once(parts: Hearing) -> None:
    await deliver(parts, pump_7=5)
    ticket, requisition = uuid7(), uuid7()
    asked = request(ticket, requisition, ("PUMP-7", 2))
    await parts.receive(asked, asked)
    await parts.receive(asked)
    await parts.receive(request(ticket, requisition, ("PUMP-7", 2)))  # another event, the same requisition
    assert await words(parts, requisition) == [("parts_reserved", 1)]
    assert await shelf(parts) == (5, 2)


async def test_closing_a_ticket_gives_back_what_it_held_and_ends_what_it_waited_for(parts: Hearing) -> None:
    await deliver(parts, pump_7=5)
    ticket, held, short = uuid7(), uuid7(), uuid7()
    await parts.receive(
        request(ticket, held, ("PUMP-7", 2)), request(ticket, short, ("PUMP-7", 9), version=6)
    )
    await parts.receive(close(ticket, version=9))
    assert await words(parts, held) == [("parts_reserved", 1), ("parts_released", 2)]
    assert await words(parts, short) == [("parts_short", 1), ("parts_released", 2)]
    assert await shelf(parts) == (5, 0)


async def test_a_cancelled_ticket_needs_no_parts_any_more(parts: Hearing) -> None:
    await deliver(parts, pump_7=5)
    ticket, requisition = uuid7(), uuid7()
    await parts.receive(request(ticket, requisition, ("PUMP-7", 2), version=5))
    cancelled = TicketCancelled(
        request_id=UUID(int=9), customer_id=UUID(int=8), reason="withdrawn", severity="general",
        site=SITE, episode=1,
    )  # fmt: skip
    await parts.receive(told_event(cancelled, subject=ticket, version=6))
    assert (await state(parts, requisition), await shelf(parts)) == ("released", (5, 0))


async def test_a_request_told_after_the_close_of_its_ticket_holds_nothing(parts: Hearing) -> None:
    await deliver(parts, pump_7=5)
    ticket, requisition = uuid7(), uuid7()
    await parts.receive(close(ticket, version=9))
    await parts.receive(request(ticket, requisition, ("PUMP-7", 2), version=5))
    ((name, _, data),) = await parts.told(requisition)
    assert (name, data["reason"]) == ("parts_released", "ticket_closed")
    assert await shelf(parts) == (5, 0)


async def test_an_old_close_told_late_leaves_the_next_episode_alone(parts: Hearing) -> None:
    await deliver(parts, pump_7=5)
    ticket, first, second = uuid7(), uuid7(), uuid7()
    await parts.receive(
        request(ticket, second, ("PUMP-7", 1), version=12), request(ticket, first, ("PUMP-7", 1), version=5)
    )
    await parts.receive(close(ticket, version=9))
    assert [await state(parts, each) for each in (first, second)] == ["released", "held"]
    await parts.receive(close(ticket, version=7))  # older still: it must not forget the newer one
    late = uuid7()
    await parts.receive(request(ticket, late, ("PUMP-7", 1), version=8))
    assert await state(parts, late) == "released"


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_and_any_repetition_ends_the_same(parts: Hearing, seed: int) -> None:
    chance = random.Random(seed)
    await deliver(parts, pump_7=50)
    tickets = [uuid7() for _ in range(6)]
    asked = {uuid7(): (ticket, version) for ticket in tickets for version in (3, 4, 8)}
    messages = [request(ticket, id, ("PUMP-7", 1), version=at) for id, (ticket, at) in asked.items()]
    messages += [close(ticket, version=6) for ticket in tickets]
    messages += chance.choices(messages, k=8)
    chance.shuffle(messages)
    for at in range(0, len(messages), 5):
        await parts.receive(*messages[at : at + 5])
    for id, (_, version) in asked.items():
        assert await state(parts, id) == ("held" if version == 8 else "released")
    assert await shelf(parts) == (50, 6)


async def test_the_number_of_statements_does_not_grow_with_the_list(parts: Hearing) -> None:
    await deliver(parts, pump_7=500, seal_2=500)

    async def statements(count: int) -> tuple[int, int]:
        tickets = [uuid7() for _ in range(count)]
        # In each list one is held, one is short and one comes too late.
        asked = [request(each, uuid7(), ("PUMP-7", 1), ("SEAL-2", 2)) for each in tickets]
        asked += [request(each, uuid7(), ("PUMP-7", 9_999)) for each in tickets]
        with parts.statements() as asking:
            await parts.receive(*asked)
        with parts.statements() as closing:
            await parts.receive(*(close(each, version=9) for each in tickets))
        return len(asking), len(closing)

    assert await statements(1) == await statements(60)


async def test_of_two_hundred_at_once_exactly_fifty_get_the_fifty_pieces(parts: Hearing) -> None:
    await deliver(parts, pump_7=50)  # F17, C7
    asked = {uuid7(): uuid7() for _ in range(200)}
    messages = [request(ticket, id, ("PUMP-7", 1)) for id, ticket in asked.items()]
    replicas = [parts.replica(pool_size=20) for _ in range(2)]

    async def bring(message: bytes, to: int) -> None:
        """As a bus does: until it is taken."""
        while True:
            with suppress(Outage):
                return await replicas[to].receive([message], "live")

    again = [bring(message, 1 - at % 2) for at, message in enumerate(messages) if at % 5 == 0]
    await asyncio.gather(*(bring(message, at % 2) for at, message in enumerate(messages)), *again)
    for replica in replicas:
        await replica.database.close()
    assert await parts.admin.fetchval("SELECT count(*) FROM parked") == 0
    assert await parts.admin.fetchval("SELECT count(*) FROM requisition WHERE state = 'held'") == 50
    assert await parts.admin.fetchval("SELECT count(*) FROM requisition") == 200
    assert await shelf(parts) == (50, 50)


async def test_uses_and_closes_at_once_on_several_shelves_do_not_lose_a_piece(parts: Hearing) -> None:
    await deliver(parts, pump_7=40, seal_2=40)
    tickets = {uuid7(): uuid7() for _ in range(30)}
    await parts.receive(
        *(request(ticket, id, ("PUMP-7", 1), ("SEAL-2", 1)) for ticket, id in tickets.items())
    )

    async def used(requisition: UUID) -> bool:
        async def attempt(tx: Tx) -> bool:
            found = await lock_one(tx, requisition)
            if found.state == "held":
                await use(tx, found)
            return found.state == "held"

        return await parts.database.transact(attempt)

    replica = parts.replica(pool_size=8)
    closes = asyncio.gather(
        *(replica.receive([close(ticket, version=9)], "live") for ticket in reversed(tickets))
    )
    uses = await asyncio.gather(*(used(id) for id in tickets.values()))
    await closes
    await replica.database.close()
    gone = sum(uses)
    assert await shelf(parts, "PUMP-7") == await shelf(parts, "SEAL-2") == (40 - gone, 0)


async def tick(parts: Hearing, later: timedelta = timedelta()) -> None:
    """Both loops, as long as they say that there may be more."""
    now = clock.now() + later
    while await parts.database.transact(lambda tx: release_expired(tx, now)):
        pass
    while await parts.database.transact(lambda tx: serve_waiting(tx, now)):
        pass


async def test_a_hold_nobody_comes_for_runs_out(parts: Hearing) -> None:
    await deliver(parts, pump_7=5)
    requisition = uuid7()
    await parts.receive(request(uuid7(), requisition, ("PUMP-7", 2)))
    await tick(parts, timedelta(days=6))
    assert await shelf(parts) == (5, 2)
    await tick(parts, timedelta(days=8))
    assert await shelf(parts) == (5, 0)
    name, sequence, data = (await parts.told(requisition))[-1]
    assert (name, sequence, data["reason"]) == ("parts_released", 2, "expired")


async def test_more_holds_than_one_transaction_takes_run_out(
    parts: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parts.requisitions.loops.MOST", 2)
    await deliver(parts, pump_7=5)
    await parts.receive(*(request(uuid7(), uuid7(), ("PUMP-7", 1)) for _ in range(5)))
    await tick(parts, timedelta(days=8))
    assert await shelf(parts) == (5, 0)


async def test_who_waits_is_served_when_parts_arrive_the_oldest_first(parts: Hearing) -> None:
    asked: Sequence[UUID] = [uuid7() for _ in range(3)]
    quantities = (4, 9, 4)
    await parts.receive(
        *(request(uuid7(), id, ("PUMP-7", n)) for id, n in zip(asked, quantities, strict=True))
    )
    await tick(parts)
    assert [await state(parts, each) for each in asked] == ["short", "short", "short"]
    await deliver(parts, pump_7=8)
    await tick(parts)
    assert [await state(parts, each) for each in asked] == ["held", "short", "held"]
    assert await words(parts, asked[0]) == [("parts_short", 1), ("parts_reserved", 2)]
    assert await words(parts, asked[1]) == [("parts_short", 1)]


async def test_the_oldest_is_served_first_when_all_fit_alone_but_not_together(parts: Hearing) -> None:
    asked = [uuid7() for _ in range(3)]
    await parts.receive(*(request(uuid7(), id, ("PUMP-7", 3)) for id in asked))
    await deliver(parts, pump_7=4)
    await tick(parts)
    assert [await state(parts, each) for each in asked] == ["held", "short", "short"]


@pytest.mark.parametrize(
    ("break_it", "violated"),
    [
        ("UPDATE balance SET on_hand = on_hand + 1", "shelves_unlike_the_ledger"),
        ("UPDATE balance SET reserved = reserved - 1", "shelves_unlike_what_is_held"),
        ("UPDATE balance SET reserved = on_hand + 1", "shelves_promised_twice"),
        ("UPDATE balance SET on_hand = -1", "shelves_below_zero"),
        ("UPDATE requisition SET state = 'used'", "uses_unlike_the_ledger"),
        ("UPDATE movement SET part_number = 'SEAL-2'", "shelves_unlike_the_ledger"),
        (
            "INSERT INTO closed_ticket SELECT ticket_id, 99 FROM requisition",
            "requisitions_open_after_their_ticket",
        ),
    ],
)
async def test_what_is_wrong_is_counted_once_no_constraint_prevents_it(
    parts: Hearing, break_it: str, violated: str
) -> None:
    await deliver(parts, pump_7=5)
    await parts.receive(request(uuid7(), uuid7(), ("PUMP-7", 2)))
    transaction = parts.admin.transaction()
    await transaction.start()
    try:
        # The constraints are gone in this transaction only, and the count is read in it too.
        for table in ("balance", "requisition", "movement"):
            names = await parts.admin.fetch(
                "SELECT conname FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c'", table
            )
            for name in names:
                await parts.admin.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name["conname"]}"')
        await parts.admin.execute(break_it)
        counts = dict(await parts.admin.fetchrow(str(_VIOLATIONS)))
    finally:
        await transaction.rollback()
    assert counts[violated] > 0


@pytest.mark.parametrize(
    "break_it",
    [
        "UPDATE balance SET reserved = on_hand + 1",
        "UPDATE balance SET on_hand = -1, reserved = 0",
        "UPDATE requisition SET held_until = NULL",
        "UPDATE requisition SET warehouse = NULL",
        "INSERT INTO movement VALUES (gen_random_uuid(), 'SH-1', 'PUMP-7', 'used', 1, 'x')",
        "INSERT INTO warehouse VALUES ('SH-2', 'shanghai')",
    ],
)
async def test_the_database_itself_refuses_what_must_never_be(parts: Hearing, break_it: str) -> None:
    await deliver(parts, pump_7=5)
    await parts.receive(request(uuid7(), uuid7(), ("PUMP-7", 2)))
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await parts.admin.execute(break_it)
