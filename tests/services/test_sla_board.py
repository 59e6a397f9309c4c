"""The board: what each viewer's filters let through, live too; today's figures; and what a look costs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import event

from contracts.clocking import ARRIVED, ENGINEER, HOUR, LEAD, MINUTE, Desk, clocking
from contracts.serving import clock_kept
from contracts.streaming import browsing
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events.dispatch import TicketAssigned, TicketOpened
from shared.events.intake import RequestAnswered, RequestRegistered
from shared.events.terms import Channel, Severity, Site
from shared.http.auth import Principal, Role
from sla_monitor.board import feeds, store
from sla_monitor.board.notices import Notice, load_notices, may_see
from sla_monitor.clocks.attainment import Attainment, attainment_today, tickets_today
from sla_monitor.clocks.view import Filters, View

EVERYTHING = View.of(None)
OF_A_DAY = 2 * 24 * 60  # a clock a minute, and what the day before left open
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        with clock_kept():
            if not 4 <= clock.now().astimezone(SHANGHAI).hour < 22:
                clock.set(clock.now() - 6 * HOUR)  # what is told of the last hours belongs to one day
            yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    """The desk with nothing on it."""
    await running.clear()
    return running


async def matter(
    desk: Desk,
    ago: timedelta,
    *,
    region: str = "east",
    centre: str = "C1",
    severity: Severity = "urgent",
    channel: Channel = "email",
) -> tuple[UUID, UUID]:
    """A request that came in `ago`, and the ticket made of it."""
    request, ticket, at = uuid7(), uuid7(), clock.now() - ago
    site = Site(region=region, city="c")
    registered = RequestRegistered(
        channel=channel, customer_id=LEAD, kind="fault", severity=severity, site=site, title=region
    )
    opened = TicketOpened(
        request_id=request, customer_id=LEAD, kind="fault", severity=severity, site=site, title=region,
        owner_id=LEAD,
    )  # fmt: skip
    assigned = TicketAssigned(
        request_id=request, engineer_id=ENGINEER, tier="senior", severity=severity, centre=centre,
        same_city=True, site=site,
    )  # fmt: skip
    await desk.receive(
        desk.event(request, registered, at), desk.event(ticket, opened, at), desk.event(ticket, assigned, at)
    )
    return request, ticket


async def judge(desk: Desk) -> None:
    now = clock.now()
    await desk.tick(now, dispatch=now, intake=now)


async def shown(desk: Desk, view: View, promise: str = "on_site") -> list[str]:
    """The regions of what runs, as the board lists it."""
    entries = await desk.database.transact(lambda tx: store.load_running(tx, view))
    return [each.region or "" for each in entries if each.promise == promise]


@pytest.mark.parametrize(
    ("query", "regions"),
    [
        ("", ["east", "west", "south"]),
        ("region=east", ["east"]),
        ("region=east&region=west", ["east", "west"]),
        ("team=C2", ["west"]),
        ("severity=important", ["south"]),
        ("channel=email", ["east", "south"]),  # a ticket came in as its request did
        ("promise=on_site", ["east", "west", "south"]),
        ("promise=accept", []),
        ("region=east&team=C2", []),
        ("region=nowhere", []),
        ("region=&severity=important", ["south"]),  # as a form sends what was not chosen
    ],
)
async def test_filters_let_through_what_fits_all_of_them(
    running: Desk, three_regions: None, query: str, regions: list[str]
) -> None:
    assert await shown(running, View.of(None, Filters.read(query))) == regions


async def test_clocks_are_listed_by_region(running: Desk, three_regions: None) -> None:
    async with running.client("operations") as client:
        answer = await client.get("/sla/clocks", params={"region": "west", "state": "running"})
    assert {each["region"] for each in answer.json()["items"]} == {"west"}


@pytest_asyncio.fixture(scope="module")
async def three_regions(running: Desk) -> None:
    await running.clear()
    await matter(running, 60 * MINUTE, region="east")
    await matter(running, 50 * MINUTE, region="west", centre="C2", channel="phone")
    await matter(running, 40 * MINUTE, region="south", severity="important")


async def test_a_ticket_that_moves_takes_its_clocks_along(desk: Desk) -> None:
    _, ticket = await matter(desk, 60 * MINUTE, region="east")
    moved = TicketAssigned(
        request_id=uuid7(), engineer_id=ENGINEER, tier="senior", severity="urgent", centre="C9",
        same_city=True, site=Site(region="north", city="c"),
    )  # fmt: skip
    await desk.happen(ticket, moved, clock.now())
    assert await shown(desk, View.of(None, Filters.read("region=north&team=C9"))) == ["north"]
    assert await shown(desk, View.of(None, Filters.read("region=east"))) == []


async def test_a_limited_viewer_is_shown_the_first_of_what_they_may_see(desk: Desk) -> None:
    for _ in range(3):
        await matter(desk, 60 * MINUTE, region="east")
    await matter(desk, 30 * MINUTE, region="west")
    most, store.MOST = store.MOST, 2  # type: ignore[misc]
    try:
        async with desk.client("dispatcher", regions=frozenset({"west"})) as client:
            page = (await client.get("/sla/board", headers={"accept": "text/html"})).text
    finally:
        store.MOST = most  # type: ignore[misc]
    assert page.count('class="clock"') == 2
    assert "east" not in page


async def test_a_stream_is_told_only_of_rows_that_pass_its_filters(desk: Desk) -> None:
    await matter(desk, 60 * MINUTE, region="east")
    feed = "/sla/live?feed=sla.running%3Fregion%3Dwest"
    async with browsing(desk.served, feed, "operations") as browser:
        snapshot = await browser.next("snapshot")
        assert (snapshot["feed"], snapshot["rows"]) == ("sla.running?region=west", [])
        await matter(desk, 50 * MINUTE, region="east")
        await matter(desk, 40 * MINUTE, region="west")
        rows = (await browser.next("rows"))["rows"]
        assert rows
        assert all("west" in row["html"] and "east" not in row["html"] for row in rows)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sla/board?region=east&severity=urgent", 200),
        ("/sla/board?wall=1&channel=phone", 200),
        ("/sla/board?severity=dreadful", 422),
        ("/sla/board?region=a%20b", 422),
        ("/sla/board?region=&severity=", 200),
        ("/sla/board?" + "&".join(f"region=r{n}" for n in range(21)), 422),
        ("/sla/board?nothing=1", 422),
        ("/sla/live?feed=sla.running%3Fregion%3D%27", 422),
        ("/sla/live?feed=sla.running%3Fcolour%3Dred", 422),
        ("/sla/live?feed=sla.nothing%3Fregion%3Deast", 404),
        ("/sla/attainment?region=east", 200),
        ("/sla/attainment?severity=1", 422),
    ],
)
async def test_bad_filters_get_a_problem(running: Desk, path: str, status: int) -> None:
    async with running.client("operations") as client:
        answer = await client.get(path)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"


async def test_filters_that_say_the_same_are_one_feed() -> None:
    one, other = Filters.read("team=b&region=x&team=a"), Filters.read("region=x&team=a&team=b&team=a")
    assert feeds.named("running", View.of(None, one)) == feeds.named("running", View.of(None, other))
    assert one.query == "region=x&team=a&team=b"


# Today's figures.


async def test_a_ticket_is_in_time_when_all_promises_about_its_matter_were_kept(desk: Desk) -> None:
    answered = RequestAnswered(channel="email", by=LEAD)
    begun = clock.now()
    kept = await matter(desk, 100 * MINUTE)
    await desk.happen(kept[0], answered, begun - 90 * MINUTE)
    await desk.happen(kept[1], ARRIVED, begun - 80 * MINUTE)
    half = await matter(desk, 100 * MINUTE)  # answered too late, reached in time: one matter, one miss
    await desk.happen(half[0], answered, begun - MINUTE)
    await desk.happen(half[1], ARRIVED, begun - 80 * MINUTE)
    pending = await matter(desk, 10 * MINUTE)
    await desk.happen(pending[0], answered, begun - MINUTE)
    await judge(desk)
    today = await desk.database.transact(lambda tx: attainment_today(tx, EVERYTHING))
    tickets = await desk.database.transact(lambda tx: tickets_today(tx, EVERYTHING))
    in_office = today.promises["first_reply"].breached == 1  # outside working hours it was due later
    assert tickets == (Attainment(1, 1, 1) if in_office else Attainment(2, 0, 1))
    assert today.promises["on_site"] == Attainment(2, 0, 1)
    assert today.response.met == today.promises["on_site"].met + today.promises["first_reply"].met
    async with desk.client("operations") as client:
        answer = (await client.get("/sla/attainment")).json()
    assert answer["tickets"]["met"] == tickets.met
    assert answer["tickets"]["attainment"] == tickets.share


async def test_figures_follow_the_filters_and_name_the_hour_of_a_miss(desk: Desk) -> None:
    await matter(desk, 3 * HOUR, region="east")
    await matter(desk, 3 * HOUR, region="west")
    await judge(desk)
    view = View.of(None, Filters(region=("west",), promise=("on_site",)))
    today = await desk.database.transact(lambda tx: attainment_today(tx, view))
    assert today.promises["on_site"] == Attainment(0, 1, 0)
    assert today.promises["accept"] == Attainment(0, 0, 0)
    due = (clock.now() - HOUR).astimezone(SHANGHAI)
    assert [hour for hour, missed in enumerate(today.missed) if missed] == [due.hour]


async def test_a_list_says_how_many_it_does_not_show(desk: Desk) -> None:
    for _ in range(3):
        await matter(desk, 60 * MINUTE)
    pulse = await desk.database.transact(lambda tx: store.load_pulse(tx, EVERYTHING))
    running = await desk.database.transact(lambda tx: store.load_running(tx, EVERYTHING))
    assert pulse.running == len(running) > 0
    assert pulse.heard_at is not None
    heard: datetime = await desk.admin.fetchval("SELECT max(received_at) FROM history")
    assert pulse.heard_at == heard
    narrow = View.of(None, Filters(region=("nowhere",)))
    assert (await desk.database.transact(lambda tx: store.load_pulse(tx, narrow))).running == 0


async def test_where_only_working_time_counts_the_board_knows_the_hours_that_are_left(desk: Desk) -> None:
    await matter(desk, HOUR)
    # From Friday 17:00 nine working hours last until Monday 17:00.
    await desk.admin.execute(
        """
        UPDATE clock SET measure = 'working', allowance = '9 h', started_at = '2026-11-20T09:00Z',
                         deadline = '2026-11-23T09:00Z' WHERE promise = 'on_site'
        """
    )
    entries = await desk.database.transact(lambda tx: store.load_running(tx, EVERYTHING))
    (entry,) = [each for each in entries if each.promise == "on_site"]
    assert [closes - opens for opens, closes in entry.open] == [HOUR, 8 * HOUR]
    assert [each.open for each in entries if each.promise != "on_site"] == [()] * (len(entries) - 1)


# What somebody has to see to.


async def test_what_nothing_is_promised_to_is_told_to_those_who_see_it(desk: Desk) -> None:
    request, _ = await matter(desk, MINUTE, region="east")
    await desk.admin.execute("INSERT INTO uncovered VALUES ($1, 0, now())", request)
    for region, told in (("east", [1]), ("west", [])):
        view = View.of(Principal("d", frozenset({"dispatcher"}), regions=frozenset({region})))
        notices = await desk.database.transact(partial(load_notices, view=view))
        assert [each.number for each in notices if each.kind == "uncovered"] == told
    async with desk.client("dispatcher") as client:
        page = (await client.get("/sla/board", headers={"accept": "text/html"})).text
    assert "Nothing is promised to 1 of those waiting" in page
    assert f'href="/sla/subjects/{request}"' in page
    await desk.admin.execute("DELETE FROM uncovered")


@pytest.mark.parametrize(("role", "sees"), [("dispatcher", False), ("operations", True), ("admin", True)])
def test_who_may_not_open_a_sink_is_not_told_that_it_fails(role: Role, sees: bool) -> None:
    viewer = Principal("d", frozenset({role}))
    assert may_see(Notice("sink.1", "sink", "duty mail", 3), viewer) is sees
    assert may_see(Notice("calendar.cn.2027", "calendar", "cn", 2027), viewer)


# What a look costs.

CLOCKS = 30_000
_MANY = f"""
INSERT INTO subject (id, kind, region, team, severity, first_at)
SELECT gen_random_uuid(), 'ticket', 'r' || n % 41, 't' || n % 401, 'general', now()
FROM generate_series(1, {CLOCKS}) AS n;
INSERT INTO clock (id, subject_id, promise, occurrence, requirement, rule, measure, allowance, severity,
                   started_at, deadline, standing, outcome, stopped_at, alerted_at, confirmed, warned,
                   policy_version, calendar_version, revision, version)
