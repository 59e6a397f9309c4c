"""Visits: we say why they are moved, and they outlive their engineer (R58)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    SAMPLE,
    Desk,
    dispatching,
    post,
    times,
)
from contracts.visiting import Customer, accepted, assign, hidden, letters, visits
from shared.clock import clock, uuid7

DAY = timedelta(days=1)


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Desk]:
    async with dispatching(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(served: Desk) -> AsyncIterator[Desk]:
    await served.clear()
    await served.put(SAMPLE, 0)
    yield served
    assert await served.violations() == {}


# --- We move and cancel ---


async def test_we_move_and_cancel_with_a_reason_that_the_customer_reads(desk: Desk) -> None:
    ticket = await accepted(desk)
    engineer, dispatcher = desk.acting(JUNIOR_A, "engineer"), desk.acting(DUTY_LEAD_G, "dispatcher")
    now = await post(engineer, ticket.id, "visits", ticket.version, **times(hours=30))
    bare = await engineer.post(
        f"/dispatch/tickets/{ticket.id}/visits", json={"base_version": now["version"], **times(hours=40)}
    )
    assert (bare.status_code, bare.json()["errors"][0]["pointer"]) == (422, "/reason")
    now = await post(engineer, ticket.id, "visits", now["version"], **times(hours=40), reason="The van broke")
    now = await post(
        dispatcher, ticket.id, "visits", now["version"], **times(hours=50), reason="Staff is ill"
    )
    now = await post(dispatcher, ticket.id, "visits/cancel", now["version"], reason="No parts")
    assert now["state"] == "accepted"
    again = await dispatcher.post(
        f"/dispatch/tickets/{ticket.id}/visits/cancel",
        json={"base_version": now["version"], "reason": "No parts"},
    )
    assert (again.status_code, again.json()["type"]) == (409, "/problems/no-visit-agreed")
    told = [(name, data) for name, _, data in await desk.told(ticket.id) if name.startswith("visit_")]
    assert [data["by"] for _, data in told] == ["engineer", "engineer", "dispatcher", "dispatcher"]
    assert await letters(desk, ticket) == ["visit_moved", "visit_moved", "visit_cancelled"]
    [*_, (_, _, letter)] = [each for each in await desk.told(ticket.id) if each[0].startswith("customer_")]
    assert ["reason", "No parts"] in letter["facts"]
    assert "Choose a time" in await Customer(desk, letter["link"]).look()


async def test_a_phone_from_before_may_move_a_visit_without_saying_why(desk: Desk) -> None:
    ticket = await accepted(desk)
    engineer = desk.acting(JUNIOR_A, "engineer")
    now = await post(engineer, ticket.id, "visits", ticket.version, **times(hours=30))
    begins = clock.now() + timedelta(hours=40)
    form = {"command": "agree_visit", "starts_at": begins.strftime("%Y-%m-%dT%H:%M"), "minutes": "120"}
    deed = {"id": str(uuid7()), "ticket_id": str(ticket.id), "done_at": clock.now().isoformat()}
    batch = {
        "sent_at": clock.now().isoformat(),
        "commands": [{**deed, "base_version": now["version"], "form": form}],
    }
    answer = await engineer.post("/dispatch/app/commands", json=batch)
    assert [each["outcome"] for each in answer.json()["results"]] == ["applied"], answer.text
    assert [state for _, state in await visits(desk, ticket)] == ["moved", "agreed"]
    assert await letters(desk, ticket) == ["visit_moved"]


@pytest.mark.parametrize("how", ["visits", "visits/cancel"])
async def test_a_customer_who_was_not_there_is_counted(desk: Desk, how: str) -> None:
    ticket = await accepted(desk)
    engineer = desk.acting(JUNIOR_A, "engineer")
    now = await post(engineer, ticket.id, "visits", ticket.version, **times(hours=1))
    for command in ("depart", "arrive"):
        now = await post(engineer, ticket.id, command, now["version"])
    nobody = {"reason": "Nobody opened", "customer_absent": True}
    body = nobody | (times(hours=30) if how == "visits" else {})
    now = await post(engineer, ticket.id, how, now["version"], **body)
    assert now["state"] == ("visit_agreed" if how == "visits" else "accepted")
    states = [state for _, state in await visits(desk, ticket)]
    assert states == (["no_show", "agreed"] if how == "visits" else ["no_show"])
    told = [data for name, _, data in await desk.told(ticket.id) if name.startswith("visit_")]
    assert told[-1]["customer_absent"]
    assert await letters(desk, ticket) == (["visit_moved"] if how == "visits" else ["visit_cancelled"])


# --- The engineer changes ---


async def agreed(desk: Desk, *, hours: float = 30) -> Any:
    ticket = await accepted(desk)
    wish = {**times(hours=hours), "at_customers_wish": True}
    await post(desk.acting(JUNIOR_A, "engineer"), ticket.id, "visits", ticket.version, **wish)
    return await desk.ticket(ticket.request_id)


async def hand_over(desk: Desk, ticket: Any) -> None:
    await assign(desk, ticket, JUNIOR_B)


async def go_on_leave(desk: Desk, ticket: Any) -> None:
    now = clock.now()
    times = {"starts_at": now.isoformat(), "ends_at": (now + 9 * DAY).isoformat()}
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    answer = await dispatcher.post("/dispatch/leave", json={"person_id": str(JUNIOR_A), **times})
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("change", [hand_over, go_on_leave])
async def test_an_appointment_stays_when_the_engineer_changes(desk: Desk, change: Any) -> None:
    """And once more when the substitute declines."""
    ticket = await agreed(desk)
    await change(desk, ticket)
    row = await desk.ticket(ticket.request_id)
    assert (row.engineer_id != JUNIOR_A, row.state) == (True, "assigned")
    assert await visits(desk, ticket) == [(JUNIOR_A, "handed_on"), (row.engineer_id, "agreed")]
    told = [(name, data) for name, _, data in await desk.told(ticket.id)][-1]
    assert (told[0], told[1]["engineer_id"], told[1]["at_customers_wish"]) == (
        "visit_agreed",
        str(row.engineer_id),
        True,
    )
    assert await letters(desk, ticket) == []  # for the customer nothing has changed
    declined = desk.acting(row.engineer_id, "engineer")
    await post(declined, ticket.id, "decline", row.version, reason="no time")
    third = await desk.ticket(ticket.request_id)
    assert third.engineer_id not in (row.engineer_id, None)
    done = await post(desk.acting(third.engineer_id, "engineer"), ticket.id, "accept", third.version)
    assert done["state"] == "visit_agreed"
    assert [state for _, state in await visits(desk, ticket)] == ["handed_on", "handed_on", "agreed"]


@pytest.mark.parametrize("change", [hand_over, go_on_leave])
async def test_where_the_substitute_is_not_free_it_is_agreed_anew_and_the_customer_knows(
    desk: Desk, change: Any
) -> None:
    ticket = await agreed(desk)
    for who in (each.id for each in SAMPLE.people if each.is_engineer and each.id != JUNIOR_A):
        other = await accepted(desk, who)
        await post(desk.acting(who, "engineer"), other.id, "visits", other.version, **times(hours=29.5))
    await change(desk, ticket)
    row = await desk.ticket(ticket.request_id)
    assert [state for _, state in await visits(desk, ticket)] == ["lapsed"]
    assert await letters(desk, ticket) == ["visit_lapsed"]
    board = await (await desk.browser(DUTY_LEAD_G, "dispatcher")).get("/dispatch/board")
    assert "Visit to be agreed anew" in board.text
    shown = await (await desk.browser(DUTY_LEAD_G, "dispatcher")).get(f"/dispatch/tickets/{ticket.id}/page")
    assert shown.text.count("o be agreed anew") == 2  # beside the title, and in the list of visits
    customer = Customer(desk, await desk.link_to(ticket.id))
    assert "cannot be kept" in await customer.look()
    assert (await customer.send("choose", starts_at=customer.times[0])).status_code == 303
    assert (await visits(desk, ticket))[-1] == (row.engineer_id, "agreed")
    board = await (await desk.browser(DUTY_LEAD_G, "dispatcher")).get("/dispatch/board")
    assert "Visit to be agreed anew" not in board.text


async def test_with_nobody_to_come_the_customer_is_told_to_look_again(desk: Desk) -> None:
    ticket = await agreed(desk)
    await hand_over(desk, ticket)
    while (row := await desk.ticket(ticket.request_id)).engineer_id:
        await post(desk.acting(row.engineer_id, "engineer"), ticket.id, "decline", row.version, reason="no")
    assert row.state == "needs_decision"
    assert await letters(desk, ticket) == ["visit_lapsed"]
    assert "finding out who comes" in await Customer(desk, await desk.link_to(ticket.id)).look()


async def test_what_the_page_of_a_ticket_offers_about_visits(desk: Desk) -> None:
    ticket = await agreed(desk)
    browser = await desk.browser(JUNIOR_A, "engineer", language="zh-CN")
    path = f"/dispatch/tickets/{ticket.id}/page"
    shown = (await browser.get(path)).text
    assert "请客户选择上门时间" in shown
    assert "为什么改期" in shown
    form = {"command": "offer_visit", "base_version": str(ticket.version), "csrf": hidden("csrf", shown)}
    assert (await browser.post(path, data=form)).status_code == 303
    now = await desk.ticket(ticket.request_id)
    form |= {"command": "cancel_visit", "base_version": str(now.version), "reason": "没有配件"}
    assert (await browser.post(path, data=form)).status_code == 303
    shown = (await browser.get(path)).text
    assert "没有配件" in shown
    assert "上门已取消" in shown
    assert await letters(desk, ticket) == ["visit_times", "visit_cancelled"]
