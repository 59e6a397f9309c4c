"""Whoever must know is told: together where that is enough, step by step, and again when it was wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest_asyncio

from contracts.clocking import ARRIVED, DUE, ENGINEER, HOUR, MINUTE, SECOND, TEN, Desk, assigned, clocking
from contracts.posting import Post, breaches, later, posting
from contracts.receiving import WebReceiver
from shared.clock import clock, uuid7
from shared.events.urgent import GroupFormed, LeadershipInformed
from shared.http.auth import Principal
from sla_monitor.alerts.climbing import look_up_again
from sla_monitor.alerts.handling import handle_alerts
from sla_monitor.alerts.rules import Acknowledge, Snooze
from sla_monitor.sinks.rules import Terms

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
    query = """
        SELECT deed, by FROM alert_deed
        JOIN alert ON alert.id = alert_id JOIN clock ON clock.id = clock_id
        WHERE promise = 'on_site' ORDER BY alert_deed.id
    """
    deeds = await post.desk.admin.fetch(
        query
    )  # leadership, who has not acknowledged, has a ladder of its own
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
