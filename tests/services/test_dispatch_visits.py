"""Visits: customers choose and move them by a link, we say why, and they outlive their engineer (R58)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from contracts.dispatching import (
    DUTY_LEAD_G,
    JUNIOR_A,
    JUNIOR_B,
    SAMPLE,
    Desk,
    Sent,
    dispatching,
    post,
    times,
)
from dispatch.acceptance.proof import make_proof
from dispatch.visits.reading import load_questions
from dispatch.visits.slots import Question
from shared.clock import clock, uuid7
from shared.db import Tx

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


async def given_to(desk: Desk, who: UUID = JUNIOR_A, **changes: Any) -> Any:
    """A ticket that somebody has."""
    ticket = await desk.ticket(await desk.ask(**changes))
    if ticket.engineer_id != who:
        await assign(desk, ticket, who)
    return await desk.ticket(ticket.request_id)


async def assign(desk: Desk, ticket: Any, who: UUID) -> None:
    """By hand, whatever speaks against them."""
    dispatcher = desk.acting(DUTY_LEAD_G, "dispatcher")
    body = {"person_id": str(who), "reason": "for the test", "base_version": ticket.version}
    path = f"/dispatch/tickets/{ticket.id}/assign"
    answer = await dispatcher.post(path, json=body)
    if answer.status_code == 409:
        despite = [each["code"] for each in answer.json()["objections"]]
        answer = await dispatcher.post(path, json={**body, "despite": despite})
    assert answer.status_code == 200, answer.text


async def accepted(desk: Desk, who: UUID = JUNIOR_A) -> Any:
    ticket = await given_to(desk, who)
    await post(desk.acting(who, "engineer"), ticket.id, "accept", ticket.version)
    return await desk.ticket(ticket.request_id)


async def slots(client: httpx.AsyncClient, ticket_id: UUID, **query: Any) -> list[Sent]:
    answer = await client.get(f"/dispatch/tickets/{ticket_id}/slots", params=query)
    assert answer.status_code == 200, answer.text
    found: list[Sent] = answer.json()["slots"]
    return found


async def offered(desk: Desk, ticket: Any, who: UUID = JUNIOR_A) -> str:
    """The link of a ticket whose customer is sent one."""
    now = await desk.ticket(ticket.request_id)
    await post(desk.acting(who, "engineer"), ticket.id, "visit-link", now.version)
    return await desk.link_to(ticket.id)


class Customer:
    """A browser without scripts at one link."""

    def __init__(self, desk: Desk, link: str, language: str = "en") -> None:
        self.client, self.link, self.page = desk.served.client(), link, ""
        self.client.headers["accept-language"] = language

    async def look(self, **query: str) -> str:
        answer = await self.client.get(self.link, params=query)
        assert answer.status_code == 200, answer.text
        self.page = answer.text
        return self.page

    @property
    def times(self) -> list[str]:
        return re.findall(r'name="starts_at" value="([^"]+)"', self.page)

    async def send(self, deed: str, **fields: str) -> httpx.Response:
        known = {"proof": _hidden("proof", self.page), "deed": deed}
        if seen := _hidden("seen", self.page):
            known["seen"] = seen
        answer = await self.client.post(self.link, data={**known, **fields})
        if answer.status_code in (200, 409):
            self.page = answer.text
        return answer


def _hidden(name: str, page: str) -> str:
    return page.partition(f'name="{name}" value="')[2].partition('"')[0]


async def visits(desk: Desk, ticket: Any) -> list[tuple[UUID, str]]:
    found = await desk.rows(
        "SELECT engineer_id, state FROM visit WHERE ticket_id = :id ORDER BY id", id=ticket.id
    )
    return [(row.engineer_id, row.state) for row in found]


async def letters(desk: Desk, ticket: Any) -> list[str]:
    told = await desk.told(ticket.id)
    return [data["template"] for name, _, data in told if name == "customer_message_requested"]


# --- Slots ---


async def test_slots_are_told_to_the_engineer_and_to_dispatchers_and_meet_nothing(desk: Desk) -> None:
    busy, ticket = await accepted(desk), await accepted(desk)
    engineer, dispatcher = desk.acting(JUNIOR_A, "engineer"), desk.acting(DUTY_LEAD_G, "dispatcher")
    first = (await slots(engineer, ticket.id))[0]
    now = await desk.ticket(busy.request_id)
    await post(
        engineer, busy.id, "visits", now.version, starts_at=first["starts_at"], ends_at=first["ends_at"]
    )
    after = await slots(dispatcher, ticket.id, limit=50)
    assert len(after) == 50
    assert all(each["starts_at"] >= first["ends_at"] for each in after)
    leave = {"person_id": str(JUNIOR_A), "starts_at": first["ends_at"]}
    until = datetime.fromisoformat(first["ends_at"]) + 5 * DAY
    await dispatcher.post("/dispatch/leave", json={**leave, "ends_at": until.isoformat()})
    assert datetime.fromisoformat((await slots(engineer, ticket.id))[0]["starts_at"]) >= until
    later = until + 3 * DAY
    [one] = await slots(engineer, ticket.id, limit=1, **{"from": later.isoformat()})
    assert datetime.fromisoformat(one["starts_at"]) >= later
    assert (await slots(engineer, busy.id))[0]["starts_at"] == first["starts_at"]  # its own visit may stay


async def test_nobody_else_asks_for_slots_and_bad_questions_are_told_so(desk: Desk) -> None:
    ticket = await accepted(desk)
    path = f"/dispatch/tickets/{ticket.id}/slots"
    assert (await desk.acting(JUNIOR_B, "engineer").get(path)).status_code == 404
    assert (await desk.acting(DUTY_LEAD_G, "operations").get(path)).status_code == 403
    engineer = desk.acting(JUNIOR_A, "engineer")
    for query in ({"limit": "0"}, {"limit": "51"}, {"from": "soon"}, {"from": "2026-12-01"}, {"until": "x"}):
        answer = await engineer.get(path, params=query)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), (
            query
        )
        assert answer.json()["errors"][0]["pointer"] == f"/{next(iter(query))}"
    nobody = await desk.ticket(await desk.ask(skills=("magic",)))
    answer = await desk.acting(DUTY_LEAD_G, "dispatcher").get(f"/dispatch/tickets/{nobody.id}/slots")
    assert (answer.status_code, answer.json()["state"]) == (409, "needs_decision")


# --- The customer chooses ---


async def test_a_customer_chooses_moves_and_cancels_by_the_link(desk: Desk) -> None:
    ticket = await accepted(desk)
    link = await offered(desk, ticket)
    customer = Customer(desk, link)
    assert "The pump makes a noise" in await customer.look()
    first, second = customer.times[:2]
    assert (await customer.send("choose", starts_at=first)).status_code == 303
    assert "Your visit is agreed" in await customer.look()
    assert (await customer.send("choose", starts_at=second)).status_code == 422  # nobody said why
    reason = "My boss calls 13812345678 then"
    assert (await customer.send("choose", starts_at=second, reason=reason)).status_code == 303
    await customer.look()
    assert (await customer.send("cancel", reason="It works again")).status_code == 303
    assert "Choose a time" in await customer.look()
    row = await desk.ticket(ticket.request_id)
    assert row.state == "accepted"
    assert [state for _, state in await visits(desk, ticket)] == ["moved", "cancelled"]
    told = [(name, data) for name, _, data in await desk.told(ticket.id) if name.startswith("visit_")]
    assert [name for name, _ in told] == ["visit_offered", "visit_agreed", "visit_agreed", "visit_cancelled"]
    assert [data.get("by") for _, data in told[1:]] == ["customer"] * 3
    assert (told[2][1]["moved_from"], told[2][1]["reason"]) == (
        told[1][1]["starts_at"],
        "My boss calls [phone] then",
    )
    assert await letters(desk, ticket) == ["visit_times"]  # what they did themselves they know
    [newest, *_] = await desk.rows(
        "SELECT by, facts FROM history WHERE ticket_id = :id ORDER BY version DESC", id=ticket.id
    )
    assert (newest.by, newest.facts["reason"]) == ("customer", "It works again")


async def test_a_time_is_chosen_before_the_engineer_has_accepted_and_then_kept(desk: Desk) -> None:
    ticket = await given_to(desk)
    customer = Customer(desk, await offered(desk, ticket), "zh-CN")
    assert "请选择上门时间" in await customer.look()
    await customer.send("choose", starts_at=customer.times[0])
    now = await desk.ticket(ticket.request_id)
    assert now.state == "assigned"
    done = await post(desk.acting(JUNIOR_A, "engineer"), ticket.id, "accept", now.version)
    assert done["state"] == "visit_agreed"


async def test_what_is_late_at_the_customers_wish_says_so_and_what_was_offered_first_does_not(
    desk: Desk,
) -> None:
    ticket = await accepted(desk)
    customer = Customer(desk, await offered(desk, ticket))
    day = (clock.now() + 20 * DAY).date().isoformat()
    await customer.look(**{"from": day})
    await customer.send("choose", starts_at=customer.times[0])
    [row] = await desk.rows("SELECT at_customers_wish, starts_at FROM visit")
    assert (row.at_customers_wish, row.starts_at.date().isoformat() >= day) == (True, True)


async def test_of_two_tabs_the_one_that_knows_how_it_stands_decides(desk: Desk) -> None:
    ticket = await accepted(desk)
    link = await offered(desk, ticket)
    one, other = Customer(desk, link), Customer(desk, link)
    await one.look()
    await other.look()
    first, second, third = one.times[:3]
    assert (await one.send("choose", starts_at=first)).status_code == 303
    assert (await other.send("choose", starts_at=first)).status_code == 303  # again is the same as once
    late = await other.send("choose", starts_at=second)
    assert (late.status_code, "changed since you opened" in late.text) == (409, True)
    assert (await other.send("choose", starts_at=second, reason="A meeting")).status_code == 303
    assert (await one.send("cancel", reason="Enough")).status_code == 409
    assert (
        await one.send("choose", starts_at=third, reason="x")
    ).status_code == 303  # the page was shown anew
    assert [state for _, state in await visits(desk, ticket)] == ["moved", "moved", "agreed"]


async def test_two_customers_who_want_the_same_hour_at_once_do_not_both_get_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have found the hour free before either takes it: the database is the judge."""
    tickets = [await accepted(desk) for _ in range(2)]
    customers = [Customer(desk, await offered(desk, ticket)) for ticket in tickets]
    for each in customers:
        await each.look()
    wanted = customers[0].times[0]
    assert customers[1].times[0] == wanted
    both, asked = asyncio.Barrier(2), 0

    async def together(tx: Tx, asked_for: Sequence[Any]) -> Mapping[UUID, Question]:
        nonlocal asked
        found, asked = await load_questions(tx, asked_for), asked + 1
        if asked <= 2:
            await both.wait()
        return found

    monkeypatch.setattr("dispatch.visits.choosing.load_questions", together)
    answers = await asyncio.gather(*(each.send("choose", starts_at=wanted) for each in customers))
    assert sorted(each.status_code for each in answers) == [303, 409]
    [late] = [each for each, answer in zip(customers, answers, strict=True) if answer.status_code == 409]
    assert "taken meanwhile" in late.page
    assert wanted not in late.times
    assert (await late.send("choose", starts_at=late.times[0])).status_code == 303
    agreed = await desk.rows("SELECT starts_at FROM visit WHERE state = 'agreed'")
    assert len({row.starts_at for row in agreed}) == 2


