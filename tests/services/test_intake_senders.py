"""Each provider is asked as it wants to be, and its answers are understood; acknowledgements."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook

from contracts.hearing import Hearing, hearing, told_event
from contracts.posting import later
from contracts.receiving import Posted, WebReceiver, receiving
from contracts.sending import Way, arrived, ways
from intake.app import service
from intake.channels.contract import DeliveryTold
from intake.messages import store as messages
from intake.sending import acknowledgements
from shared.clock import clock, uuid7
from shared.events import feedback, sla

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOUR = timedelta(hours=1)
Provider = Callable[[Posted], tuple[int, str]]


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service, public_url="https://aftercare.example") as desk:
        yield desk


@pytest_asyncio.fixture
async def way(running: Hearing) -> AsyncIterator[Way]:
    async with ways(running) as made:
        yield made


def as_json(code: int, /, **said: Any) -> tuple[int, str]:
    return code, json.dumps(said)


def twilio(posted: Posted) -> tuple[int, str]:
    """Takes messages of AC1 from its number; knows that +15550000 has opted out."""
    form = {name: values[0] for name, values in parse_qs(posted.body.decode()).items()}
    if posted.headers["authorization"] != "Basic " + b64encode(b"AC1:token").decode():
        return as_json(401, code=20003, message="Authenticate")
    if form["To"] == "+15550000":
        return as_json(400, code=21610, message="unsubscribed recipient")
    assert form["From"] == ("whatsapp:+1555" if form["To"].startswith("whatsapp:") else "+1555")
    assert form["StatusCallback"] == "https://aftercare.example/intake/channels/twilio/main"
    assert posted.path == "/2010-04-01/Accounts/AC1/Messages.json"
    return as_json(201, sid="SM1", status="queued", body=form["Body"])


def graph(posted: Posted) -> tuple[int, str]:
    """Takes what page and number may send."""
    if posted.headers["authorization"] != "Bearer token":
        return as_json(401, error={"code": 190, "message": "expired"})
    said = posted.json
    if posted.path == "/555/messages":
        assert said["messaging_product"] == "whatsapp"
        assert said["text"] == {"preview_url": False, "body": "We come tomorrow."}
        return as_json(200, messages=[{"id": f"wamid.{said['to']}"}])
    assert (posted.path, said["message"]) == ("/me/messages", {"text": "We come tomorrow."})
    return as_json(200, recipient_id=said["recipient"]["id"], message_id="m_1")


def wechat() -> Provider:
    """Gives tokens, and takes nothing with the first one: it has been withdrawn."""
    given: list[str] = []

    def react(posted: Posted) -> tuple[int, str]:
        if posted.path == "/cgi-bin/stable_token":
            assert posted.json["appid"] == "wx1"
            given.append(f"T{len(given)}")
            return as_json(200, access_token=given[-1], expires_in=7200)
        if posted.path != "/cgi-bin/message/custom/send?access_token=T1":
            return as_json(200, errcode=40001, errmsg="invalid credential")
        assert posted.json == {"touser": "o1", "msgtype": "text", "text": {"content": "We come tomorrow."}}
        return as_json(200, errcode=0, errmsg="ok")

    return react


def wecom(posted: Posted) -> tuple[int, str]:
    if posted.path == "/cgi-bin/gettoken?corpid=ww1&corpsecret=s":
        assert posted.method == "GET"
        return as_json(200, errcode=0, access_token="T", expires_in=7200)
    assert posted.path == "/cgi-bin/message/send?access_token=T"
    return as_json(200, errcode=0, msgid="M1", invaliduser="") if posted.json["agentid"] == 7 else (500, "")


META = {"access_token": "token", "phone_number_id": "555"}
PROVIDERS: list[tuple[str, dict[str, str], str, Provider, str | None]] = [
    ("twilio", {"account_sid": "AC1", "auth_token": "token", "from": "+1555"}, "+15551", twilio, "SM1"),
    (
        "twilio",
        {"account_sid": "AC1", "auth_token": "token", "from": "+1555"},
        "whatsapp:+1",
        twilio,
        "SM1",
    ),
    ("whatsapp", META, "8613800000000", graph, "wamid.8613800000000"),
    ("messenger", META, "psid", graph, "m_1"),
    ("instagram", META, "igsid", graph, "m_1"),
    ("wechat", {"app_id": "wx1", "app_secret": "s"}, "o1", wechat(), None),
    ("wecom", {"corp_id": "ww1", "secret": "s", "agent_id": "7"}, "lisi", wecom, "M1"),
]


@pytest.mark.parametrize(("channel", "secrets", "address", "provider", "id"), PROVIDERS, ids=lambda each: "")
async def test_an_answer_goes_out_as_the_provider_wants_it(
    way: Way, channel: str, secrets: dict[str, str], address: str, provider: Provider, id: str | None
) -> None:
    receiver = await answering(way, provider)
    await way.set_up(channel, api_url=receiver.url, **secrets)
    [request] = await way.came_in(arrived(channel, address))
    await way.answered(request)
    await way.deliver()
    row = await way.desk.admin.fetchrow(
        "SELECT state, why, detail, sent_id FROM message WHERE state <> 'received'"
    )
    assert tuple(row) == ("sent", None, None, id)


async def answering(way: Way, provider: Provider) -> WebReceiver:
    receiver = WebReceiver(reacts=provider)
    await way.stack.enter_async_context(receiving(receiver))
    return receiver


async def test_other_systems_and_chats_get_signed_posts(way: Way) -> None:
    receiver = WebReceiver()
    await way.stack.enter_async_context(receiving(receiver))
    await way.set_up("webhook", url=receiver.url + "/hook", signing_secret=KEY)
    await way.set_up("chat", url=receiver.url + "/chat", secret=KEY)
    for each in (arrived(None, None, channel="webhook"), arrived("chat", "session-1", channel="web_chat")):
        [request] = await way.came_in(each)
        await way.answered(request)
        await way.deliver()
    for posted in receiver.got:
        Webhook(KEY).verify(posted.body, posted.headers)
    hook, chat = (each.json["data"] for each in receiver.got)
    assert (hook["external_id"], chat["session_id"]) == ("None:1", "session-1")
    assert hook["text"] == chat["text"] == "We come tomorrow."


async def test_what_a_provider_no_longer_lets_us_say_is_shown(way: Way) -> None:
    receiver = await answering(way, graph)
    await way.set_up("whatsapp", api_url=receiver.url, **META)
    await way.set_up("twilio", api_url=(await answering(way, twilio)).url, **PROVIDERS[0][1])
    late, gone = await way.came_in(arrived("whatsapp", "861"), arrived("twilio", "+15550000", channel="sms"))
    later(25 * HOUR)
    await way.answered(late)
    await way.answered(gone)
    await way.answered(gone, "x" * 1601)
    await way.deliver()
    assert [why for _, why, _ in await way.states()] == ["window_over", "refused", "too_long"]
    assert receiver.got == []


async def test_a_customer_without_an_address_is_answered_where_they_last_wrote_from(way: Way) -> None:
    """R27, S7: bound by a channel; what was only typed into a form is no address."""
    box = await way.mail()
    await way.mailed(sender="ann@example.com")
    person = await way.desk.admin.fetchval("SELECT customer_id FROM request")
    bound, typed = await way.came_in(
        arrived(None, None, channel="web_form", id="f1"), arrived(None, None, channel="phone", id="f2")
    )
    await way.desk.admin.execute("UPDATE request SET customer_id = $1 WHERE id = $2", person, bound)
    await way.desk.admin.execute(
        "INSERT INTO identity VALUES ('email', 'victim@example.com', $1)",
        await way.desk.admin.fetchval("SELECT customer_id FROM request WHERE id = $1", typed),
    )
    await way.answered(bound)
    path = f"/intake/requests/{typed}/answers"
    key = {"idempotency-key": str(uuid7())}
    refused = await way.desk.client("care").post(path, json={"text": "We come tomorrow."}, headers=key)
    assert refused.status_code == 422
    await way.deliver()
    assert [each["To"] for each in box.got] == ["ann@example.com"]
    assert [state for state, _, _ in await way.states()] == ["sent"]


async def test_what_services_ask_for_is_said_in_the_customers_language(way: Way) -> None:
    box = await way.mail()
    for number, text in enumerate(("水泵漏水。", "The pump leaks.")):
        request = await way.mailed(text, id=f"m{number}")
        for template, link in (("survey", "/feedback/survey/token"), ("praise", None)):
            asked = feedback.CustomerMessageRequested(request_id=request, template=template, link=link)
            await way.desk.receive(told_event(asked, subject=uuid7(), version=1))
        await way.deliver()
    chinese, english = (each.get_content() for each in box.got)
    assert "请花一分钟评价" in chinese
    assert "How did we do?" in english
    assert "https://aftercare.example/feedback/survey/token" in english
    assert box.got[0]["Auto-Submitted"] == "auto-generated"
    assert [why for _, why, _ in await way.states()] == [None, "unknown_template"] * 2


def told_as(state: Any) -> DeliveryTold:
    return DeliveryTold("wamid.861", state, clock.now(), "131026 not a user")


async def test_what_the_provider_tells_later_is_shown(way: Way) -> None:
    receiver = await answering(way, graph)
    await way.set_up("whatsapp", api_url=receiver.url, **META)
    [request] = await way.came_in(arrived("whatsapp", "861"))
    await way.answered(request)
    await way.deliver()
    for state, seen in (
        ("delivered", "delivered"),
        ("read", "read"),
        ("delivered", "read"),
        ("failed", "failed"),
    ):
        told = [told_as(state)]
        keep = lambda tx, told=told: messages.save_deliveries(tx, "whatsapp", "main", told)  # noqa: E731
        await way.desk.database.transact(keep)
        answer = await way.desk.client("care").get(f"/intake/requests/{request}/messages")
        assert answer.json()[-1]["state"] == seen
    assert answer.json()[-1]["detail"] == "131026 not a user"


# Acknowledgements (S7, decision 12).


async def acknowledge(way: Way) -> None:
    await way.desk.database.transact(lambda tx: acknowledgements.acknowledge(tx, way.lanes.ways))


def started(request: UUID, promise: str = "first_reply") -> bytes:
    payload = sla.ClockStarted(
        about=request,
        about_kind="request",
        promise=promise,
        deadline="2199-11-22T10:50:00Z",
        started_at=clock.now(),
    )
    return told_event(payload, subject=uuid7(), version=1)


async def test_who_wrote_by_mail_hears_at_once_by_when_they_are_answered(way: Way) -> None:
    box = await way.mail()
    chinese, english = await way.mailed("水泵漏水。"), await way.mailed(id="m2", sender="bob@example.com")
    await way.desk.receive(started(chinese), started(english), started(chinese, "other"), started(uuid7()))
    await acknowledge(way)
    await acknowledge(way)
    await way.deliver()
    by_address = {each["To"]: each for each in box.got}
    number = await way.desk.admin.fetchval("SELECT number FROM request WHERE id = $1", chinese)
    assert (
        f"编号：R-{number}。我们将在11月22日 周五 18:50（北京时间）前回复您。"
        in by_address["ann@example.com"].get_content()
    )
    assert "We answer by Fri 22 Nov, 18:50 Beijing time." in by_address["bob@example.com"].get_content()
    assert by_address["bob@example.com"]["Auto-Submitted"] == "auto-replied"
    assert len(box.got) == 2
    row = await way.desk.admin.fetchrow("SELECT answered_at FROM request WHERE id = $1", chinese)
    assert row["answered_at"] is None
    assert "request_answered" not in {name for name, _, _ in await way.desk.told(chinese)}


async def test_without_a_promise_they_hear_after_half_a_minute_and_those_answered_do_not(way: Way) -> None:
    box = await way.mail()
    await way.mailed()
    await way.answered(await way.mailed(id="m2", sender="bob@example.com"))
    await way.mailed(id="m3", sender="no-reply@example.com")
    await way.came_in(arrived(None, None, channel="web_form"))
    await acknowledge(way)
    await way.deliver()
    assert [each["To"] for each in box.got] == ["bob@example.com"]  # the answer
    later(timedelta(seconds=31))
    await acknowledge(way)
    await way.deliver()
    assert [each["To"] for each in box.got[1:]] == ["ann@example.com"]
    assert "We answer as soon as we can." in box.got[1].get_content()


async def test_a_thousand_requests_in_one_name_send_the_victim_one_message(way: Way) -> None:
    """S7: an address hears at most once an hour, however many processes decide."""
    await way.mail()
    mails = [arrived(None, "Victim@example.com", channel="email", id=str(number)) for number in range(1000)]
    await way.came_in(*mails)
    later(timedelta(seconds=31))
    for _ in range(4):
        await asyncio.gather(acknowledge(way), acknowledge(way))
    query = "SELECT count(*) FROM message WHERE template = 'acknowledgement'"
    assert await way.desk.admin.fetchval(query) == 1
    assert await way.desk.admin.fetchval("SELECT count(*) FROM acknowledgement WHERE decided_at IS NULL") == 0
    later(HOUR)
    [again] = await way.came_in(arrived(None, "victim@example.com", channel="email", id="later"))
    await way.desk.receive(started(again))
    await acknowledge(way)
    assert await way.desk.admin.fetchval(query) == 2
