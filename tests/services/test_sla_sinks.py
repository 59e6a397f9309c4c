"""Whoever must know is told: once, by every way, whatever breaks; and told again when it was wrong."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from email import message_from_string
from email.policy import default
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook

from contracts.clocking import ARRIVED, DUE, ENGINEER, HOUR, MINUTE, SECOND, TEN, Desk, assigned, clocking
from contracts.receiving import MailReceiver, WebReceiver, receiving
from contracts.serving import clock_kept
from shared.clock import clock, uuid7
from shared.events.dispatch import GroupFormed, LeadershipInformed
from shared.http.auth import Principal
from sla_monitor.alerts.climbing import look_up_again
from sla_monitor.alerts.handling import handle_alerts
from sla_monitor.alerts.rules import Acknowledge, Snooze
from sla_monitor.sinks import registry, store
from sla_monitor.sinks.actions import Wanted, add_sink, replay
from sla_monitor.sinks.lanes import LEASE, Lanes
from sla_monitor.sinks.loops import LanesLoop
from sla_monitor.sinks.outgoing import Allowed, Outgoing
from sla_monitor.sinks.rules import KEEP_TRYING, Terms

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
GUIDE, LEADER, CHIEF = UUID(int=21), UUID(int=22), UUID(int=23)
OPERATOR = Principal(str(UUID(int=30)), frozenset({"operations"}))
AT_ONCE = Terms(window=0, gather=0, language="en")


@dataclass
class Post:
    """The desk, its way out, and receivers that live as long as the test."""

    desk: Desk
    lanes: Lanes
    stack: AsyncExitStack

    async def web(
        self, receiver: WebReceiver | None = None, terms: Terms = AT_ONCE
    ) -> tuple[UUID, WebReceiver]:
        receiver = receiver or WebReceiver()
        await self.stack.enter_async_context(receiving(receiver))
        return await self.sink("webhook", {"url": receiver.url + "/hook"}, KEY, terms), receiver

    async def sink(self, kind: str, config: dict[str, Any], secret: str = "", terms: Terms = AT_ONCE) -> UUID:
        wanted = Wanted(f"{kind} {uuid7()}", config, terms, True, secret)
        transact = self.desk.database.transact
        added = await transact(lambda tx: add_sink(tx, "me", self.lanes.outgoing, kind, wanted))
        return added.id

    async def look(self) -> None:
        """Begin the lanes that have something to do."""
        await self.desk.database.transact(lambda tx: self.lanes.tick(tx, clock.now()))

    async def deliver(self) -> None:
        await self.look()
        await self.lanes.settle()

    async def again(self) -> None:
        """Let the lanes of this process go, as if it had died, and begin anew."""
        await self.lanes.stop()
        self.lanes = Lanes(self.desk.database, Outgoing(self.lanes.outgoing.allowed))

    async def messages(self) -> list[tuple[str, int]]:
        """State and attempts of each message, in order."""
        rows = await self.desk.admin.fetch("SELECT state, attempts FROM message ORDER BY made_at, id")
        return [(row["state"], row["attempts"]) for row in rows]

    async def missed(self, number: int = 1) -> list[UUID]:
        """Urgent tickets that nobody came to, and that somebody was told of."""
        tickets = [await self.desk.urgent() for _ in range(number)]
        await self.breach()
        return tickets

    async def breach(self) -> None:
        for now in (TEN + 90 * MINUTE, DUE + SECOND):
            await self.desk.tick(now, dispatch=now)

    async def alert(self, threshold: int = 100) -> tuple[UUID, int]:
        """An alert about on-site arrival, and its version."""
        query = """
            SELECT alert.id, alert.version FROM alert JOIN clock ON clock.id = clock_id
            WHERE threshold = $1 AND promise = 'on_site'
        """
        row = await self.desk.admin.fetchrow(query, threshold)
        return row["id"], row["version"]


def later(by: timedelta) -> None:
    clock.set(clock.now() + by)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def post(running: Desk) -> AsyncIterator[Post]:
    await running.clear()
    await running.admin.execute("TRUNCATE sink CASCADE")
    lanes = Lanes(running.database, Outgoing(Allowed.read("127.0.0.0/8"), "https://aftercare.example"))
    async with AsyncExitStack() as stack:
        stack.enter_context(clock_kept())
        made = Post(running, lanes, stack)
        yield made
        await made.lanes.stop()


def breaches(receiver: WebReceiver) -> list[dict[str, Any]]:
    """What a receiver was told of as missed on site, message by message."""
    told = [each.json for each in receiver.got]
    return [
        alert
        for each in told
        if each["type"] == "sla.breach"
        for alert in each["data"]["alerts"]
        if alert["promise"] == "on_site"
    ]


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
from sla_monitor.sinks.outgoing import Allowed, Outgoing

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
    monkeypatch.setattr("sla_monitor.sinks.outgoing.PATIENCE", 0.05)
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


# Grouping, and what is taken back.


async def test_breaches_of_one_owner_become_one_message_and_none_is_left_out(post: Post) -> None:
    _, receiver = await post.web(terms=Terms(window=300, gather=60, group_by=("owner",), language="en"))
    first = await post.missed()
    await post.deliver()
    more = await post.missed(5)
    await post.deliver()
    assert [each["about"] for each in breaches(receiver)] == [str(first[0])]
    later(MINUTE)
    await post.deliver()
    missed = [each for each in receiver.got if each.json["type"] == "sla.breach"]
    assert {each["about"] for each in breaches(receiver)} == {str(each) for each in (*first, *more)}
    assert len(missed) == 2
    waiting = await post.desk.admin.fetchval("SELECT count(*) FROM notice WHERE state = 'waiting'")
    assert waiting == 0


async def test_whoever_was_told_of_a_false_alert_hears_so_once(post: Post) -> None:
    _, told = await post.web()
    (ticket,) = await post.missed()
    await post.deliver()
    _, late = await post.web()
    for _ in range(2):
        await post.desk.happen(ticket, ARRIVED, DUE - SECOND)
        await post.deliver()
    taken_back = [each.json for each in told.got if each.json["type"] == "sla.retraction"]
    assert [alert["threshold"] for each in taken_back for alert in each["data"]["alerts"]].count(100) == 1
    assert {each["role"] for each in taken_back[0]["data"]["recipients"]} >= {"owner", "team_lead"}
    assert late.got == []
    query = """
        SELECT count(*) FROM alert_deed JOIN alert ON alert.id = alert_id
        WHERE deed = 'retracted' AND threshold = 100
    """
    assert await post.desk.admin.fetchval(query) == 1


async def test_what_became_of_an_alert_waits_for_the_alert_itself(post: Post) -> None:
    _, receiver = await post.web(WebReceiver(answers=lambda number: 500 if number == 1 else 204))
    (ticket,) = await post.missed()
    await post.desk.admin.execute("DELETE FROM notice WHERE what <> 'breach' OR promise <> 'on_site'")
    await post.deliver()
    await post.desk.happen(ticket, ARRIVED, DUE + HOUR)
    later(2 * SECOND)
    await post.deliver()
    assert [each.json["type"] for each in receiver.got] == ["sla.breach"]
    later(MINUTE)
    await post.deliver()
    await post.deliver()
    assert [each.json["type"] for each in receiver.got] == ["sla.breach", "sla.breach", "sla.ended"]


# Ladders.


async def named(post: Post) -> UUID:
    """A ticket of which events have told who guides, leads and is informed."""
    desk, ticket = post.desk, uuid7()
    guided = assigned().model_copy(update={"supervisor_id": GUIDE})
    group = GroupFormed(leader_id=LEADER, member_ids=(LEADER, ENGINEER))
    informed = LeadershipInformed(leader_ids=(CHIEF,), severity="urgent")
    await desk.receive(*(desk.event(ticket, each, TEN) for each in (guided, group, informed)))
    return ticket


def told_to(receiver: WebReceiver, what: str) -> list[tuple[str, str | None]]:
    return [
        (each["role"], each["person_id"])
        for posted in receiver.got
        if posted.json["type"] == f"sla.{what}" and posted.json["data"]["alerts"][0]["promise"] == "on_site"
        for each in posted.json["data"]["recipients"]
    ]


async def climb(post: Post, now: Any) -> None:
    await post.desk.database.transact(lambda tx: look_up_again(tx, now))
    await post.deliver()


async def test_the_ladder_reaches_the_right_people(post: Post) -> None:
    _, receiver = await post.web()
    await named(post)
    for now in (TEN + 90 * MINUTE, DUE + SECOND):
        await post.desk.tick(now, dispatch=now)
        await post.deliver()
    assert set(told_to(receiver, "warning")) == {("owner", str(ENGINEER))}
    assert told_to(receiver, "breach") == [
        ("owner", str(ENGINEER)),
        ("supervisor", str(GUIDE)),
        ("team_lead", str(LEADER)),
    ]
    await climb(post, DUE + 60 * MINUTE)
    assert told_to(receiver, "escalation") == []
    for _ in range(2):
        await climb(post, DUE + 61 * MINUTE)
    assert told_to(receiver, "escalation") == [("leadership", str(CHIEF)), ("team_lead", str(LEADER))]
    events = [name for name, _, _ in await post.desk.told()]
    assert "alert_escalated" in events


async def do(post: Post, deed: Any) -> Any:
    id, version = await post.alert()
    (outcome,) = await post.desk.database.transact(
        lambda tx: handle_alerts(tx, OPERATOR, deed, {id: version})
    )
    return outcome


async def test_acknowledging_stops_the_ladder(post: Post) -> None:
    _, receiver = await post.web()
    await named(post)
    await post.breach()
    assert (await do(post, Acknowledge())).refused is None
    await climb(post, DUE + 2 * HOUR)
    assert told_to(receiver, "escalation") == []


async def test_an_end_of_the_matter_stops_the_ladder(post: Post) -> None:
    _, receiver = await post.web()
    ticket = await named(post)
    await post.breach()
    await post.desk.happen(ticket, ARRIVED, DUE + MINUTE)
    await climb(post, DUE + 2 * HOUR)
    assert told_to(receiver, "escalation") == []


async def test_a_snoozed_alert_comes_back_by_itself_and_its_ladder_stands_meanwhile(post: Post) -> None:
    _, receiver = await post.web()
    await named(post)
    await post.breach()
    now = clock.now()
    await post.desk.admin.execute("UPDATE escalation SET due_at = $1", now + 30 * MINUTE)
    assert (await do(post, Snooze(now + HOUR, "the customer asked for it"))).refused is None
    await climb(post, now + HOUR - SECOND)
    assert ((await post.alert())[1], told_to(receiver, "returned")) == (2, [])
    for _ in range(2):
        await climb(post, now + HOUR)
    assert ((await post.alert())[1], told_to(receiver, "returned")) == (3, [("owner", str(ENGINEER))])
    await climb(post, now + 89 * MINUTE)  # the ladder stood for an hour
    assert told_to(receiver, "escalation") == []
    await climb(post, now + 91 * MINUTE)
    assert len(told_to(receiver, "escalation")) == 2
    deeds = await post.desk.admin.fetch("SELECT deed, by FROM alert_deed ORDER BY id")
    assert [tuple(each) for each in deeds] == [
        ("snoozed", OPERATOR.id),
        ("returned", None),
        ("escalated", None),
    ]


async def test_what_was_over_before_it_was_told_is_told_as_over_too(post: Post) -> None:
    _, receiver = await post.web()
    ticket = await post.desk.urgent()
    await post.desk.happen(ticket, ARRIVED, DUE + HOUR)
    await post.breach()
    await post.deliver()
    await post.deliver()
    assert [each.json["type"] for each in receiver.got] == ["sla.breach", "sla.ended"]


async def test_many_alerts_take_as_many_statements_as_one(post: Post) -> None:
    await post.web()
    counts = []
    for number in (1, 10):
        for _ in range(number):
            await post.desk.urgent()
        with post.desk.statements() as sent:
            await post.desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
        counts.append(len(sent))
    assert counts[0] == counts[1]


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
