"""A person pauses a promise over HTTP: told, proved and replayed alike, refused where it is too late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.clocking import ARRIVED, ENGINEER, HOUR, MINUTE, TEN, Desk, clocking
from contracts.replaying import run, wish
from contracts.serving import clock_kept
from shared.clock import clock, uuid7
from shared.events.intake import CallRang
from shared.inbox import Receiver
from sla_monitor.app import service
from sla_monitor.clocks.actions import refold

REASON = {"reason": "customer_asked", "note": "the fair lasts until noon"}


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> AsyncIterator[Desk]:
    await running.clear()
    await empty(running.admin, "idempotency, replay, replay_change")
    with clock_kept():
        yield running


def operator(desk: Desk, **limits: Any) -> httpx.AsyncClient:
    return desk.client("operations", id=str(ENGINEER), **limits)


async def begun(desk: Desk, ago: timedelta = 30 * MINUTE) -> UUID:
    """An urgent ticket, on whose site somebody must be two hours after that."""
    return await desk.urgent(clock.now() - ago)


async def path(desk: Desk, ticket: UUID, what: str = "pause", promise: str = "on_site") -> str:
    return f"/sla/clocks/{(await desk.clock(ticket, promise))['id']}/{what}"


def later(by: timedelta) -> None:
    clock.set(clock.now() + by)


async def dossier(
    desk: Desk, ticket: UUID, promise: str = "on_site"
) -> tuple[dict[str, Any], dict[str, Any]]:
    whole = (await operator(desk).get(f"/sla/subjects/{ticket}/clocks")).json()
    return whole, next(each for each in whole["clocks"] if each["promise"] == promise)


async def test_a_pause_stands_in_the_dossier_with_its_reason_and_who_said_so(desk: Desk) -> None:
    ticket = await begun(desk)
    due = (await desk.clock(ticket))["deadline"]
    answer = await operator(desk).post(await path(desk, ticket), json=REASON)
    assert answer.status_code == 200, answer.text
    pause = answer.json()["pause"]
    assert (pause["reason"], pause["by"], pause["note"], pause["ends"]) == (
        "customer_asked", str(ENGINEER), "the fair lasts until noon", None,
    )  # fmt: skip
    later(3 * HOUR)
    await desk.tick(clock.now(), dispatch=clock.now())
    assert (await desk.clock(ticket))["outcome"] == "running"  # it stands: nothing is missed
    again = await operator(desk).post(await path(desk, ticket, "resume"), json={})
    assert again.status_code == 200, again.text
    stood = datetime.fromisoformat(again.json()["deadline"]) - due
    assert 3 * HOUR <= stood < 3 * HOUR + MINUTE
    whole, proof = await dossier(desk, ticket)
    assert whole["agrees"] is True
    (piece,) = [each for each in proof["intervals"] if not each["counted"]]
    assert (piece["why"], piece["by"], piece["seconds"]) == (
        "customer_asked", str(ENGINEER), stood.total_seconds(),
    )  # fmt: skip
    kinds = [each["kind"] for each in whole["history"]]
    assert kinds[-2:] == ["sla.promises_paused", "sla.promises_resumed"]
    assert [word for word in await desk.words(ticket) if word in ("paused", "resumed")] == [
        "paused",
        "resumed",
    ]
    for tag, words in (("en", "the customer asked to wait"), ("zh-CN", "客户要求等待")):
        page = await operator(desk).get(
            f"/sla/subjects/{ticket}", headers={"accept": "text/html", "accept-language": tag}
        )
        for text in (words, "the fair lasts until noon", str(ENGINEER)):
            assert text in page.text


async def test_the_event_in_the_log_is_the_event_in_the_history(desk: Desk) -> None:
    ticket = await begun(desk)
    await operator(desk).post(await path(desk, ticket), json=REASON)
    query = "SELECT event_id, at, sequence FROM history WHERE kind = 'sla.promises_paused'"
    kept = await desk.admin.fetchrow(query)
    logged = await desk.admin.fetchrow("SELECT * FROM event_log WHERE type = 'sla.promises_paused.v1'")
    assert (logged["id"], logged["subject"], logged["sequence"]) == (kept["event_id"], str(ticket), 1)
    (told,) = [data for name, _, data in await desk.told(ticket) if name == "promises_paused"]
    assert (told["promise"], told["reason"], told["by"]) == ("on_site", "customer_asked", str(ENGINEER))


async def test_repair_and_replay_find_nothing_to_change(desk: Desk) -> None:
    ticket, other = await begun(desk), await begun(desk)
    await operator(desk).post(await path(desk, ticket), json=REASON)
    ends = (clock.now() + HOUR).astimezone(UTC).isoformat()
    await operator(desk).post(await path(desk, other), json={**REASON, "until": ends, "whole": True})
    later(HOUR)
    await operator(desk).post(await path(desk, ticket, "resume"), json={})
    await desk.tick(clock.now() + MINUTE, dispatch=clock.now())
    await desk.happen(other, ARRIVED, clock.now())
    assert await desk.database.transact(lambda tx: refold(tx, sorted([ticket, other]), {})) == []
    since = clock.now() - 5 * HOUR
    done = await run(desk, wish(begins=since, ends=clock.now() + HOUR))
    assert (done.state, done.tally.replayed, done.tally.unreproduced) == ("done", 2, 0)


async def test_a_pause_with_an_end_ends_by_itself_and_then_it_may_be_missed(desk: Desk) -> None:
    ticket = await begun(desk)
    ends = clock.now() + HOUR
    await operator(desk).post(await path(desk, ticket), json={**REASON, "until": ends.isoformat()})
    assert (await desk.clock(ticket))["standing"] is False
    await desk.tick(ends, dispatch=ends)
    row = await desk.clock(ticket)
    assert (row["pause_reason"], row["pause_by"], row["pause_note"]) == (None, None, None)
    later(HOUR + MINUTE)
    refused = await operator(desk).post(await path(desk, ticket, "resume"), json={})
    assert (refused.status_code, refused.json()["outcome"]) == (409, "running")
    await desk.tick(row["deadline"] + MINUTE, dispatch=row["deadline"] + MINUTE)
    assert (await desk.clock(ticket))["outcome"] == "breached"
    assert [word for word in await desk.words(ticket) if word in ("paused", "resumed", "breached")] == [
        "paused", "resumed", "breached",
    ]  # fmt: skip


async def test_all_promises_of_a_ticket_stand_at_once_and_those_alone_that_may(desk: Desk) -> None:
    ticket = await begun(desk)
    await operator(desk).post(await path(desk, ticket), json={**REASON, "whole": True})
    rows = await desk.admin.fetch("SELECT promise, standing FROM clock WHERE outcome = 'running'")
    assert {row["promise"]: row["standing"] for row in rows} == {"on_site": True, "resolution": True}
    await operator(desk).post(await path(desk, ticket, "resume", "resolution"), json={})
    assert (await desk.clock(ticket))["standing"] is True
    await operator(desk).post(await path(desk, ticket, "resume"), json={"whole": True})
    assert (await desk.clock(ticket))["standing"] is False


# What is refused.


async def test_of_ten_who_pause_at_once_one_does_and_the_others_see_who(desk: Desk) -> None:
    ticket = await begun(desk)
    where = await path(desk, ticket)
    answers = await asyncio.gather(*(operator(desk).post(where, json=REASON) for _ in range(10)))
    assert sorted(each.status_code for each in answers) == [200, *9 * [409]]
    refused = next(each.json() for each in answers if each.status_code == 409)
    assert (refused["type"], refused["by"], refused["reason"]) == (
        "/problems/promise-paused-already", str(ENGINEER), "customer_asked",
    )  # fmt: skip
    assert await desk.admin.fetchval("SELECT count(*) FROM history WHERE kind LIKE 'sla.%'") == 1


async def test_what_is_decided_is_not_paused_although_nobody_has_judged_it(desk: Desk) -> None:
    late = await begun(desk, 2 * HOUR + MINUTE)
    answer = await operator(desk).post(await path(desk, late), json=REASON)
    assert (answer.status_code, answer.json()["outcome"]) == (409, "breached")
    await desk.tick(clock.now(), dispatch=clock.now())
    answer = await operator(desk).post(await path(desk, late), json=REASON)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/promise-decided")
    met = await begun(desk)
    await desk.happen(met, ARRIVED, clock.now())
    answer = await operator(desk).post(await path(desk, met), json=REASON)
    assert (answer.status_code, answer.json()["outcome"]) == (409, "met")
    assert await desk.admin.fetchval("SELECT count(*) FROM history WHERE kind LIKE 'sla.%'") == 0


async def test_a_pause_that_began_too_late_is_not_undone_by_its_end(desk: Desk) -> None:
    ticket = await begun(desk)
    await operator(desk).post(await path(desk, ticket), json=REASON)
    await operator(desk).post(await path(desk, ticket, "resume"), json={})
    later(2 * HOUR)
    answer = await operator(desk).post(await path(desk, ticket, "resume"), json={})
    assert (answer.status_code, answer.json()["outcome"]) == (409, "breached")


async def test_the_policy_says_which_promises_may_be_paused(desk: Desk) -> None:
    ringing = uuid7()
    await desk.happen(ringing, CallRang(region="east"), TEN)
    answer = await operator(desk).post(await path(desk, ringing, promise="answer_call"), json=REASON)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/promise-not-pausable")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"reason": "no_people"}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"note": " "}, "/note"),
        ({"note": "n" * 501}, "/note"),
        ({"until": "2020-01-01T00:00:00Z"}, "/until"),
        ({"until": "2126-01-01T00:00:00Z"}, "/until"),
        ({"until": "2026-12-01T00:00:00"}, "/until"),
        ({"since": "2026-12-01T00:00:00Z"}, "/since"),
    ],
)
async def test_a_pause_needs_a_reason_a_note_and_an_end_to_come(
    desk: Desk, changes: dict[str, Any], pointer: str
) -> None:
    ticket = await begun(desk)
    answer = await operator(desk).post(await path(desk, ticket), json={**REASON, **changes})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert (await desk.clock(ticket))["pause_reason"] is None


async def test_a_repeated_request_pauses_once(desk: Desk) -> None:
    ticket, key = await begun(desk), {"idempotency-key": '"from-the-board"'}
    where = await path(desk, ticket)
    first, second = [await operator(desk).post(where, json=REASON, headers=key) for _ in range(2)]
    assert (first.status_code, second.status_code, second.json()) == (200, 200, first.json())


async def test_only_operations_pauses_and_only_what_it_sees(desk: Desk) -> None:
    ticket = await begun(desk)
    for what, body in (("pause", REASON), ("resume", {})):
        where = await path(desk, ticket, what)
        for role in ("dispatcher", "engineer", "care"):
            assert (await desk.client(role).post(where, json=body)).status_code == 403
        elsewhere = operator(desk, regions=frozenset({"west"}))
        assert (await elsewhere.post(where, json=body)).json()["type"] == "/problems/clock-unknown"
        unknown = await operator(desk).post(f"/sla/clocks/{uuid7()}/{what}", json=body)
        assert unknown.status_code == 404


async def test_a_ticket_that_goes_on_while_somebody_pauses_it_loses_neither(desk: Desk) -> None:
    """Both hold the subject: whichever comes second folds what the first has written."""
    tickets = [await begun(desk) for _ in range(5)]
    where = [await path(desk, each) for each in tickets]
    bodies = [desk.event(each, ARRIVED, clock.now() + MINUTE) for each in tickets]
    receiver = Receiver(desk.database, service.consumers)
    await asyncio.gather(
        *(operator(desk).post(each, json=REASON) for each in where),
        *(receiver.receive([each], "live") for each in bodies),
    )
    for ticket in tickets:
        whole, proof = await dossier(desk, ticket)
        assert whole["agrees"] is True
        kinds = {each["kind"] for each in whole["history"]}
        assert "dispatch.engineer_arrived" in kinds
        assert proof["outcome"] == "met"
