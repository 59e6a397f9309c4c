"""R27: the customer sees how far it is by a signed link, and adds to it, once."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import pytest_asyncio

from contracts.hearing import Hearing, hearing, told_event
from intake.app import service
from intake.progress.links import path_of, request_of
from intake.progress.rules import LINGERS, may_look
from shared.clock import clock, uuid7
from shared.events import Payload
from shared.events.dispatch import (
    AssignmentDeclined,
    CustomerMessageRequested,
    EngineerArrived,
    EngineerDeparted,
    ResultAccepted,
    ResultRejected,
    TicketAssigned,
    TicketClosed,
    TicketOpened,
    TicketResolved,
    VisitAgreed,
)
from shared.events.parts import PartsReleased, PartsShort
from shared.events.sla import ClockStarted
from shared.events.terms import PartLine, Site
from shared.i18n.language import Language

FORM = {"phone": "13800000008", "region": "east", "city": "上海", "description": "水泵漏水"}
ENGINEER: Final = UUID(int=77)
ENGLISH: Final = Language("en")
HOUR: Final = timedelta(hours=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


def test_a_link_ends_some_time_after_the_request() -> None:
    assert may_look(None, NOON)
    assert may_look(NOON, NOON + LINGERS - timedelta(seconds=1))
    assert not may_look(NOON, NOON + LINGERS)


async def test_the_form_leads_to_the_page_and_what_is_added_joins_once(desk: Hearing) -> None:
    browser = desk.served.client()
    done = (await browser.post("/intake/form", data=FORM, headers={"accept-language": "en"})).text
    [path] = re.findall(r'href="(/intake/progress/[\w-]+)"', done)
    for page in (await browser.get("/intake/form")).text, done, (await browser.get(path)).text:
        assert 'href="/sla/service-policy"' in page  # R135: what is promised is one press away
    id = request_of(path.rpartition("/")[2], desk.served.settings)
    assert id is not None
    assert path == path_of(id, desk.served.settings)
    opened = TicketOpened(
        request_id=id,
        customer_id=uuid7(),
        kind="fault",
        severity="important",
        site=Site(region="east", city="shanghai"),
        title="x",
        owner_id=UUID(int=1),
    )
    shown = (await browser.get(path, headers={"accept-language": "en"})).text
    assert (shown.count('class="done"'), "comes next" in shown, "水泵漏水" in shown) == (1, True, True)
    await desk.receive(told_event(opened, subject=uuid7(), version=1))
    [key] = re.findall(r'name="key" value="([^"]+)"', shown)
    for _ in range(2):
        answer = await browser.post(path, data={"key": key, "text": " <i>现在停机了</i> "})
        assert (answer.status_code, answer.headers["location"]) == (303, path)
    shown = (await browser.get(path, headers={"accept-language": "zh-CN"})).text
    assert (shown.count('class="done"'), shown.count("&lt;i&gt;现在停机了&lt;/i&gt;")) == (2, 1)
    assert path in (await (await desk.served.signed_in("care")).get(f"/intake/desk/{id}")).text


async def test_nobody_looks_or_writes_with_a_link_that_is_not_ours(desk: Hearing) -> None:
    browser = desk.served.client()
    path = path_of(uuid7(), desk.served.settings)
    forged = path[:-3] + ("AAA" if path[-3:] != "AAA" else "BBB")
    for wrong in (
        path,
        forged,
        "/intake/progress/x",
        "/intake/progress/" + "A" * 43,
        "/intake/progress/%C3%A9",
    ):
        assert (await browser.get(wrong)).status_code == 404
        assert (await browser.post(wrong, data={"key": str(uuid7()), "text": "x"})).status_code == 404
    foreign = {"sec-fetch-site": "cross-site"}
    answer = await browser.post(path, data={"key": str(uuid7()), "text": "x"}, headers=foreign)
    assert answer.status_code == 403


async def followed(desk: Hearing, phone: str) -> tuple[UUID, str]:
    """A request from the form, and the address of its page."""
    done = (await desk.served.client().post("/intake/form", data={**FORM, "phone": phone})).text
    [path] = re.findall(r'href="(/intake/progress/[\w-]+)"', done)
    id = request_of(path.rpartition("/")[2], desk.served.settings)
    assert id is not None
    return id, path


async def read(desk: Hearing, path: str, language: str = "en") -> str:
    page = (await desk.served.client().get(path, headers={"accept-language": language})).text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("<main") :]))


def told(request: UUID, began: datetime) -> list[tuple[Payload, datetime]]:
    """The visit of one request, from its ticket on, a quarter of an hour each."""
    site, whose = Site(region="east", city="shanghai"), {"request_id": request, "customer_id": uuid7()}
    visit = {"visit_id": uuid7(), "engineer_id": ENGINEER}
    payloads: list[Payload] = [
        TicketOpened(**whose, kind="fault", severity="important", site=site, title="x", owner_id=ENGINEER),
        TicketAssigned(
            request_id=request, engineer_id=uuid7(), tier="junior", severity="important", centre="SH1",
            same_city=True, site=site,
        ),
        AssignmentDeclined(engineer_id=ENGINEER, reason="ill"),
        TicketAssigned(
            request_id=request, engineer_id=ENGINEER, tier="senior", severity="important", centre="SH1",
            same_city=True, site=site,
        ),
        VisitAgreed(**visit, starts_at=began + 2 * HOUR, ends_at=began + 4 * HOUR),
        EngineerDeparted(engineer_id=ENGINEER),
        EngineerArrived(engineer_id=ENGINEER),
        TicketResolved(**whose, engineer_id=ENGINEER, episode=1),
        ResultRejected(episode=1, reason="It still drips"),
        TicketResolved(**whose, engineer_id=ENGINEER, episode=1),
        ResultAccepted(episode=1),
        TicketClosed(**whose, reason="accepted", severity="important", site=site, episode=1),
    ]  # fmt: skip
    return [(payload, began + number * HOUR / 4) for number, payload in enumerate(payloads)]


async def test_the_page_tells_the_story_of_the_visit_however_it_becomes_known(desk: Hearing) -> None:
    """R27: shuffled, in two batches, with repetitions: the page is that of what happened."""
    request, path = await followed(desk, "13800000021")
    began = clock.now().replace(microsecond=0) - 3 * HOUR
    ticket = uuid7()
    heard = [
        told_event(payload, subject=ticket, version=version, at=at)
        for version, (payload, at) in enumerate(told(request, began), start=1)
    ]
    random.Random(7).shuffle(heard)
    await desk.receive(*heard[:6])
    await desk.receive(*heard[4:], heard[0])
    page = await read(desk, path)
    story = (
        "We received your request.", "A ticket is open, and one person answers for it.",
        "A senior engineer has it.", "A visit was agreed on.", "The engineer set out.",
        "The engineer arrived.",
        "Our work was done.", "You told us that it is not solved yet; we go on.", "Our work was done.",
        "You confirmed that it is solved.", "It is finished.",
    )  # fmt: skip
    places = [0]
    for sentence in story:
        places.append(page.index(sentence, places[-1] + 1))
    assert "service engineer" not in page, "the one who declined is no matter of the customer's"
    starts, ends = (ENGLISH.moment(began + 2 * HOUR), ENGLISH.moment(began + 4 * HOUR)[-5:])
    assert f"{starts}–{ends}" in page
    raw = (await desk.served.client().get(path)).text
    assert str(ENGINEER) not in raw
    assert "It still drips" not in page
    assert "高级工程师" in await read(desk, path, "zh-CN")


async def test_the_page_says_what_is_so_now(desk: Hearing) -> None:
    request, path = await followed(desk, "13800000022")
    began, ticket = clock.now() - 3 * HOUR, uuid7()
    story = told(request, began)

    async def hear(payload: Payload, at: datetime, version: int, subject: UUID = ticket) -> str:
        await desk.receive(told_event(payload, subject=subject, version=version, at=at))
        return await read(desk, path)

    for version, (payload, at) in enumerate(story[:7], start=1):
        page = await hear(payload, at, version)
    assert "The engineer is at work at your place." in page
    lines = (PartLine(part_number="BELT-7", quantity=1),)
    requisition = uuid7()
    page = await hear(PartsShort(ticket_id=ticket, missing=lines), began + 2 * HOUR, 1, requisition)
    assert "We are waiting for a part." in page
    assert "BELT" not in page
    due = clock.now() + 5 * HOUR
    clocked = {"about": ticket, "about_kind": "ticket", "promise": "progress", "severity": "important"}
    known = {**clocked, "region": "east", "deadline": due, "revision": 0}
    page = await hear(ClockStarted(**known, started_at=began + 2 * HOUR), began + 2 * HOUR, 1, uuid7())
    assert f"You hear from us again by {ENGLISH.moment(due)}." in page
    page = await hear(
        PartsReleased(ticket_id=ticket, reason="given_back"), began + 2.2 * HOUR, 2, requisition
    )
    assert "The engineer is at work at your place." in page
    asks = CustomerMessageRequested(
        request_id=request, template="please_accept", link="/dispatch/acceptance/abc"
    )
    await desk.receive(told_event(asks, subject=ticket, version=9))
    assert "/dispatch/acceptance/abc" not in (await desk.served.client().get(path)).text
    page = await hear(story[7][0], began + 2.5 * HOUR, 8)
    assert "Please tell us whether it is solved." in page
    assert "You hear from us again" not in page
    assert 'href="/dispatch/acceptance/abc"' in (await desk.served.client().get(path)).text


async def test_a_request_that_is_part_of_another_one_leads_there(desk: Hearing) -> None:
    (first, there), (second, path) = [await followed(desk, "13800000023") for _ in range(2)]
    care = await desk.served.signed_in("care")
    page = (await care.get(f"/intake/desk/{second}")).text
    form = {"other": str(first), "csrf": re.findall(r'name="csrf" value="([^"]+)"', page)[0]}
    assert (await care.post(f"/intake/desk/{second}/merge", data=form)).status_code == 303
    shown = (await desk.served.client().get(path)).text
    assert f'href="{there}"' in shown
    assert f'href="{there}"' not in (await desk.served.client().get(there)).text


async def test_many_steps_take_as_many_statements_as_one(desk: Hearing) -> None:
    counts = []
    for many in (1, 6):
        heard = []
        for _ in range(many):
            began = clock.now() - 3 * HOUR
            payload, at = told(uuid7(), began)[5]
            heard.append(told_event(payload, subject=uuid7(), version=2, at=at))
        with desk.statements() as sent:
            await desk.receive(*heard)
        counts.append(len(sent))
    assert counts[0] == counts[1]
