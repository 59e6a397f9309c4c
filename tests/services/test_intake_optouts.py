"""Who wants to hear no more hears no more: each kind of message, asked at the last moment (R127, S7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlencode
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing, told_event
from contracts.posting import later
from contracts.providers import twilio
from contracts.receiving import WebReceiver, receiving
from contracts.sending import Way, ways
from intake.app import service
from intake.incidents import actions
from intake.incidents.actions import Said
from intake.incidents.rules import Signature
from intake.sending import acknowledgements
from shared.clock import uuid7
from shared.events import dispatch, feedback

LINK = "/dispatch/acceptance/token"
ASKED: dict[str, Any] = {
    "progress": (dispatch.CustomerMessageRequested, {"facts": (("text", "The part is on its way."),)}),
    "please_accept": (dispatch.CustomerMessageRequested, {"link": LINK}),
    "please_accept_reminder": (dispatch.CustomerMessageRequested, {"link": LINK}),
    "visit_moved": (dispatch.CustomerMessageRequested, {"link": LINK}),
    "survey": (feedback.CustomerMessageRequested, {"link": "/feedback/survey/token"}),
}
SMS = "/intake/channels/twilio/main"
STOPPED = ("failed", "unwanted")


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service, public_url="https://aftercare.example") as desk:
        yield desk


@pytest_asyncio.fixture
async def way(running: Hearing) -> AsyncIterator[Way]:
    async with ways(running) as made:
        yield made


async def ask(way: Way, request: UUID, template: str) -> None:
    """A service wants the customer told; the lanes send what is due."""
    kind, said = ASKED[template]
    payload = kind(request_id=request, template=template, **said)
    await way.desk.receive(told_event(payload, subject=uuid7(), version=1))


async def withdraw(
    way: Way, request: UUID, purpose: str, channel: str = "email", *, given: bool = False
) -> None:
    customer = await way.desk.admin.fetchval("SELECT customer_id FROM request WHERE id = $1", request)
    said = {"purpose": purpose, "channel": channel, "given": given, "source": "a call"}
    key = {"idempotency-key": str(uuid7())}
    path = f"/intake/customers/{customer}/consents"
    answer = await way.desk.client("care").post(path, json=said, headers=key)
    assert answer.status_code == 204, answer.text


async def incident(way: Way, *requests: UUID) -> None:
    said, signature = Said("Outage", "A cable was cut."), Signature("cooling", "east")
    declare = partial(actions.declare_new, signature=signature, said=said, requests=requests, by=UUID(int=5))
    await way.desk.database.transact(declare)


async def fates(way: Way) -> list[tuple[str, str | None]]:
    return [(state, why) for state, why, _ in await way.states()]


@pytest.mark.parametrize(
    ("template", "purpose"),
    [
        ("progress", "service"),
        ("please_accept_reminder", "service"),
        ("survey", "survey"),
        ("survey", "service"),
    ],
)
async def test_what_is_not_essential_is_not_sent_where_consent_was_withdrawn(
    way: Way, template: str, purpose: str
) -> None:
    box = await way.mail()
    request = await way.mailed()
    await ask(way, request, template)  # it waits already when the customer changes their mind
    await withdraw(way, request, purpose)
    await way.deliver()
    assert (await fates(way), box.got) == ([STOPPED], [])
    await withdraw(way, request, purpose, given=True)
    await ask(way, request, template)
    await way.deliver()
    assert (len(box.got), (await fates(way))[1]) == (1, ("sent", None))


async def test_a_broadcast_passes_by_who_wants_none(way: Way) -> None:
    """R13"""
    box = await way.mail()
    ann, bob = await way.mailed(), await way.mailed(id="m2", sender="bob@example.com")
    await withdraw(way, ann, "service")
    await incident(way, ann, bob)
    await way.deliver()
    assert [each["To"] for each in box.got] == ["bob@example.com"]
    assert sorted(await fates(way)) == [STOPPED, ("sent", None)]


async def test_an_acknowledgement_too(way: Way) -> None:
    box = await way.mail()
    request = await way.mailed()
    await withdraw(way, request, "service")
    later(timedelta(seconds=31))
    await way.desk.database.transact(lambda tx: acknowledgements.acknowledge(tx, way.lanes.ways))
    await way.deliver()
    assert (await fates(way), box.got) == ([STOPPED], [])


async def test_what_the_customer_decides_and_what_a_person_answers_is_sent_with_a_warning(way: Way) -> None:
    """R29: without the page a customer could not accept."""
    box = await way.mail()
    request = await way.mailed()
    await withdraw(way, request, "service")
    await ask(way, request, "please_accept")
    await ask(way, request, "visit_moved")
    key = {"idempotency-key": str(uuid7())}
    path = f"/intake/requests/{request}/answers"
    answer = await way.desk.client("care").post(path, json={"text": "We come tomorrow."}, headers=key)
    assert answer.json()["no_more"]
    await way.deliver()
    assert (len(box.got), set(await fates(way))) == (3, {("sent", None)})
    page = await (await way.desk.served.signed_in("care")).get(f"/intake/desk/{request}")
    assert "This customer asked for no more messages here." in page.text


@pytest.mark.parametrize(("purpose", "channel"), [("marketing", "email"), ("service", "sms")])
async def test_other_purposes_and_channels_are_other_matters(way: Way, purpose: str, channel: str) -> None:
    box = await way.mail()
    request = await way.mailed()
    await withdraw(way, request, purpose, channel)
    await ask(way, request, "progress")
    await ask(way, request, "survey")
    await way.deliver()
    assert len(box.got) == 2
    page = await (await way.desk.served.signed_in("care")).get(f"/intake/desk/{request}")
    assert "asked for no more messages" not in page.text


async def test_a_mail_of_one_word_opts_out_and_in_once_each_and_opens_nothing(way: Way) -> None:
    box = await way.mail()
    request = await way.mailed("水泵漏水。")
    reply = "In-Reply-To: <m1@example.com>\r\n"
    for _ in range(2):  # what comes again is no new wish
        assert await aside(way, "退订", "out", reply) == "opt_out"
    await ask(way, request, "progress")
    await way.deliver()
    assert (await fates(way), box.got) == ([STOPPED], [])
    # It stands in the conversation that it answers, too.
    said = await way.desk.client("care").get(f"/intake/requests/{request}/messages")
    assert [each["text"] for each in said.json()][:2] == ["水泵漏水。", "退订"]
    assert await aside(way, "恢复订阅", "in") == "opt_in"
    assert await aside(way, "退订", "out", reply) == "opt_out"  # long after, and known
    await ask(way, request, "progress")
    await way.deliver()
    assert len(box.got) == 1
    assert await way.desk.admin.fetchval("SELECT count(*) FROM request") == 1
    assert await way.desk.admin.fetchval("SELECT count(*) FROM consent") == 6


async def aside(way: Way, text: str, id: str, more: str = "") -> str:
    head = f"From: Ann <ann@example.com>\r\nSubject: Re: Pump\r\nMessage-ID: <{id}@example.com>\r\n{more}"
    raw = f"{head}\r\n{text}\r\n"
    answer = await way.desk.client("adapter").post(
        "/intake/channels/email",
        params={"account": "service"},
        content=raw.encode(),
        headers={"content-type": "message/rfc822"},
    )
    assert answer.json()["verdict"] == "set_aside", answer.text
    reason: str = answer.json()["reason"]
    return reason


async def test_an_sms_that_says_td_stops_what_would_go_by_sms(way: Way) -> None:
    receiver = WebReceiver(reacts=lambda posted: (201, '{"sid": "SMours"}'))
    await way.stack.enter_async_context(receiving(receiver))
    sending = {"account_sid": "AC1", "from": "+8613900000000", "api_url": receiver.url}
    await way.account("twilio", "main", auth_token=twilio.TOKEN, **sending)
    for number, text in ((1, "水泵漏水"), (2, "TD"), (2, "TD"), (2, "TD")):
        told = twilio.sms(number, From="+8613000000001", Body=text)
        call = twilio.signed("https://aftercare.example" + SMS, urlencode(told).encode())
        answer = await way.desk.client().post(SMS, content=call.body, headers=dict(call.headers))
        assert answer.status_code == 200, answer.text
    rows = await way.desk.admin.fetch("SELECT purpose, channel, given, source, by FROM consent")
    noted = ("sms", False, "twilio: TD", "customer")
    assert {tuple(row) for row in rows} == {(each, *noted) for each in ("marketing", "service", "survey")}
    assert len(rows) == 3
    [row] = await way.desk.admin.fetch("SELECT id FROM request")
    await ask(way, row["id"], "progress")
    await way.answered(row["id"], "We come tomorrow.")
    await way.deliver()
    assert await fates(way) == [STOPPED, ("sent", None)]
    assert [parse_qs(each.body.decode())["Body"] for each in receiver.got] == [["We come tomorrow."]]


async def test_a_stranger_who_wants_nothing_is_remembered(way: Way) -> None:
    await way.mail()
    assert await aside(way, "Unsubscribe.", "first") == "opt_out"
    request = await way.mailed(id="m9")
    await ask(way, request, "survey")
    await way.deliver()
    assert await fates(way) == [STOPPED]
