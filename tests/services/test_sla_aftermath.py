"""What became of an alert is told last, to all who were told of it, and of the very alert they know."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest_asyncio

from contracts.clocking import ARRIVED, DUE, ENGINEER, HOUR, MINUTE, SECOND, TEN, Desk, clocking
from contracts.posting import KEY, Post, later, posting
from contracts.receiving import WebReceiver, receiving
from shared.clock import clock
from shared.events.dispatch import OwnerChanged, TicketRegraded
from sla_monitor.alerts.climbing import look_up_again
from sla_monitor.sinks.actions import replay
from sla_monitor.sinks.queue import list_due
from sla_monitor.sinks.rules import KEEP_TRYING, Terms

NEXT = UUID(int=41)
REGRADED = TicketRegraded(severity="important", previous_severity="urgent", by=UUID(int=2), reason="-")


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def post(running: Desk) -> AsyncIterator[Post]:
    async with posting(running) as made:
        yield made


async def alertmanager(post: Post, terms: Terms | None = None) -> tuple[UUID, WebReceiver]:
    receiver = WebReceiver(answers=lambda number: 200)
    await post.stack.enter_async_context(receiving(receiver))
    more = {"terms": terms} if terms else {}
    return await post.sink("alertmanager", {"url": receiver.url}, "", **more), receiver


def missed(receiver: WebReceiver) -> list[dict[str, Any]]:
    """What Alertmanager was told of the missed arrival, in order."""
    alerts = [alert for each in receiver.got for alert in each.json]
    named = [(each["labels"].get("promise"), each["labels"]["alertname"]) for each in alerts]
    return [each for each, name in zip(alerts, named, strict=True) if name == ("on_site", "PromiseMissed")]


def stands(alert: dict[str, Any]) -> bool:
    return datetime.fromisoformat(alert["endsAt"]) > clock.now() + HOUR


async def climb(post: Post, now: datetime) -> None:
    await post.desk.database.transact(lambda tx: look_up_again(tx, now))


async def only(post: Post, *what: str) -> None:
    """Forget what is to be told of anything but the missed arrival."""
    query = "DELETE FROM notice WHERE state = 'waiting' AND (promise <> 'on_site' OR what <> ALL($1))"
    await post.desk.admin.execute(query, list(what))


async def test_all_who_were_told_hear_that_it_was_wrong_whoever_is_accountable_by_then(post: Post) -> None:
    _, receiver = await post.web()
    (ticket,) = await post.missed()
    await post.deliver()
    changed = OwnerChanged(owner_id=NEXT, previous_owner_id=ENGINEER, reason="-")
    await post.desk.happen(ticket, changed, DUE + MINUTE)
    await climb(post, clock.now() + 10 * HOUR)
    await post.deliver()
    await post.desk.happen(ticket, ARRIVED, DUE - SECOND)
    await post.deliver()
    told: dict[str, set[tuple[str, str | None]]] = {}
    for each in receiver.got:
        if each.json["data"]["alerts"][0]["promise"] == "on_site":
            people = {(one["role"], one["person_id"]) for one in each.json["data"]["recipients"]}
            told.setdefault(each.json["type"], set()).update(people)
    assert told["sla.retraction"] >= told["sla.breach"] | told["sla.escalation"]


async def test_an_end_is_told_behind_everything_else_of_its_alert(post: Post) -> None:
    terms = Terms(window=3600, gather=600, language="en")
    _, receiver = await alertmanager(post, terms)
    first, second = await post.missed(2)
    await only(post, "breach")
    await post.deliver()
    for due, ticket in ((HOUR, first), (2 * HOUR, second)):
        await post.desk.admin.execute(
            "UPDATE escalation SET due_at = $1 WHERE alert_id IN (SELECT alert.id FROM alert JOIN clock"
            " ON clock.id = clock_id WHERE subject_id = $2 AND threshold = 100)",
            clock.now() + due,
            ticket,
        )
    await climb(post, clock.now() + HOUR)
    await post.deliver()
    await climb(post, clock.now() + 2 * HOUR)
    await post.deliver()  # the second escalation waits for others like it
    await post.desk.happen(second, ARRIVED, DUE + HOUR)
    await post.deliver()
    for _ in range(3):
        later(10 * MINUTE)
        await post.deliver()
    last = [each for each in missed(receiver) if each["labels"]["about"] == str(second)][-1]
    assert not stands(last)


async def test_what_is_sent_again_ends_again(post: Post) -> None:
    id, receiver = await alertmanager(post)
    (ticket,) = await post.missed()
    await only(post, "breach")
    begun = clock.now() - MINUTE
    await post.deliver()
    alerted = clock.now() + SECOND
    later(MINUTE)
    await post.desk.happen(ticket, ARRIVED, DUE + HOUR)
    await post.deliver()
    assert [stands(each) for each in missed(receiver)] == [True, False]
    for until in (alerted, clock.now() + SECOND):
        again = partial(replay, by="me", id=id, since=begun, until=until)
        assert await post.desk.database.transact(again) == 2
        await post.deliver()
        assert [stands(each) for each in missed(receiver)][-2:] == [True, False]


async def test_an_alert_keeps_its_name_when_the_ticket_is_graded_anew(post: Post) -> None:
    _, receiver = await alertmanager(post)
    (ticket,) = await post.missed()
    await only(post, "breach")
    await post.deliver()
    await post.desk.happen(ticket, REGRADED, TEN + 25 * HOUR)
    await post.desk.admin.execute("UPDATE subject SET region = 'west' WHERE id = $1", ticket)
    await climb(post, clock.now() + 10 * HOUR)
    await post.deliver()
    await post.desk.happen(ticket, ARRIVED, TEN + 26 * HOUR)
    await post.deliver()
    posted = missed(receiver)
    assert len(posted) >= 3
    assert [each["labels"] for each in posted] == len(posted) * [posted[0]["labels"]]
    assert (posted[0]["labels"]["severity"], posted[0]["labels"]["region"]) == ("urgent", "east")
    assert not stands(posted[-1])


async def test_a_breach_that_stays_one_under_another_grade_is_no_second_one(post: Post) -> None:
    """R54, R56, decision 18: late by the new target, too, from the first assignment on."""
    _, receiver = await post.web()
    (ticket,) = await post.missed()
    await only(post, "breach")
    await post.deliver()
    await post.desk.happen(ticket, REGRADED, TEN + 25 * HOUR)
    await post.desk.tick(clock.now(), dispatch=clock.now())
    await only(post, "breach", "retraction")
    await post.deliver()
    assert [each.json["type"] for each in receiver.got] == ["sla.breach"]
    assert await post.desk.alerts(ticket) == [(75, 0), (100, 0)]
    assert (await post.desk.clock(ticket))["deadline"] == TEN + 24 * HOUR


async def test_the_first_of_its_kind_goes_at_once_however_many_others_wait(post: Post) -> None:
    _, receiver = await post.web(terms=Terms(window=3600, gather=600, language="en"))
    await post.missed()
    await only(post, "breach")
    await post.deliver()
    await post.desk.admin.execute(
        """
        INSERT INTO notice (id, alert_id, sink_id, rung, what, tell, owner, region, promise, raised_at, state)
        SELECT gen_random_uuid(), alert_id, sink_id, 'n' || number, what, tell,
               CASE number WHEN 1100 THEN 'another' ELSE owner END, region, promise,
               raised_at + number * interval '1 ms', 'waiting'
        FROM notice, generate_series(1, 1100) AS number WHERE state = 'told'
        """
    )
    await post.deliver()
    assert [len(each.json["data"]["alerts"]) for each in receiver.got] == [1, 1]
    later(11 * MINUTE)
    for _ in range(3):
        await post.deliver()
    assert sum(len(each.json["data"]["alerts"]) for each in receiver.got) == 1101


async def test_two_who_add_a_sink_of_one_name_at_once_get_an_answer_each(post: Post) -> None:
    admin = post.desk.client("admin")
    body = {
        "kind": "webhook", "name": "The only one", "config": {"url": "https://example.com"}, "secret": KEY,
    }  # fmt: skip
    answers = await asyncio.gather(*(admin.post("/sla/sinks", json=body) for _ in range(6)))
    assert sorted(each.status_code for each in answers) == [201, *5 * [409]]


async def test_what_became_of_an_alert_that_was_given_up_waits_without_keeping_anybody_busy(
    post: Post,
) -> None:
    id, receiver = await post.web(WebReceiver(answers=lambda number: 500 if number < 3 else 204))
    (ticket,) = await post.missed()
    await only(post, "breach")
    begun = clock.now() - MINUTE
    await post.deliver()
    later(KEEP_TRYING)
    await post.deliver()
    await post.desk.happen(ticket, ARRIVED, DUE + HOUR)
    await post.desk.admin.execute("DELETE FROM notice WHERE promise <> 'on_site'")
    later(MINUTE)  # the sink has rested
    assert await post.desk.database.transact(lambda tx: list_due(tx, clock.now())) == []
    again = partial(replay, by="me", id=id, since=begun, until=clock.now())
    assert await post.desk.database.transact(again) == 1
    later(MINUTE)
    for _ in range(2):
        await post.deliver()
    assert [each.json["type"] for each in receiver.got][2:] == ["sla.breach", "sla.ended"]