async def test_links_that_are_guessed_altered_old_or_of_another_lead_nowhere(desk: Desk) -> None:
    ticket, other = await accepted(desk), await accepted(desk)
    link, foreign = await offered(desk, ticket), await offered(desk, other)
    token, settings = link.rpartition("/")[2], desk.served.settings
    customer = Customer(desk, link)
    await customer.look()
    wanted, before = customer.times[0], (await desk.ticket(ticket.request_id)).version
    proofs = {
        "": 422,
        "x": 403,
        make_proof(token, clock.now() - 2 * DAY, settings): 403,
        make_proof(foreign.rpartition("/")[2], clock.now(), settings): 403,
        "9" * 201: 422,
    }
    for proof, status in proofs.items():
        answer = await customer.send("choose", starts_at=wanted, proof=proof)
        assert answer.status_code == status, proof
    for fields in (
        {"deed": "destroy"},
        {"starts_at": ""},
        {"starts_at": "tomorrow"},
        {"starts_at": "2026-12-01T09:00"},
        {"seen": "x"},
    ):
        sent = {"deed": "choose", "starts_at": wanted, **fields}
        answer = await customer.send(sent.pop("deed"), **sent)
        assert answer.status_code == 422, fields
    odd = (clock.now() + 2 * DAY).isoformat()
    assert (await customer.send("choose", starts_at=odd)).status_code == 409  # on no half hour
    elsewhere = await customer.client.post(
        link,
        data={"deed": "choose", "starts_at": wanted, "proof": make_proof(token, clock.now(), settings)},
        headers={"origin": "https://evil.example"},
    )
    assert elsewhere.status_code == 403
    for guessed in ("x", "A" * 43, token[:-1] + "?", "%2e%2e%2f", "'; DROP TABLE ticket; --"):
        assert (await customer.client.get(f"/dispatch/visit/{guessed}")).status_code == 404
    [row, _] = await desk.rows("SELECT token_hash FROM visit_link ORDER BY expires_at")
    assert token.encode() not in bytes(row.token_hash)
    await desk.rows("UPDATE visit_link SET expires_at = now() - interval '1 second' RETURNING 1")
    assert (await customer.client.get(link)).status_code == 404
    assert (await customer.send("choose", starts_at=wanted)).status_code == 404
    assert (await desk.ticket(ticket.request_id)).version == before


