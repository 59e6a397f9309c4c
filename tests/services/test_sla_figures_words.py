"""What the figures of the board and of a report say they count, so that no two of them seem to disagree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.clocking import ENGINEER, HOUR, MINUTE, Desk, assigned, clocking, opened
from contracts.serving import clock_kept
from shared.clock import clock, uuid7
from shared.events.dispatch import AssignmentAccepted
from shared.i18n import ZONE


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        with clock_kept():
            if not 5 <= clock.now().astimezone(ZONE).hour < 22:
                clock.set(clock.now() - 7 * HOUR)  # what is told of the last hours belongs to one day
            yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    await running.clear()
    return running


async def late(desk: Desk, ago: timedelta, *ends: tuple[object, timedelta]) -> UUID:
    """A ticket assigned `ago`, whose acceptance is missed; then what happened, each so long ago."""
    ticket = uuid7()
    now = clock.now()
    await desk.happen(ticket, opened(), now - ago)
    await desk.happen(ticket, assigned(), now - ago)
    for payload, since in ends:
        await desk.happen(ticket, payload, now - since)  # type: ignore[arg-type]
    await desk.tick(now, dispatch=now, intake=now)
    return ticket


async def board(desk: Desk, language: str = "en") -> str:
    async with desk.client("operations") as client:
        headers = {"accept": "text/html", "accept-language": language}
        answer = await client.get("/sla/board", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def missed(page: str) -> str:
    """The list of what was missed, as text on one line."""
    return " ".join(page.partition('data-feed="sla.missed"')[2].partition("</ul>")[0].split())


@pytest.mark.parametrize(
    ("language", "tickets", "clocks"),
    [
        ("en", "All response promises of a ticket, R50–R58", "Response promises, R50–R58"),
        ("zh-CN", "响应时间达标率，按工单，R50–R58", "响应时间达标率，R50–R58"),
    ],
)
async def test_the_whole_figures_say_which_promises_they_count(
    desk: Desk, language: str, tickets: str, clocks: str
) -> None:
    """R110: the acceptance is no response promise, and yet stands in the list of what was missed."""
    await late(desk, HOUR)
    page = await board(desk, language)
    assert page.count(f"<small>{tickets}</small>") == 1
    assert page.count(f"<small>{clocks}</small>") == 1


async def test_a_miss_of_another_day_names_the_day_and_the_list_its_rule(desk: Desk) -> None:
    await late(desk, timedelta(days=3))
    page = await board(desk)
    due = clock.now() - timedelta(days=3)
    assert f"was due {due.astimezone(ZONE):%a}" in missed(page)
    assert "the figures count each on the day it was due" in page
    await desk.clear()
    await late(desk, HOUR)
    assert f"was due {clock.now().astimezone(ZONE):%a}" not in missed(await board(desk))


async def test_a_missed_task_that_was_given_to_another_is_handed_on_and_not_done(desk: Desk) -> None:
    """R52: only who accepts keeps the promise, if too late; another assignment takes it away."""
    another = assigned().model_copy(update={"engineer_id": uuid7()})
    await late(desk, HOUR, (another, 5 * MINUTE))
    page = missed(await board(desk))
    assert "· handed on " in page
    assert "· done " not in page
    assert "已改派" in missed(await board(desk, "zh-CN"))
    await desk.clear()
    await late(desk, HOUR, (AssignmentAccepted(engineer_id=ENGINEER), 5 * MINUTE))
    page = missed(await board(desk))
    assert "· done " in page
    assert "handed on" not in page
