"""The pages of dispatch: who sees what, what their forms do, and that they show nothing but what is meant."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

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
)
from dispatch.app import PACKAGE
from dispatch.board.feeds import WORK, is_mine
from shared.clock import clock
from shared.http.auth import Principal
from shared.i18n import ZONE
from shared.i18n.catalogues import faults

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7*7 }}"


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


def csrf_in(page: str) -> str:
    return page.partition('name="csrf" value="')[2].partition('"')[0]


async def send(browser: httpx.AsyncClient, ticket_id: UUID, command: str, **filled: Any) -> httpx.Response:
    """Fill in a form of the ticket's page and send it, as a browser without scripts does."""
    address = f"/dispatch/tickets/{ticket_id}/page"
    shown = (await browser.get(address)).text
    version = shown.partition('name="base_version" value="')[2].partition('"')[0]
    form = {"csrf": csrf_in(shown), "command": command, "base_version": version, **filled}
    return await browser.post(address, data=form)


def test_every_text_has_its_chinese() -> None:
    assert faults(PACKAGE) == []


async def test_an_engineer_goes_all_the_way_by_plain_forms(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    browser = await desk.browser(JUNIOR_A, "engineer")
    steps: tuple[tuple[str, dict[str, Any]], ...] = (
        ("accept", {}),
        ("agree_visit", {"starts_at": "2999-01-01T10:00"}),
        ("agree_visit", {"starts_at": _tomorrow(), "minutes": "60"}),
        ("depart", {"back": "/dispatch/app"}),
        ("arrive", {}),
        ("request_parts", {"part_number": "P-1", "quantity": "2"}),
        ("begin_work", {}),
        ("tick", {"items": ["made_safe", "tested"]}),
        ("pause", {"waiting_for": "parts", "note": "", "expected_at": ""}),
        ("resume", {}),
        ("log_work", {"began_at": _earlier(), "minutes": "30", "text": "Looked for the leak"}),
        ("resolve", {"work_note": "Changed the seal", "fault_code": "", "first_visit": "true"}),
        ("resolve", {"work_note": "Changed the seal", "fault_code": "leakage", "items": "cause_found"}),
    )
    answers = [(await send(browser, ticket.id, command, **filled)) for command, filled in steps]
    assert [answer.status_code for answer in answers] == [
        303, 422, *[303] * 9, 409, 303,
    ]  # fmt: skip
    assert answers[3].headers["location"] == "/dispatch/app"
    assert (await desk.ticket(ticket.request_id)).state == "resolved"


def _earlier() -> str:
    return (clock.now() - timedelta(hours=1)).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")


def _tomorrow() -> str:
    return (clock.now() + timedelta(days=1)).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M")


async def test_a_form_leads_nowhere_else(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    browser = await desk.browser(JUNIOR_A, "engineer")
    answer = await send(browser, ticket.id, "accept", back="https://evil.example/")
    assert answer.headers["location"] == "/"


async def test_a_form_needs_the_proof_of_the_session(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    browser = await desk.browser(JUNIOR_A, "engineer")
    form = {"command": "accept", "base_version": str(ticket.version), "csrf": "guessed"}
    answer = await browser.post(f"/dispatch/tickets/{ticket.id}/page", data=form)
    assert answer.status_code == 403
    assert (await desk.ticket(ticket.request_id)).version == ticket.version


@pytest.mark.parametrize(
    "filled",
    [
        {"command": "close"},
        {"command": "accept", "base_version": "x"},
        {"command": "accept", "owner_id": str(JUNIOR_B)},
        {"command": "decline", "reason": " "},
        {"command": "assign", "person_id": str(JUNIOR_B), "reason": "mine"},
    ],
)
async def test_a_form_that_was_tampered_with_changes_nothing(desk: Desk, filled: dict[str, str]) -> None:
    ticket = await desk.ticket(await desk.ask("general"))
    browser = await desk.browser(JUNIOR_A, "engineer")
    answer = await send(browser, ticket.id, **{"command": "accept", **filled})
    assert answer.status_code in (403, 422)
    assert (await desk.ticket(ticket.request_id)).version == ticket.version


async def test_each_sees_the_steps_that_are_theirs(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important"))
    helped = {"ask_department", "escalate"}
    working = {*helped, "accept", "decline", "inform_customer", "offer_visit", "plan_work", "propose_plan"}
    for who, role, commands in (
        (SENIOR_C, "engineer", working),  # and, hidden, what may come later
        (SUPERVISOR_F, "engineer", helped),
        (
            DUTY_LEAD_G,
            "dispatcher",
            {*working, "assign", "cancel"},
        ),
        (DUTY_LEAD_G, "operations", {"assign", *helped}),
    ):
        browser = await desk.browser(who, role)  # type: ignore[arg-type]
        page = (await browser.get(f"/dispatch/tickets/{ticket.id}/page")).text
        shown = re.sub(r"<(details|div)[^>]* hidden.*?</\1>", "", page, flags=re.DOTALL)
        assert set(re.findall(r'name="command" value="(\w+)"', shown)) == commands, (who, role)
    stranger = await desk.browser(JUNIOR_A, "engineer")
    assert (await stranger.get(f"/dispatch/tickets/{ticket.id}/page")).status_code == 404


async def test_the_page_says_why_this_person(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("important"))
    english = await desk.browser(DUTY_LEAD_G, "dispatcher")
    page = (await english.get(f"/dispatch/tickets/{ticket.id}/page")).text
    assert "Important: a senior engineer, and a supervisor who guides (R21)" in page
    assert "Below the tier that is needed" in page
    chinese = await desk.browser(DUTY_LEAD_G, "dispatcher", language="zh-CN")
    page = (await chinese.get(f"/dispatch/tickets/{ticket.id}/page")).text
    assert "重要：中高级工程师处理，技术主管指导监督（R21）" in page
    assert "级别低于要求" in page


async def test_the_board_shows_decisions_first(desk: Desk) -> None:
    for severity, skills in (("general", ()), ("urgent", ()), ("important", ("juggling",))):
        await desk.ask(severity, title=f"A {severity} one", skills=skills)
    browser = await desk.browser(DUTY_LEAD_G, "dispatcher")
    page = (await browser.get("/dispatch/board")).text
    listed = page.partition('id="open-tickets"')[2]
    assert re.findall(r"A (\w+) one", listed) == ["important", "urgent", "general"]


async def test_everybody_finds_the_work_they_are_part_of_and_no_other(desk: Desk) -> None:
    await desk.ask("general", title="A general one")
    await desk.ask("important", title="An important one")
    await desk.ask("urgent", title="An urgent one")
    for who, expected in (
        (JUNIOR_A, ["A general one"]),
        (JUNIOR_B, []),
        (SENIOR_C, ["An important one"]),
        (SUPERVISOR_F, ["An important one"]),
        (EXPERT_D, ["An urgent one"]),
        (LEADER_E, ["An urgent one"]),
    ):
        browser = await desk.browser(who, "engineer")
        page = (await browser.get("/dispatch/app")).text
        assert re.findall(r">(An? \w+ one)<", page) == expected
        async with desk.database.transaction() as tx:
            rows = await WORK.snapshot(tx)
        mine = [row for row in rows if is_mine(row, Principal(str(who), frozenset({"engineer"})))]
        assert len(mine) == len(expected)


async def test_what_a_customer_or_engineer_wrote_is_text_and_nothing_else(desk: Desk) -> None:
    ticket = await desk.ticket(await desk.ask("general", title=HOSTILE))
    engineer = await desk.browser(JUNIOR_A, "engineer")
    dispatcher = await desk.browser(DUTY_LEAD_G, "dispatcher")
    await send(engineer, ticket.id, "accept")
    await send(engineer, ticket.id, "depart")
    await send(engineer, ticket.id, "arrive")
    await send(engineer, ticket.id, "inform_customer", text=HOSTILE)
    await send(engineer, ticket.id, "resolve", work_note=HOSTILE, items=[*REPAIRED])
    link = await desk.link_to(ticket.id)
    page = f"/dispatch/tickets/{ticket.id}/page"
    for browser, address in (
        (engineer, "/dispatch/app"),
        (engineer, page),
        (dispatcher, "/dispatch/board"),
        (dispatcher, page),
        (desk.served.client(), link),
    ):
        text = (await browser.get(address)).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text, address
        assert "<script>alert" not in text, address
        assert "<img src=x" not in text, address
        assert "{{ 7*7 }}" in text, address
        assert not re.search(r"<style|\sstyle=|\son\w+=\"|javascript:", text), address