async def test_when_it_has_ended_or_somebody_is_coming_the_page_says_so(desk: Desk) -> None:
    ticket = await accepted(desk)
    customer = Customer(desk, await offered(desk, ticket))
    await customer.look()
    wanted = customer.times[0]
    await customer.send("choose", starts_at=wanted)
    engineer, now = desk.acting(JUNIOR_A, "engineer"), await desk.ticket(ticket.request_id)
    now = await post(engineer, ticket.id, "depart", now.version)
    answer = await customer.send("cancel", reason="Too late")
    assert (answer.status_code, "cannot be done any more" in answer.text) == (409, True)
    assert "on the way to you" in await customer.look()
    done = {"reason": "withdrawn", "note": "bought another one"}
    await post(desk.acting(DUTY_LEAD_G, "dispatcher"), ticket.id, "cancel", now["version"], **done)
    assert "This visit is over" in await customer.look()
    assert not customer.times
    assert (await customer.send("choose", starts_at=wanted, proof=_proof(desk, customer))).status_code == 409


def _proof(desk: Desk, customer: Customer) -> str:
    return make_proof(customer.link.rpartition("/")[2], clock.now(), desk.served.settings)


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
    form = {"command": "offer_visit", "base_version": str(ticket.version), "csrf": _hidden("csrf", shown)}
    assert (await browser.post(path, data=form)).status_code == 303
    now = await desk.ticket(ticket.request_id)
    form |= {"command": "cancel_visit", "base_version": str(now.version), "reason": "没有配件"}
    assert (await browser.post(path, data=form)).status_code == 303
    shown = (await browser.get(path)).text
    assert "没有配件" in shown
    assert "上门已取消" in shown
    assert await letters(desk, ticket) == ["visit_times", "visit_cancelled"]
