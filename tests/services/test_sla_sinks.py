"""Every way out of the house: each message once, whatever breaks, and none delayed by another."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from email import message_from_string
from email.policy import default
from uuid import UUID

import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook

from contracts.clocking import ARRIVED, DUE, ENGINEER, HOUR, MINUTE, SECOND, Desk, clocking
from contracts.posting import KEY, Post, breaches, later, posting
from contracts.receiving import MailReceiver, WebReceiver, receiving
from shared.clock import clock
from shared.http.auth import Principal
from sla_monitor.sinks import registry, store
from sla_monitor.sinks.actions import replay
from sla_monitor.sinks.lanes import LEASE, Lanes
from sla_monitor.sinks.loops import LanesLoop
from sla_monitor.sinks.rules import KEEP_TRYING, Terms

GUIDE, LEADER, CHIEF = UUID(int=21), UUID(int=22), UUID(int=23)
OPERATOR = Principal(str(UUID(int=30)), frozenset({"operations"}))


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def post(running: Desk) -> AsyncIterator[Post]:
    async with posting(running) as made:
        yield made


# Webhooks.


async def test_a_breach_is_posted_once_signed_and_says_whom_it_concerns(post: Post) -> None:
    _, receiver = await post.web()
    (ticket,) = await post.missed()
    await post.deliver()
    await post.deliver()
    (alert,) = breaches(receiver)
    assert (alert["about"], alert["threshold"], alert["requirement"]) == (str(ticket), 100, "R54")
    assert alert["url"] == f"https://aftercare.example/sla/subjects/{ticket}"
    for each in receiver.got:
        Webhook(KEY).verify(each.body, each.headers)
    posted = next(each for each in receiver.got if each.json["type"] == "sla.breach")
    assert posted.json["data"]["recipients"] == [
        {"role": "owner", "person_id": str(ENGINEER)},
        {"role": "supervisor", "person_id": None},
        {"role": "team_lead", "person_id": None},
    ]
    assert {state for state, _ in await post.messages()} == {"sent"}


async def test_a_failure_is_tried_again_under_the_same_id_until_it_is_taken(post: Post) -> None:
    _, receiver = await post.web(WebReceiver(answers=lambda number: 503 if number < 3 else 204))
    await post.missed()
    await post.desk.admin.execute("DELETE FROM notice WHERE what <> 'breach'")
    for _ in range(5):
        await post.deliver()
        later(5 * MINUTE)
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1
    assert (len(receiver.got), await post.messages()) == (3, [("sent", 3)])
    failing = await post.desk.database.transact(store.load_failing)
    assert failing == []


async def test_who_asks_to_be_left_alone_is(post: Post) -> None:
    answers = WebReceiver(answers=lambda number: 429 if number == 1 else 204, headers="retry-after: 1200\r\n")
    _, receiver = await post.web(answers)
    await post.missed()
    await post.deliver()
    later(15 * MINUTE)
    await post.deliver()
    assert len(receiver.got) == 1
    later(6 * MINUTE)
    await post.deliver()
    assert len(receiver.got) > 1


async def test_after_a_day_a_message_is_given_up_and_may_be_replayed(post: Post) -> None:
    id, receiver = await post.web(WebReceiver(answers=lambda number: 500 if number < 3 else 204))
    await post.missed()
    await post.desk.admin.execute("DELETE FROM notice WHERE what <> 'breach'")
    begun = clock.now() - MINUTE
    await post.deliver()
    later(KEEP_TRYING)
    await post.deliver()
    assert await post.messages() == [("given_up", 2)]
    transact = post.desk.database.transact
    assert await transact(lambda tx: replay(tx, "me", id, begun, clock.now())) == 1
    later(MINUTE)
    await post.deliver()
    assert await post.messages() == [("sent", 1)]
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1


_PROCESS = """
import asyncio, sys
from shared.clock import clock
from shared.db import Database
from sla_monitor.sinks.lanes import Lanes
from shared.outgoing import Allowed, Outgoing

