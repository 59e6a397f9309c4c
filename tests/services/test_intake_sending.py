"""Answers reach the customer on their own channel: each once, whatever breaks, none delayed by another."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio

from contracts.hearing import Hearing, hearing
from contracts.posting import later
from contracts.receiving import WebReceiver
from contracts.sending import MailBox, Way, crashing, ways
from intake.app import service
from intake.sending.lanes import LEASE

MINUTE = timedelta(minutes=1)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service, public_url="https://aftercare.example") as desk:
        yield desk


@pytest_asyncio.fixture
async def way(running: Hearing) -> AsyncIterator[Way]:
    async with ways(running) as made:
        yield made


async def test_an_answer_arrives_by_mail_in_the_customers_thread(way: Way) -> None:
    box = await way.mail()
    request = await way.mailed("水泵漏水，请回电。")
    message = await way.answered(request, "明天上午到。\n.\n王工")
    await way.deliver()
    await way.deliver()
    [mail] = box.got
    assert mail["To"] == "ann@example.com"
    assert mail["From"] == "Aftercare 售后 <service@aftercare.example>"
    assert (mail["Subject"], mail["In-Reply-To"]) == ("Re: Pump leaks", "<m1@example.com>")
    assert (mail["References"], mail["Auto-Submitted"]) == ("<m1@example.com>", None)
    assert (mail["Message-ID"], mail["X-Aftercare-Loop"]) == (
        f"<{message}@aftercare.example>",
        "aftercare.example",
    )
    assert mail.get_content().replace("\r\n", "\n") == "明天上午到。\n.\n王工\n"
    assert await way.states() == [("sent", None, 1)]
    told = await way.desk.told(request)
    assert [name for name, _, _ in told][-1] == "message_sent"
    assert re.fullmatch(r"service\+[a-z2-7]{48}@aftercare\.example", mail["Reply-To"])
    # The customer's reply to it is part of the same request.
    assert await way.mailed("OK", id="m2", more=f"In-Reply-To: {mail['Message-ID']}\r\n") == request
    await way.answered(request, "Good.")
    await way.deliver()
    assert box.got[-1]["In-Reply-To"] == "<m2@example.com>"
    assert box.got[-1]["References"] == f"<m1@example.com> {mail['Message-ID']} <m2@example.com>"


async def test_a_crash_between_sending_and_recording_repeats_a_mail_under_its_message_id(way: Way) -> None:
    def first_never(number: int) -> str | None:
        return "250 taken, but nobody hears it" if number == 1 else None

    box = await way.mail(MailBox(answers=first_never))
    await way.answered(await way.mailed())
    with crashing(way.lanes):
        await way.deliver()
    assert (len(box.got), await way.states()) == (1, [("sending", None, 1)])
    await way.deliver()
    assert len(box.got) == 1  # somebody may be at it
    later(LEASE)
    await way.deliver()
    assert {each["Message-ID"] for each in box.got} == {box.got[0]["Message-ID"]}
    assert (len(box.got), await way.states()) == (2, [("sent", None, 2)])


async def test_after_a_crash_a_person_decides_where_nobody_drops_duplicates(way: Way) -> None:
    receiver = await way.telegram()
    message = await way.answered(await way.chatted())
    with crashing(way.lanes):
        await way.deliver()
    later(LEASE)
    await way.deliver()
    assert (len(receiver.got), await way.states()) == (1, [("unknown", "uncertain", 1)])
    agent, path = way.desk.client("care"), f"/intake/messages/{message}/retry"
    assert (await agent.post(path, json={"decision": "it_arrived"})).status_code == 204
    assert await way.states() == [("sent", "person", 1)]
    assert (await agent.post(path, json={})).status_code == 409  # it is sent: nothing to decide
    assert (await way.desk.client("operations").post(path, json={})).status_code == 403


async def test_a_doubt_may_be_ended_by_sending_again_from_the_page(way: Way) -> None:
    receiver = await way.telegram(WebReceiver(answers=lambda number: None if number == 1 else 200))
    request = await way.chatted()
    message = await way.answered(request)
    await way.begin()
    await receiver.arrived(1)
    receiver.hang_up()
    await way.lanes.settle()
    assert await way.states() == [("unknown", "uncertain", 1)]
    browser = await way.desk.served.signed_in("care")
    page = (await browser.get(f"/intake/desk/{request}")).text
    assert "Not certain whether it arrived" in page
    assert "It arrived" in page
    [csrf] = {*re.findall(r'name="csrf" value="([^"]+)"', page)}
    answer = await browser.post(
        f"/intake/desk/messages/{message}/retry", data={"csrf": csrf, "decision": "send_again"}
    )
    assert answer.headers["location"] == f"/intake/desk/{request}"
    way.rested()
    await way.deliver()
    assert (len(receiver.got), await way.states()) == (2, [("sent", None, 1)])


async def test_who_asks_to_be_left_alone_is_and_outages_pass(way: Way) -> None:
    answers = {1: 429, 2: 503}
    receiver = await way.telegram(
        WebReceiver(answers=lambda number: answers.get(number, 200), headers="retry-after: 600\r\n")
    )
    await way.answered(await way.chatted())
    await way.deliver()
    assert await way.states() == [("waiting", "busy", 1)]
    for minutes, calls in ((9, 1), (2, 2), (11, 3)):
        later(minutes * MINUTE)
        way.rested()
        await way.deliver()
        assert len(receiver.got) == calls
    assert await way.states() == [("sent", None, 3)]


async def test_what_cannot_be_sent_for_a_day_is_given_up_and_shown(way: Way) -> None:
    await way.telegram(WebReceiver(answers=lambda number: 500))
    message = await way.answered(await way.chatted())
    await way.deliver()
    later(timedelta(hours=24))
    way.rested()
    await way.deliver()
    assert await way.states() == [("failed", "given_up", 2)]
    assert (
        await way.desk.client("care").post(f"/intake/messages/{message}/retry", json={})
    ).status_code == 204
    assert await way.states() == [("waiting", None, 0)]


async def test_a_refused_mailbox_is_a_failure_and_a_full_one_is_tried_again(way: Way) -> None:
    await way.mail(MailBox(refuses="nobody", answers=lambda number: "452 full" if number == 1 else None))
    await way.answered(await way.mailed(sender="nobody@example.com"))
    await way.answered(await way.mailed(sender="ann@example.com", id="m2"))
    await way.deliver()
    assert await way.states() == [("failed", "refused", 1), ("waiting", "busy", 1)]
    later(MINUTE)
    way.rested()
    await way.deliver()
    assert await way.states() == [("failed", "refused", 1), ("sent", None, 2)]


async def test_without_a_way_a_message_waits_says_why_and_goes_once_there_is_one(way: Way) -> None:
    request = await way.mailed()
    await way.answered(request)
    await way.deliver()
    assert await way.states() == [("waiting", "no_sender", 0)]
    browser = await way.desk.served.signed_in("care")
    assert "no way to send: nothing is set up" in (await browser.get(f"/intake/desk/{request}")).text
    later(MINUTE)
    box = await way.mail()
    await way.deliver()
    assert (len(box.got), await way.states()) == (1, [("sent", None, 1)])


async def test_nobody_gets_all_old_answers_at_once_when_a_way_appears(way: Way) -> None:
    await way.answered(await way.mailed())
    later(timedelta(hours=25))
    box = await way.mail()
    await way.deliver()
    assert (box.got, await way.states()) == ([], [("waiting", "too_old", 0)])


async def test_one_provider_that_hangs_delays_no_other_and_a_conversation_keeps_its_order(way: Way) -> None:
    hanging = await way.telegram(WebReceiver(answers=lambda number: None))
    chat = await way.chatted()
    await way.answered(chat, "one")
    await way.answered(chat, "two")
    box = await way.mail()
    mail = await way.mailed()
    for text in ("one", "two", "three"):
        await way.answered(mail, text)
    await way.begin()
    await hanging.arrived(1)
    await box.arrived(3)
    assert [each.get_content().strip() for each in box.got] == ["one", "two", "three"]
    assert [state for state, _, _ in await way.states()][:2] == ["sending", "waiting"]
    hanging.hang_up()
    await way.lanes.settle()


async def test_two_processes_send_each_message_once(way: Way) -> None:
    box = await way.mail()
    for number in range(10):
        await way.answered(await way.mailed(id=f"m{number}", sender=f"p{number}@example.com"))
    other = Way(way.desk, way.other(), way.stack)
    await asyncio.gather(way.deliver(), other.deliver())
    await asyncio.gather(way.deliver(), other.deliver())
    await other.lanes.stop()
    assert sorted(each["To"] for each in box.got) == sorted(f"p{number}@example.com" for number in range(10))
    assert {state for state, _, _ in await way.states()} == {"sent"}
