"""R27, R62: customers hear how it goes at the cadence of the policy: each time somebody is reminded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.clocking import HOUR, LEAD, SECOND, TEN, Desk, clocking, opened
from contracts.promising import begin_anew, promise, shipped, version_two
from shared.clock import uuid7
from shared.events.dispatch import CustomerInformed, TicketResolved

TELLS = CustomerInformed(by=LEAD)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    await begin_anew(running)
    return running


async def as_policy_has_it(desk: Desk, own: str | None) -> None:
    if own is not None:
        body = shipped()
        for case in promise(body, "progress")["cases"]:
            case["target"]["length"] = own
        await version_two(desk, body)


@pytest.mark.parametrize(("own", "cadence"), [(None, 2 * HOUR), ("PT40M", timedelta(minutes=40))])
async def test_the_owner_is_reminded_before_each_time_and_missed_when_silent(
    desk: Desk, own: str | None, cadence: timedelta
) -> None:
    """An urgent ticket: two hours as it ships, forty minutes as a house has it."""
    await as_policy_has_it(desk, own)
    ticket, heard_at = uuid7(), TEN + HOUR
    await desk.happen(ticket, opened("urgent"), heard_at)
    warnings: list[tuple[datetime, str]] = []
    for number in range(1, 4):
        await desk.tick(heard_at + cadence * 3 / 4 - SECOND, dispatch=heard_at + cadence)
        assert len(await reminded(desk, ticket)) == number - 1
        await desk.tick(heard_at + cadence * 3 / 4, dispatch=heard_at + cadence)
        warnings = await reminded(desk, ticket)
        assert warnings[-1] == (heard_at + cadence, str(LEAD))  # by when, and whom
        assert len(warnings) == number
        heard_at += cadence * 5 / 6  # the owner tells the customer, and it begins anew
        await desk.happen(ticket, TELLS, heard_at)
    words = await desk.words(ticket, "progress")
    assert (words.count("met"), words.count("breached")) == (3, 0)
    due = heard_at + cadence
    await desk.tick(due, dispatch=due)
    assert "breached" not in await desk.words(ticket, "progress"), "in time until its very last moment"
    await desk.tick(due + SECOND, dispatch=due + SECOND)
    assert (await desk.words(ticket, "progress")).count("breached") == 1


async def test_nobody_is_reminded_while_the_customer_tries_the_result(desk: Desk) -> None:
    ticket = uuid7()
    await desk.happen(ticket, opened("urgent"), TEN)
    done = TicketResolved(request_id=uuid7(), customer_id=uuid7(), engineer_id=LEAD, episode=1)
    await desk.happen(ticket, done, TEN + HOUR)
    await desk.tick(TEN + 48 * HOUR, dispatch=TEN + 48 * HOUR)
    assert await reminded(desk, ticket) == []
    assert await desk.words(ticket, "progress") == ["started", "met"]


async def reminded(desk: Desk, ticket: UUID) -> list[tuple[datetime, str]]:
    """The deadline of each reminder, and who is told."""
    found = await desk.told_about(ticket, "progress")
    return [
        (datetime.fromisoformat(data["deadline"]), data["owner_id"])
        for word, data in found
        if word == "warned"
    ]