async def main():
    database = Database("sla", sys.argv[1])
    await clock.sync(database.time)
    lanes = Lanes(database, Outgoing(Allowed.read("127.0.0.0/8")))
    await database.transact(lambda tx: lanes.tick(tx, clock.now()))
    await lanes.settle()

asyncio.run(main())
"""


async def test_a_process_killed_between_sending_and_recording_repeats_under_the_same_id(post: Post) -> None:
    _, receiver = await post.web(WebReceiver(answers=lambda number: None if number == 1 else 204))
    await post.missed()
    await post.desk.admin.execute("DELETE FROM notice WHERE promise <> 'on_site' OR what <> 'breach'")
    url = str(post.desk.served.settings.database_url)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _PROCESS, url)
    await receiver.arrived(1)
    process.kill()
    await process.wait()
    await post.deliver()
    assert (len(receiver.got), await post.messages()) == (1, [("sending", 1)])  # somebody may be at it
    later(LEASE)
    await post.deliver()
    first, second = receiver.got
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert await post.messages() == [("sent", 2)]


async def test_where_nobody_drops_duplicates_a_person_decides_after_a_crash(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful = replace(registry.KINDS["webhook"], drops_duplicates=False)
    monkeypatch.setitem(registry.KINDS, "webhook", forgetful)
    _, receiver = await post.web(WebReceiver(answers=lambda number: None))
    await post.missed()
    await post.desk.admin.execute("DELETE FROM notice WHERE what <> 'breach'")
    await post.look()
    await receiver.arrived(1)
    await post.again()
    later(LEASE)
    await post.deliver()
    assert (len(receiver.got), await post.messages()) == (1, [("unknown", 1)])


async def test_a_sink_that_hangs_delays_no_other(post: Post) -> None:
    hanging_id, hanging = await post.web(WebReceiver(answers=lambda number: None))
    _, well = await post.web()
    await post.missed()
    await post.look()
    await hanging.arrived(1)
    await well.arrived(1)
    query = "SELECT DISTINCT state FROM message WHERE sink_id = $1"
    assert await post.desk.admin.fetchval(query, hanging_id) == "sending"


async def test_a_sink_that_does_not_answer_is_seen(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.outgoing.PATIENCE", 0.05)
    await post.web(WebReceiver(answers=lambda number: None))
    await post.missed()
    await post.deliver()
    (failing,) = await post.desk.database.transact(store.load_failing)
    assert failing.last_error == "no answer within 10 s"
    assert failing.waiting > 0


async def test_a_sink_in_trouble_is_asked_one_message_at_a_time(post: Post) -> None:
    _, receiver = await post.web(WebReceiver(answers=lambda number: 500))
    await post.missed(5)
    await post.deliver()
    first = len(receiver.got)
    later(MINUTE)
    await post.deliver()
    assert len(receiver.got) == first + 1


async def test_two_processes_send_each_message_once(post: Post) -> None:
    _, receiver = await post.web()
    await post.missed(10)
    other = replace(post, lanes=Lanes(post.desk.database, post.lanes.outgoing))
    await asyncio.gather(post.deliver(), other.deliver())
    await post.deliver()
    ids = [each.headers["webhook-id"] for each in receiver.got]
    assert len(ids) == len(set(ids))
    assert len(breaches(receiver)) == 10


async def test_redirects_lead_nowhere(post: Post) -> None:
    id, elsewhere = await post.web()
    there = f"location: {elsewhere.url}\r\n"
    await post.web(WebReceiver(answers=lambda number: 307, headers=there))
    await post.desk.admin.execute("UPDATE sink SET enabled = false WHERE id = $1", id)
    await post.missed()
    await post.deliver()
    assert elsewhere.got == []
    (failing,) = await post.desk.database.transact(store.load_failing)
    assert failing.last_error == "answered 307"


async def test_a_process_delivers_by_itself_and_takes_its_lanes_with_it(post: Post) -> None:
    _, receiver = await post.web()
    _, hanging = await post.web(WebReceiver(answers=lambda number: None))
    await post.missed()
    loop = LanesLoop("sinks", post.lanes.tick, every=SECOND, lanes=post.lanes)
    running = asyncio.create_task(loop.run(post.desk.database))
    await receiver.arrived(1)
    await hanging.arrived(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("sink ")] == []


# Mail and Alertmanager.


async def test_a_mail_goes_to_those_concerned(post: Post) -> None:
    receiver = MailReceiver()
    await post.stack.enter_async_context(receiving(receiver))
    config = {
        "host": "127.0.0.1", "port": receiver.port, "security": "plain", "sender": "aftercare@example.com",
        "to": ["team@example.com"], "people": {str(ENGINEER): "engineer@example.com"},
    }  # fmt: skip
    await post.sink("mail", config, terms=Terms(window=0, roles=("owner",), warnings=False, language="zh-CN"))
    await post.missed()
    await post.deliver()
    mails = [(to, message_from_string(mail, policy=default)) for to, mail in receiver.got]
    missed = [(to, mail) for to, mail in mails if "到达现场" in str(mail["Subject"])]
    ((to, mail),) = missed
    id = await post.desk.admin.fetchval("SELECT id FROM message WHERE body::text LIKE '%on_site%'")
    assert to == ["engineer@example.com"]
    assert mail["Message-ID"] == f"<{id}@aftercare.example>"
    assert "https://aftercare.example/sla/subjects/" in mail.get_content()


async def test_a_mail_that_is_refused_is_a_failure_that_names_the_answer(post: Post) -> None:
    receiver = MailReceiver(refuses=True)
    await post.stack.enter_async_context(receiving(receiver))
    config = {
        "host": "127.0.0.1", "port": receiver.port, "security": "plain", "sender": "aftercare@example.com",
        "to": ["team@example.com"],
    }  # fmt: skip
    await post.sink("mail", config)
    await post.missed()
    await post.deliver()
    (failing,) = await post.desk.database.transact(store.load_failing)
    assert failing.last_error == "the mail server knows none of the addresses"


async def test_what_a_persons_address_is_refused_reaches_the_team(post: Post) -> None:
    receiver = MailReceiver(unknown="gone@example.com")
    await post.stack.enter_async_context(receiving(receiver))
    config = {
        "host": "127.0.0.1", "port": receiver.port, "security": "plain", "sender": "aftercare@example.com",
        "to": ["team@example.com"], "people": {str(ENGINEER): "gone@example.com"},
        "roles": {"supervisor": "guide@example.com", "team_lead": "guide@example.com"},
    }  # fmt: skip
    await post.sink("mail", config, terms=Terms(window=0, warnings=False))
    await post.missed()
    await post.desk.admin.execute("DELETE FROM notice WHERE what <> 'breach' OR promise <> 'on_site'")
    await post.deliver()
    await post.deliver()
    assert [to for to, _ in receiver.got] == [["guide@example.com"], ["team@example.com"]]
    assert await post.messages() == [("sent", 1)]


async def test_alertmanager_is_told_and_told_again_when_it_is_over(post: Post) -> None:
    receiver = WebReceiver(answers=lambda number: 200)
    await post.stack.enter_async_context(receiving(receiver))
    await post.sink("alertmanager", {"url": receiver.url}, "token")
    (ticket,) = await post.missed()
    await post.deliver()
    await post.desk.happen(ticket, ARRIVED, DUE + HOUR)
    await post.deliver()
    assert {each.path for each in receiver.got} == {"/api/v2/alerts"}
    assert receiver.got[0].headers["authorization"] == "Bearer token"
    alerts = [alert for each in receiver.got for alert in each.json]
    missed = [each for each in alerts if each["labels"]["alertname"] == "PromiseMissed"]
    missed = [each for each in missed if each["labels"]["promise"] == "on_site"]
    assert [each["labels"] for each in missed] == 2 * [missed[0]["labels"]]
    assert missed[1]["endsAt"] < missed[0]["endsAt"]


async def test_a_secret_and_a_message_stay_out_of_the_audit(post: Post) -> None:
    await post.web()
    rows = await post.desk.admin.fetch("SELECT detail FROM audit WHERE action LIKE 'sink%'")
    written = json.dumps([row["detail"] for row in rows])
    assert "whsec" not in written
    assert "127.0.0.1" not in written
