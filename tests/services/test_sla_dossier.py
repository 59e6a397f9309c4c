"""The dossier: arithmetic that can be checked by hand, and whether what is stored follows from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.clocking import ARRIVED, HOUR, MINUTE, SECOND, TEN, Desk, clocking, opened, visit
from shared.clock import clock, uuid7
from shared.events.dispatch import ResultRejected, TicketResolved
from shared.events.intake import CallAnswered, CallMissed
from sla_monitor.board import words
from sla_monitor.clocks.consumers import READ
from sla_monitor.policies.shipped import SHIPPED


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    """The desk with nothing on it."""
    await running.clear()
    return running


def test_whatever_may_happen_or_be_promised_has_a_name() -> None:
    assert {payload.type.rpartition(".")[0] for payload in READ} <= words.HAPPENED.keys()
    assert {promise.code for promise in SHIPPED.promises} <= words.PROMISES.keys()
    assert {rule.reason for promise in SHIPPED.promises for rule in promise.pauses} <= words.REASONS.keys()
    ends = {kind for promise in SHIPPED.promises for kind in (*promise.stops, *promise.cancels)}
    assert ends <= words.EVENTS.keys() | words.HAPPENED.keys()


async def dossier(desk: Desk, subject: UUID) -> dict[str, Any]:
    async with desk.client("operations") as client:
        answer = await client.get(f"/sla/subjects/{subject}/clocks")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def proof(desk: Desk, subject: UUID, promise: str = "on_site") -> dict[str, Any]:
    (found,) = [each for each in (await dossier(desk, subject))["clocks"] if each["promise"] == promise]
    return dict(found)


async def page(desk: Desk, subject: UUID, language: str = "en") -> str:
    async with desk.client("dispatcher") as client:
        headers = {"accept": "text/html", "accept-language": language}
        answer = await client.get(f"/sla/subjects/{subject}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_the_lines_add_up_to_the_time_that_is_allowed(desk: Desk) -> None:
    ticket = await desk.urgent()
    resolved = TicketResolved(
        request_id=UUID(int=9), customer_id=UUID(int=8), engineer_id=UUID(int=1), episode=1
    )
    await desk.happen(ticket, resolved, TEN + 30 * MINUTE)
    await desk.happen(ticket, ResultRejected(episode=1, reason="drips"), TEN + 90 * MINUTE)
    await desk.happen(ticket, ARRIVED, TEN + 2 * HOUR)
    # 10:00–10:30 counts, until 11:30 the customer tried the result, and 90 minutes more are due at 13:00.
    found = await proof(desk, ticket)
    assert [(each["seconds"], each["counted"], each["sum"]) for each in found["intervals"]] == [
        (1800, True, 1800),
        (3600, False, 1800),
        (5400, True, 7200),
    ]
    assert found["deadline"] == "2026-11-20T05:00:00Z"
    shown = await page(desk, ticket)
    for figure in ("0:30:00", "1:00:00", "1:30:00", "= 2:00:00", "− 1:00:00", "2026-11-20 13:00:00"):
        assert figure in shown
    assert "the customer tries the result" in shown


async def test_it_says_so_when_all_that_is_stored_follows_from_the_events(desk: Desk) -> None:
    begun = clock.now() - 3 * HOUR
    ticket = await desk.urgent(begun)
    await desk.happen(ticket, ARRIVED, begun + 2 * HOUR)
    assert (await dossier(desk, ticket))["agrees"] is True
    assert "every deadline and outcome is the one that is stored" in await page(desk, ticket)


async def test_a_row_that_does_not_follow_from_the_events_is_named(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.happen(ticket, ARRIVED, TEN + HOUR)
    await desk.admin.execute(
        "UPDATE clock SET deadline = deadline + interval '1 s' WHERE promise = 'on_site'"
    )
    found = await dossier(desk, ticket)
    assert found["agrees"] is False
    assert (await proof(desk, ticket))["differences"] == [
        {"name": "deadline", "stored": "2026-11-20T04:00:01Z", "folded": "2026-11-20T04:00:00Z"}
    ]
    shown = await page(desk, ticket)
    assert "What is stored does not follow from the history" in shown
    assert "2026-11-20 12:00:01" in shown
    assert "存储的数据与事件历史不符" in await page(desk, ticket, "zh-CN")


async def test_a_clock_that_was_never_stored_is_a_difference(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.admin.execute("DELETE FROM timer")
    await desk.admin.execute("DELETE FROM clock WHERE promise = 'on_site'")
    assert (await proof(desk, ticket))["differences"] == [
        {"name": "outcome", "stored": None, "folded": "breached"}
    ]


@pytest.mark.parametrize(("ago", "differs"), [(3 * SECOND, False), (MINUTE, True)])
async def test_a_miss_is_being_judged_for_some_seconds_and_not_for_ever(
    desk: Desk, ago: timedelta, differs: bool
) -> None:
    ticket = await desk.urgent(clock.now() - 2 * HOUR - ago)
    assert bool((await proof(desk, ticket))["differences"]) is differs


async def test_a_late_event_is_shown_with_what_was_told_before_and_after(desk: Desk) -> None:
    begun = clock.now() - 3 * HOUR
    ticket = await desk.urgent(begun)
    await desk.tick(clock.now(), dispatch=clock.now())
    await desk.happen(ticket, ARRIVED, begun + HOUR)
    found = await proof(desk, ticket)
    assert [each["what"] for each in found["said"]] == ["clock_started", "clock_breached", "clock_amended"]
    assert [each["revision"] for each in found["said"]] == [0, 0, 1]
    assert (found["outcome"], found["revision"], found["differences"]) == ("met", 1, [])
    arrival = (await dossier(desk, ticket))["history"][-1]
    assert arrival["kind"] == "dispatch.engineer_arrived"
    assert 2 * 3600 - 60 < arrival["late_by"] < 2 * 3600 + 600
    shown = await page(desk, ticket)
    assert "corrected: was missed, is kept" in shown
    assert "revision 1" in shown
    assert "later, at" in shown


async def test_what_came_at_once_is_not_called_late(desk: Desk) -> None:
    ticket = await desk.urgent(clock.now() - 5 * SECOND)
    history = (await dossier(desk, ticket))["history"]
    assert [each["late_by"] for each in history] == [None, None]


async def test_alerts_name_who_took_them_over(desk: Desk) -> None:
    ticket = await desk.urgent(clock.now() - 3 * HOUR)
    await desk.tick(clock.now(), dispatch=clock.now())
    (alert,) = [each for each in (await proof(desk, ticket))["alerts"] if each["threshold"] == 100]
    assert alert["acknowledged_by"] is None
    assert "nobody took it over" in await page(desk, ticket)
    async with desk.client("operations", id="duty.lead") as client:
        answer = await client.post(
            f"/sla/alerts/{alert['id']}/acknowledge",
            headers={"if-match": '"1"', "accept": "application/json"},
        )
        assert answer.status_code == 200, answer.text
    (alert,) = [each for each in (await proof(desk, ticket))["alerts"] if each["threshold"] == 100]
    assert alert["acknowledged_by"] == "duty.lead"
    shown = await page(desk, ticket)
    assert "taken over" in shown
    assert "duty.lead" in shown


async def test_a_clock_whose_beginning_never_was_is_shown_as_withdrawn(desk: Desk) -> None:
    call, missed = uuid7(), clock.now() - MINUTE
    await desk.happen(call, CallMissed(region="east"), missed)
    await desk.happen(call, CallAnswered(region="east"), missed - SECOND)
    found = await dossier(desk, call)
    assert [each["promise"] for each in found["withdrawn"]] == ["return_call"]
    assert found["agrees"] is True
    assert "does not follow from the events that are known now" in await page(desk, call)


async def test_a_clock_that_stands_has_no_deadline_to_prove(desk: Desk) -> None:
    begun = clock.now() - HOUR
    ticket = await desk.urgent(begun)
    resolved = TicketResolved(
        request_id=UUID(int=9), customer_id=UUID(int=8), engineer_id=UUID(int=1), episode=1
    )
    await desk.happen(ticket, resolved, begun + 30 * MINUTE)
    found = await proof(desk, ticket)
    assert found["standing"] is True
    assert found["intervals"][-1]["ends"] is None
    assert "No deadline while the clock stands" in await page(desk, ticket)


async def test_it_leads_to_the_record_of_the_service_that_has_the_work(desk: Desk) -> None:
    ticket, call = await desk.urgent(), uuid7()
    await desk.happen(ticket, opened(), TEN)
    await desk.happen(ticket, visit(TEN + 30 * HOUR), TEN + MINUTE)
    await desk.happen(call, CallMissed(region="east"), TEN)
    assert f'href="/dispatch/tickets/{ticket}/page"' in await page(desk, ticket)
    assert "a later visit at the customer" in await page(desk, ticket)
    assert "/intake/desk/" not in await page(desk, call)


async def test_what_is_counted_is_until_now_or_until_it_ended_and_who_did_what(desk: Desk) -> None:
    ticket = await desk.urgent(clock.now() - 13 * MINUTE)
    shown = await page(desk, ticket)
    row = shown.partition("Arrive on site</h2>")[2].partition("</tbody>")[0].rpartition("<tr")[2]
    assert ">0:13:0" in row.partition('data-label="Running total"')[2]
    await desk.happen(ticket, ARRIVED, clock.now() - 3 * MINUTE)
    row = (await page(desk, ticket)).partition("Arrive on site</h2>")[2].partition("</tbody>")[0]
    assert ">0:10:0" in row.rpartition("<tr")[2].partition('data-label="Running total"')[2]  # until it ended
    assert words.person("desk.one") == "desk.one"
    assert words.person("01a204ac-e6c4-778f-b7d9-c3273a7f32a3") == "somebody (…7f32a3)"
