"""Events in, clocks, alerts and events out, on a real database."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import event as listening
from sqlalchemy import text
from sqlalchemy.engine import make_url

from contracts.serving import Served, serving
from shared.clock import uuid7
from shared.db import Tx
from shared.events import Event, Payload
from shared.events.dispatch import (
    AssignmentAccepted,
    EngineerArrived,
    TicketAssigned,
    TicketClosed,
    TicketOpened,
    TicketRegraded,
    VisitAgreed,
)
from shared.events.envelope import event_model
from shared.events.terms import Severity, Site
from shared.inbox import Receiver
from sla_monitor.alerts.actions import judge_due
from sla_monitor.app import service

ENGINEER, LEAD = UUID(int=1), UUID(int=2)
SITE = Site(region="east", city="shanghai")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
TEN = datetime(2026, 11, 20, 10, tzinfo=ZoneInfo("Asia/Shanghai"))
"""Of an ordinary working Friday."""
MINUTE, HOUR, SECOND = timedelta(minutes=1), timedelta(hours=1), timedelta(seconds=1)
DUE = TEN + 2 * HOUR
"""When the engineer of an urgent ticket in the same city must be on site (R54)."""


@dataclass
class Desk:
    """The service with its database: events go in, rows and events come out."""

    served: Served
    admin: asyncpg.Connection
    versions: dict[UUID, int] = field(default_factory=dict)

    def event(self, subject: UUID, payload: Payload, at: datetime) -> bytes:
        version = self.versions[subject] = self.versions.get(subject, 0) + 1
        event: Event[Any] = event_model(type(payload))(
            id=uuid7(), source="/aftercare/test", type=payload.type, subject=str(subject),
            sequence=f"{version:010d}", time=at, data=payload,
        )  # fmt: skip
        return b"[" + event.model_dump_json(exclude_none=True).encode() + b"]"

    async def receive(self, *bodies: bytes) -> None:
        await Receiver(self.served.database, service.consumers).receive(bodies, "live")
        assert await self.admin.fetch("SELECT * FROM sla.parked") == []

    async def happen(self, subject: UUID, payload: Payload, at: datetime) -> None:
        await self.receive(self.event(subject, payload, at))

    async def tick(self, now: datetime, began: datetime = LONG_AGO, **heard: datetime) -> datetime | None:
        return await self.served.database.transact(lambda tx: judge_due(tx, now, heard, began))

    async def clock(self, subject: UUID, promise: str = "on_site") -> asyncpg.Record:
        query = "SELECT * FROM sla.clock WHERE subject_id = $1 AND promise = $2"
        return await self.admin.fetchrow(query, subject, promise)

    async def told(self, subject: UUID, promise: str = "on_site") -> list[tuple[str, dict[str, Any]]]:
        """The events about one promise to `subject`, in order: what, and its data."""
        rows = await self.admin.fetch("SELECT body FROM sla.event_log ORDER BY id")
        events = [json.loads(row["body"]) for row in rows]
        return [
            (each["type"].split(".")[1].removeprefix("clock_"), each["data"])
            for each in events
            if (each["data"]["about"], each["data"]["promise"]) == (str(subject), promise)
        ]

    async def words(self, subject: UUID, promise: str = "on_site") -> list[str]:
        return [word for word, _ in await self.told(subject, promise)]

    async def alerts(self, subject: UUID) -> list[tuple[int, int]]:
        query = """
            SELECT threshold, alert.revision FROM sla.alert JOIN sla.clock ON clock.id = clock_id
            WHERE subject_id = $1 ORDER BY 2, 1
        """
        return [tuple(row) for row in await self.admin.fetch(query, subject)]

    async def urgent(self, at: datetime = TEN) -> UUID:
        """A new urgent ticket in the same city, accepted at once."""
        ticket = uuid7()
        accepted = AssignmentAccepted(engineer_id=ENGINEER)
        await self.receive(self.event(ticket, assigned(), at), self.event(ticket, accepted, at + SECOND))
        return ticket


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with serving(postgres_url, service) as served:
        name = served.database.engine.url.database
        url = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
        admin = await asyncpg.connect(url)
        yield Desk(served, admin)
        await admin.close()


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    """The desk with nothing on it."""
    await running.admin.execute(
        "TRUNCATE sla.history, sla.subject, sla.clock, sla.timer, sla.alert, sla.event_log, sla.inbox"
    )
    return running


def assigned(severity: Severity = "urgent", *, same_city: bool = True) -> TicketAssigned:
    return TicketAssigned(
        request_id=UUID(int=9), engineer_id=ENGINEER, tier="senior", severity=severity, centre="SH1",
        same_city=same_city, site=SITE,
    )  # fmt: skip


def opened(severity: Severity = "urgent") -> TicketOpened:
    return TicketOpened(
        request_id=UUID(int=9), customer_id=UUID(int=8), customer_level="vip", kind="fault",
        severity=severity, site=SITE, title="The press stands still", owner_id=LEAD,
    )  # fmt: skip


ARRIVED = EngineerArrived(engineer_id=ENGINEER)


def visit(starts_at: datetime) -> VisitAgreed:
    return VisitAgreed(
        visit_id=uuid7(), engineer_id=ENGINEER, starts_at=starts_at, ends_at=starts_at + HOUR,
        at_customers_wish=True,
    )  # fmt: skip


# The fold, live.


async def test_a_ticket_is_clocked_from_assignment_to_arrival(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.happen(ticket, ARRIVED, DUE)
    clock = await desk.clock(ticket)
    assert (clock["outcome"], clock["deadline"], clock["stopped_at"]) == ("met", DUE, DUE)
    assert await desk.words(ticket) == ["started", "met"]
    assert await desk.words(ticket, "accept") == ["started", "met"]


async def test_events_carry_rising_versions_of_their_clock(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.happen(ticket, ARRIVED, DUE)
    rows = await desk.admin.fetch("SELECT subject, sequence FROM sla.event_log ORDER BY id")
    versions: dict[str, list[int]] = {}
    for row in rows:
        versions.setdefault(row["subject"], []).append(row["sequence"])
    assert list(versions.values()) == [[1, 2], [1, 2]]


async def test_an_arrival_that_is_told_before_the_assignment_counts(desk: Desk) -> None:
    ticket = uuid7()
    started, arrived = desk.event(ticket, assigned(), TEN), desk.event(ticket, ARRIVED, TEN + HOUR)
    await desk.receive(arrived)
    assert await desk.clock(ticket) is None
    await desk.receive(started)
    assert (await desk.clock(ticket))["outcome"] == "met"


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_of_delivery_leads_to_the_same_rows(desk: Desk, seed: int) -> None:
    tickets = [uuid7() for _ in range(6)]
    bodies = [
        desk.event(ticket, payload, TEN + minutes * MINUTE)
        for ticket in tickets
        for payload, minutes in (
            (opened("general"), 0),
            (assigned("general"), 1),
            (TicketRegraded(severity="urgent", previous_severity="general", by=LEAD, reason="worse"), 20),
            (visit(TEN + 30 * HOUR), 40),
            (ARRIVED, 29 * 60),
        )
    ]
    delivered = bodies + bodies[::3]
    random.Random(seed).shuffle(delivered)
    for body in delivered:
        await desk.receive(body)
    columns = "promise, occurrence, outcome, deadline, stopped_at, severity, standing, reason"
    rows = await desk.admin.fetch(f"SELECT DISTINCT {columns} FROM sla.clock ORDER BY promise")
    assert [tuple(row)[:3] for row in rows] == [
        ("accept", rows[0]["occurrence"], "running"),
        ("on_site", 1, "met"),
        ("visit_agreed", 1, "cancelled"),
    ]
    # 10:01 + 2 h, of which 39 min are gone at 10:40; the other 81 min begin with the visit.
    assert rows[1]["deadline"] == TEN + 30 * HOUR + 81 * MINUTE
    title = await desk.admin.fetch("SELECT DISTINCT title, severity, owner_id FROM sla.subject")
    assert [tuple(row) for row in title] == [("The press stands still", "urgent", LEAD)]


async def test_the_number_of_statements_does_not_grow_with_the_list(desk: Desk) -> None:
    counts = []
    for length in (2, 40):
        statements: list[str] = []

        def count(*arguments: Any, seen: list[str] = statements) -> None:
            seen.append(arguments[2])

        engine = desk.served.database.engine.sync_engine
        listening.listen(engine, "before_cursor_execute", count)
        await desk.receive(*(desk.event(uuid7(), assigned(), TEN) for _ in range(length)))
        listening.remove(engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] == counts[1]


async def test_a_wish_pauses_and_the_visit_resumes_the_clock(desk: Desk) -> None:
    now: datetime = await desk.admin.fetchval("SELECT now()")  # only a pause that lasts is one to tell of
    begins = now + 5 * HOUR
    ticket = await desk.urgent(now - 30 * MINUTE)
    await desk.happen(ticket, visit(begins), now)
    clock = await desk.clock(ticket)
    assert (clock["pause_reason"], clock["paused_until"]) == ("customers_wish", begins)
    assert clock["deadline"] == begins + 90 * MINUTE
    assert await desk.words(ticket) == ["started", "paused"]
    await desk.tick(begins)
    assert await desk.words(ticket) == ["started", "paused", "resumed"]
    assert (await desk.clock(ticket))["pause_reason"] is None


async def test_a_regraded_ticket_is_late_at_once_and_says_so(desk: Desk) -> None:
    ticket = uuid7()
    await desk.happen(ticket, assigned("important"), TEN)
    regraded = TicketRegraded(severity="urgent", previous_severity="important", by=LEAD, reason="worse")
    await desk.happen(ticket, regraded, TEN + 3 * HOUR)
    await desk.tick(TEN + 3 * HOUR, dispatch=TEN + 3 * HOUR)
    (word, data) = (await desk.told(ticket))[-1]
    assert (word, data["severity"], data["confirmed"]) == ("breached", "urgent", True)
    assert "due 2026-11-20T04:00:00Z" in data["explanation"]


async def test_closing_cancels_what_is_open(desk: Desk) -> None:
    ticket = await desk.urgent()
    closed = TicketClosed(
        request_id=UUID(int=9), customer_id=UUID(int=8), engineer_id=ENGINEER, reason="accepted",
        severity="urgent", site=SITE, episode=1,
    )  # fmt: skip
    await desk.happen(ticket, closed, TEN + HOUR)
    assert await desk.words(ticket) == ["started", "cancelled"]
    assert await desk.admin.fetchval("SELECT count(*) FROM sla.timer") == 0


# Alerts.


async def test_a_warning_then_a_breach_each_once(desk: Desk) -> None:
    ticket = await desk.urgent()
    assert await desk.tick(TEN + HOUR) == TEN + 90 * MINUTE  # sleeps until 75 % of 2 h
    for _ in range(3):
        await desk.tick(TEN + 90 * MINUTE)
        await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    assert await desk.words(ticket) == ["started", "warned", "breached"]
    assert await desk.alerts(ticket) == [(75, 0), (100, 0)]


async def test_a_breach_waits_for_what_might_still_be_on_its_way(desk: Desk) -> None:
    ticket = await desk.urgent()
    again = await desk.tick(DUE + SECOND, dispatch=DUE - SECOND)
    assert again == DUE + SECOND + timedelta(milliseconds=50)
    assert "breached" not in await desk.words(ticket)
    await desk.happen(ticket, ARRIVED, DUE)  # on its way for a second
    await desk.tick(DUE + 2 * SECOND, dispatch=DUE + SECOND)
    assert await desk.words(ticket) == ["started", "met"]


async def test_somebody_elses_watermark_says_nothing(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.tick(DUE + SECOND, intake=DUE + SECOND)
    assert "breached" not in await desk.words(ticket)


async def test_after_five_seconds_of_silence_the_breach_is_told_unconfirmed_and_confirmed_later(
    desk: Desk,
) -> None:
    ticket = await desk.urgent()
    await desk.tick(DUE + 5 * SECOND - timedelta(milliseconds=1), dispatch=DUE)
    assert "breached" not in await desk.words(ticket)
    await desk.tick(DUE + 5 * SECOND, dispatch=DUE)
    assert (await desk.told(ticket))[-1][1]["confirmed"] is False
    await desk.tick(DUE + 9 * SECOND, dispatch=DUE)
    await desk.tick(DUE + 9 * SECOND, dispatch=DUE + SECOND)
    (word, data) = (await desk.told(ticket))[-1]
    assert (word, data["outcome"], data["previous_outcome"]) == ("amended", "breached", "breached")
    assert (await desk.clock(ticket))["confirmed"] is True
    assert await desk.alerts(ticket) == [(100, 0)]
    assert await desk.admin.fetchval("SELECT count(*) FROM sla.timer") == 0


async def test_an_arrival_told_too_late_takes_the_alert_back(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.tick(DUE + 5 * SECOND)
    await desk.happen(ticket, ARRIVED, DUE - SECOND)
    (word, data) = (await desk.told(ticket))[-1]
    assert (word, data["outcome"], data["previous_outcome"], data["revision"]) == (
        "amended", "met", "breached", 1,
    )  # fmt: skip
    clock = await desk.clock(ticket)
    assert (clock["outcome"], clock["alerted_at"], clock["confirmed"]) == ("met", None, None)


async def test_a_clock_that_runs_again_may_be_missed_again(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    await desk.happen(ticket, visit(DUE + HOUR), TEN + 30 * MINUTE)  # told late; 90 min are left from 13:00
    assert (await desk.clock(ticket))["outcome"] == "running"
    second = DUE + HOUR + 90 * MINUTE + SECOND
    await desk.tick(second, dispatch=second)
    assert await desk.words(ticket) == ["started", "breached", "amended", "breached"]
    assert await desk.alerts(ticket) == [(100, 0), (100, 1)]


async def test_an_end_that_came_late_is_a_breach_that_needs_no_confirmation(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.happen(ticket, ARRIVED, DUE + SECOND)
    await desk.tick(DUE + 5 * SECOND)
    (word, data) = (await desk.told(ticket))[-1]
    assert (word, data["confirmed"]) == ("breached", True)


async def test_a_process_that_has_just_begun_listens_before_it_doubts(desk: Desk) -> None:
    ticket = await desk.urgent()
    monday = DUE + 60 * HOUR
    await desk.tick(monday, began=monday)
    assert "breached" not in await desk.words(ticket)
    await desk.tick(monday + SECOND, began=monday, dispatch=monday)  # caught up
    assert (await desk.told(ticket))[-1][1]["confirmed"] is True


async def test_two_processes_raise_each_alert_once(desk: Desk) -> None:
    tickets = [await desk.urgent() for _ in range(30)]
    now = DUE + SECOND
    await asyncio.gather(*(desk.tick(now, dispatch=now) for _ in range(4)))
    await desk.tick(now, dispatch=now)
    alerts = await desk.admin.fetch("SELECT clock_id, threshold, revision FROM sla.alert")
    assert len(alerts) == len(set(map(tuple, alerts))) == len(tickets)
    breaches = await desk.admin.fetchval(
        "SELECT count(*) FROM sla.event_log WHERE type = 'sla.clock_breached.v1'"
    )
    assert breaches == len(tickets)


async def test_a_clock_in_other_hands_is_left_to_them_and_found_again_soon(desk: Desk) -> None:
    held, free = await desk.urgent(), await desk.urgent()
    now = DUE + SECOND

    async def meanwhile(tx: Tx) -> datetime | None:
        await tx.execute(text("SELECT 1 FROM clock WHERE subject_id = :id FOR UPDATE"), {"id": held})
        return await desk.tick(now, dispatch=now)

    assert await desk.served.database.transact(meanwhile) == now + timedelta(milliseconds=50)
    assert ("breached" in await desk.words(held), "breached" in await desk.words(free)) == (False, True)
    await desk.tick(now, dispatch=now)
    assert "breached" in await desk.words(held)


async def test_nothing_armed_is_nothing_to_wait_for(desk: Desk) -> None:
    assert await desk.tick(TEN) is None


# What the database itself promises.


@pytest.mark.parametrize("table", ["history", "policy_version", "calendar_version", "calendar_day"])
async def test_what_was_is_not_rewritten(desk: Desk, table: str) -> None:
    async def rewrite(tx: Tx) -> None:
        await tx.execute(text(f"DELETE FROM {table}"))

    with pytest.raises(Exception, match="permission denied"):
        await desk.served.database.transact(rewrite)


@pytest.mark.parametrize(
    "change",
    [
        "outcome = 'met', stopped_at = deadline + interval '1 s'",
        "outcome = 'met'",
        "outcome = 'breached', stopped_at = deadline",
        "alerted_at = now()",
        "outcome = 'cancelled', alerted_at = now(), confirmed = true",
    ],
)
async def test_a_clock_cannot_say_what_its_instants_deny(desk: Desk, change: str) -> None:
    ticket = await desk.urgent()
    with pytest.raises(asyncpg.CheckViolationError):
        await desk.admin.execute(f"UPDATE sla.clock SET {change} WHERE subject_id = $1", ticket)


async def test_an_alert_stands_once_whoever_inserts_it(desk: Desk) -> None:
    await desk.urgent()
    await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    with pytest.raises(asyncpg.UniqueViolationError):
        await desk.admin.execute(
            """
            INSERT INTO sla.alert
            SELECT gen_random_uuid(), clock_id, threshold, revision, now(), NULL, NULL, 1 FROM sla.alert
            """
        )