SELECT gen_random_uuid(), id, 'on_site', 1, 'R54', 'wall', 'wall', '2 h', 'general', at - interval '2 h', at,
       false, outcome, CASE outcome WHEN 'met' THEN at - interval '1 s' END,
       CASE outcome WHEN 'breached' THEN at END, CASE outcome WHEN 'breached' THEN true END, 0, 1, 1, 0, 1
FROM (SELECT id, now() + (row_number() OVER () - {CLOCKS} * 0.6) * interval '1 min' AS at,
             CASE WHEN row_number() OVER () > {CLOCKS} * 0.6 THEN 'running'
                  ELSE (ARRAY['met', 'breached'])[1 + row_number() OVER () % 2] END AS outcome
      FROM subject) AS made;
ANALYZE subject;
ANALYZE clock;
"""


@pytest_asyncio.fixture(scope="module")
async def many(running: Desk) -> AsyncIterator[Desk]:
    # To the planner the tables are new then, and not as small as earlier tests left them.
    await running.admin.execute("TRUNCATE history, subject, clock, timer, alert CASCADE")
    await running.admin.execute(_MANY)
    yield running
    await running.clear()


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes(below))]


def read(node: dict[str, Any]) -> float:
    """How many rows a node looked at."""
    return float(node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)))


async def plans(desk: Desk, look: Any) -> list[dict[str, Any]]:
    """How PostgreSQL carries out each statement of `look(tx)`."""
    asked: list[tuple[str, Any]] = []

    async def run(tx: Tx) -> None:
        def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
            asked.append((statement, parameters))

        engine = desk.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            await look(tx)
        finally:
            event.remove(engine, "before_cursor_execute", note)

    await desk.database.transact(run)
    return [await _explained(desk.admin, *each) for each in asked if " clock" in each[0]]


async def _explained(admin: asyncpg.Connection, statement: str, parameters: Any) -> dict[str, Any]:
    found = await admin.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *parameters)
    return dict(json.loads(found)[0]["Plan"])


@pytest.mark.parametrize(
    "query", ["", "region=r7", "team=t33", "severity=general", "promise=on_site", "team=x"]
)
@pytest.mark.parametrize(
    "look", [store.load_running, store.load_missed, store.load_pulse], ids=["running", "missed", "pulse"]
)
async def test_no_look_at_the_board_reads_all_clocks(many: Desk, look: Any, query: str) -> None:
    view = View.of(None, Filters.read(query))
    found = await plans(many, lambda tx: look(tx, view))
    assert found
    for node in (node for plan in found for node in nodes(plan)):
        assert node["Node Type"] not in ("Seq Scan", "Parallel Seq Scan")
        if node.get("Relation Name") == "clock":
            assert read(node) <= 3 * store.COUNTED


async def test_figures_read_the_day_and_not_all_clocks(many: Desk) -> None:
    today = await many.database.transact(lambda tx: attainment_today(tx, EVERYTHING))
    of_the_day = today.response.met + today.response.breached + today.response.running
    assert 0 < of_the_day <= OF_A_DAY
    found = await plans(many, lambda tx: attainment_today(tx, EVERYTHING))
    found += await plans(many, lambda tx: tickets_today(tx, EVERYTHING))
    assert len(found) == 2
    for node in (node for plan in found for node in nodes(plan)):
        if node.get("Relation Name") == "clock":
            assert read(node) <= OF_A_DAY
