"""The pages of calendars, which years they warn of, and whose calendar counts for whom."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from html import unescape
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio

from contracts.serving import Served, clock_kept, serving
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events.envelope import event_model
from shared.events.intake import RequestRegistered
from shared.events.terms import Site
from shared.http.auth import Principal
from shared.http.etag import Precondition
from shared.inbox import Receiver
from sla_monitor.app import service
from sla_monitor.calendars import store
from sla_monitor.calendars.actions import publish
from sla_monitor.calendars.rules import ExceptionalDay, Window, window
from sla_monitor.calendars.versions import Content, override
from sla_monitor.clocks.rules.changes import StoredClock
from sla_monitor.clocks.store import load_clocks
from sla_monitor.policies.shipped import SHIPPED
from sla_monitor.policies.store import load_rulebook, row_of, save_version

PERSON = UUID(int=1)
WHOEVER = Principal("test", frozenset({"admin"}))
CONTENT = {"zone": "UTC", "week": [[{"opens": "09:00", "closes": "18:00"}]] * 7, "source": "test"}
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, service) as running:
        yield running


@pytest_asyncio.fixture
async def desk(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    client = await served.signed_in("operations")
    yield client
    await client.aclose()


def hidden(page: str) -> dict[str, str]:
    """The fields that a page carries from step to step."""
    editor = page[page.index("editor") :]
    return {
        name: unescape(value)
        for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', editor)
    }


async def take(desk: httpx.AsyncClient, page: str, step: str, **filled: Any) -> httpx.Response:
    name = re.search(r"/sla/calendars/([\w.-]+)/draft", page)
    assert name is not None
    files = {"file": filled.pop("file")} if "file" in filled else {"file": ("", b"")}
    return await desk.post(
        f"/sla/calendars/{name[1]}/draft", data={**hidden(page), "step": step, **filled}, files=files
    )


# Pages.


async def test_a_year_hangs_on_the_wall(desk: httpx.AsyncClient) -> None:
    page = (await desk.get("/sla/calendars/cn?year=2026")).text
    assert page.count('<table class="month">') == 12
    assert page.count("data-day=") == 365
    assert 'class="day holiday" data-day="2026-10-01"' in page
    assert 'class="day make_up" data-day="2026-10-10"' in page
    assert "国庆节" in page
    assert "not confirmed" not in page
    assert "style=" not in page


async def test_the_pages_speak_chinese(desk: httpx.AsyncClient) -> None:
    page = (await desk.get("/sla/calendars/cn?year=2027", headers={"accept-language": "zh-CN"})).text
    for words in ("十二月", "调休上班日", "法定", "发布", "尚未确认", "版本"):
        assert words in page
    overview = (await desk.get("/sla/calendars", headers={"accept-language": "zh-CN"})).text
    assert "工作日历" in overview


async def test_a_dispatcher_looks_and_changes_nothing(served: Served) -> None:
    client = await served.signed_in("dispatcher")
    page = (await client.get("/sla/calendars/cn?year=2026")).text
    assert "国庆节" in page
    assert 'name="draft"' not in page
    assert "A new calendar" not in (await client.get("/sla/calendars")).text


async def test_the_sum_shows_its_arithmetic(desk: httpx.AsyncClient) -> None:
    page = (await desk.get("/sla/calendars/cn?start=2026-11-20T16:30&hours=2")).text
    assert "Mon 23 Nov 2026, 09:30" in page
    assert page.count("1 hr 30 min") == 1
    assert page.count('class="long">30 min') == 1


async def test_a_change_goes_from_draft_to_version(desk: httpx.AsyncClient) -> None:
    page = (await desk.get("/sla/calendars/cn?year=2026")).text
    draft = await take(
        desk, page, "days",
        day=["2026-12-24", "2026-12-26", "2026-10-10", ""], becomes=["off", "work", "usual", "off"],
        day_name=["盘点", "年终盘点", "", ""],
    )  # fmt: skip
    assert draft.status_code == 200
    assert "3 days" in draft.text
    assert 'class="day make_up changed" data-day="2026-12-26"' in draft.text
    more = await take(desk, draft.text, "days", day=["2026-12-27"], becomes=["off"], day_name=["休"])
    assert "4 days" in more.text
    done = await take(desk, more.text, "publish")
    assert (done.status_code, done.headers["location"]) == (303, "/sla/calendars/cn?year=2026")
    heads = (await desk.get("/sla/calendars/cn", headers={"accept": "application/json"})).json()
    assert (heads["last"], heads["in_force"]) == (2, 1)  # at once is within two minutes
    days = (await desk.get("/sla/calendars/cn/days?year=2026&version=2")).json()
    kinds = {each["day"]: (each["kind"], each["provenance"]) for each in days}
    assert kinds["2026-12-24"] == ("holiday", "entered")
    assert kinds["2026-12-26"] == ("make_up", "entered")
    assert kinds["2026-10-10"] == ("off", None)
    again = await take(desk, more.text, "publish")  # another desk was faster
    assert again.status_code == 422
    assert "changed since you read it" in again.text
    assert "4 days" in again.text  # nothing is lost


async def test_a_year_is_confirmed_when_it_is_announced(desk: httpx.AsyncClient) -> None:
    page = (await desk.get("/sla/calendars/cn?year=2028")).text
    assert "The holidays of 2028 are not confirmed" in page
    draft = await take(desk, page, "confirm")
    assert "The holidays of 2028 are not confirmed" not in draft.text


async def test_a_country_takes_the_place_of_what_was_there(desk: httpx.AsyncClient) -> None:
    page = (await desk.get("/sla/calendars/cn?year=2027")).text
    entered = await take(desk, page, "days", day=["2027-03-01"], becomes=["off"], day_name=["Stocktake"])
    draft = await take(desk, entered.text, "country", country="de", first_year=2027, last_year=2027)
    assert "Tag der Deutschen Einheit" in draft.text
    assert "Stocktake" in draft.text  # what a person entered stays
    assert 'class="day work changed" data-day="2027-02-08"' in draft.text  # the Spring Festival goes
    assert "country DE" in draft.text
    unknown = await take(desk, page, "country", country="XX", first_year=2027, last_year=2027)
    assert unknown.status_code == 422
    assert "XX" in unknown.text


async def test_a_file_is_shown_before_it_counts(desk: httpx.AsyncClient) -> None:
    page = (await desk.get("/sla/calendars/cn?year=2027")).text
    raw = (
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20270801\r\nSUMMARY:建军节 <b>\r\n"
        "CATEGORIES:Turno\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    years = {"first_year": 2027, "last_year": 2027}
    draft = await take(
        desk, page, "file", file=("army.ics", raw.encode()), marks="turno", marked_in="categories", **years
    )
    assert "建军节 &lt;b&gt;" in draft.text
    assert 'class="day make_up changed" data-day="2027-08-01"' in draft.text
    broken = await take(desk, page, "file", file=("x.ics", b"\xff\xfe"), **years)
    assert broken.status_code == 422
    assert "not UTF-8" in broken.text
    assert (await take(desk, page, "file", **years)).status_code == 422


@pytest.mark.parametrize(
    ("step", "filled"),
    [
        ("days", {"day": ["2026-02-30"], "becomes": ["off"], "day_name": ["x"]}),
        ("days", {"day": ["2026-02-03"], "becomes": ["off"], "day_name": [""]}),
        ("days", {"day": ["2026-02-03"], "becomes": ["never"], "day_name": ["x"]}),
        ("days", {"day": ["0001-01-01"], "becomes": ["off"], "day_name": ["x"]}),
        ("hours", {"zone": "Asia/Nowhere", "hours": ["09:00-18:00"] * 7}),
        ("hours", {"zone": "Asia/Tokyo", "hours": [""] * 7}),
        ("hours", {"zone": "Asia/Tokyo", "hours": ["09:00-18:00"] * 6}),
        ("hours", {"zone": "Asia/Tokyo", "hours": ["nine to five"] * 7}),
        ("hours", {"zone": "Asia/Tokyo", "hours": ["25:00-26:00"] * 7}),
        ("hours", {"zone": "Asia/Tokyo", "hours": ["09:00-12:00, 11:00-13:00"] * 7}),
        ("publish", {"valid_from": "yesterday"}),
        ("publish", {"valid_from": "2020-01-01T00:00"}),
        ("publish", {"valid_from": "9999-12-31T23:59"}),
        ("publish", {"valid_from": "0001-01-01T00:00"}),
        ("country", {"country": "CN", "first_year": 2027, "last_year": 2026}),
        ("draw", {}),
        ("days", {"draft": "{"}),
        ("publish", {"draft": json.dumps(CONTENT | {"week": [[]] * 7})}),
        (
            "days",
            {
                "draft": json.dumps(CONTENT | {"week": [[]] * 7}),
                "day": ["2026-02-03"],
                "becomes": ["work"],
                "day_name": ["x"],
            },
        ),
        ("publish", {"draft": json.dumps(CONTENT | {"source": "a\0b"})}),
        ("publish", {"draft": json.dumps(CONTENT | {"days": [{"day": "2026-01-01", "name": "a\nb"}]})}),
        ("days", {"draft": "[]", "year": 99999}),
    ],
)
async def test_a_step_that_makes_no_sense_is_told(
    desk: httpx.AsyncClient, step: str, filled: dict[str, Any]
) -> None:
    page = (await desk.get("/sla/calendars/cn?year=2026")).text
    assert (await take(desk, page, step, **filled)).status_code == 422


async def test_hours_are_written_as_people_write_them(desk: httpx.AsyncClient) -> None:
    page = (await desk.get("/sla/calendars/cn?year=2026")).text
    hours = ["9:00-12:00，13:00–18:00"] * 4 + ["22:00 - 06:00", "", ""]
    draft = await take(desk, page, "hours", zone="Asia/Tokyo", hours=hours)
    assert draft.status_code == 200
    assert "Asia/Shanghai → <strong>Asia/Tokyo</strong>" in draft.text
    assert "Friday: 09:00–18:00 → <strong>22:00–06:00</strong>" in draft.text
    assert "Monday: 09:00–18:00 → <strong>09:00–12:00, 13:00–18:00</strong>" in draft.text


async def test_a_new_calendar_begins_as_a_draft(desk: httpx.AsyncClient) -> None:
    csrf = hidden((await desk.get("/sla/calendars/cn")).text)["csrf"]
    draft = await desk.post("/sla/calendars", data={"csrf": csrf, "name": "north", "like": "cn"})
    assert draft.status_code == 200
    assert (await desk.get("/sla/calendars/north")).status_code == 404
    done = await take(desk, draft.text, "publish")
    assert done.headers["location"].startswith("/sla/calendars/north")
    assert "north" in (await desk.get("/sla/calendars")).text
    known = await desk.post("/sla/calendars", data={"csrf": csrf, "name": "north", "like": "cn"})
    assert known.headers["location"] == "/sla/calendars/north"


# Warnings.


async def warned(served: Served, now: datetime) -> set[tuple[str, int]]:
    found = await served.database.transact(lambda tx: store.load_warnings(tx, now))
    return {(each.calendar, each.year) for each in found if each.calendar in ("cn", "alone")}


@pytest.mark.parametrize(
    ("now", "years"),
    [
        (datetime(2026, 10, 31, 12, tzinfo=UTC), set()),
        (datetime(2026, 10, 31, 16, tzinfo=UTC), {2027}),  # 1 November in Shanghai
        (datetime(2027, 6, 1, tzinfo=UTC), {2027}),
        (datetime(2030, 12, 31, 15, 59, 59, tzinfo=UTC), {2030, 2031}),
        (datetime(2030, 12, 31, 16, tzinfo=UTC), {2031}),  # the first day that nobody knows anything of
        (datetime(9999, 12, 30, tzinfo=UTC), {9999}),
    ],
)
async def test_a_year_that_is_not_announced_is_warned_of(
    served: Served, now: datetime, years: set[int]
) -> None:
    assert await warned(served, now) == {("cn", year) for year in years}


async def test_a_calendar_without_holidays_has_nothing_to_confirm(served: Served) -> None:
    content = Content("UTC", ((window_of(0, 24),),) * 7, (), "test")
    await save(served, "alone", content)
    assert await warned(served, datetime(2026, 1, 1, tzinfo=UTC)) == set()


async def test_a_version_that_is_only_announced_yet_is_asked_about_its_year(served: Served) -> None:
    day = ExceptionalDay(date(2026, 5, 1), (), "May Day", "announced")
    sure = ExceptionalDay(date(2027, 5, 1), (), "May Day", "announced")
    week = ((window_of(9, 18),),) * 5 + ((),) * 2
    await save(served, "later", Content("UTC", week, (day,), "test"))
    new_year = datetime(2027, 1, 1, tzinfo=UTC)

    async def all_of(tx: Tx) -> set[tuple[str, int]]:
        found = await store.load_warnings(tx, new_year - timedelta(days=20))
        return {(each.calendar, each.year) for each in found if each.calendar == "later"}

    assert await served.database.transact(all_of) == {("later", 2027)}
    await save(served, "later", Content("UTC", week, (day, sure), "test"), valid_from=new_year)
    assert await served.database.transact(all_of) == set()


def window_of(opens: int, closes: int) -> Window:
    return window(time(opens), time(closes % 24))


async def save(served: Served, name: str, content: Content, valid_from: datetime | None = None) -> None:
    async def act(tx: Tx) -> None:
        seen = len((await store.load_heads(tx, name)).get(name, []))
        await publish(tx, name, content, valid_from, WHOEVER, Precondition(frozenset({str(seen)})))

    await served.database.transact(act)


# Which calendar counts.


async def test_the_region_of_a_subject_decides_which_calendar_counts(served: Served) -> None:
    """The north works on Sundays, so that its mail of a Sunday morning is due within the hour (R52)."""
    sundays = Content("Asia/Shanghai", ((window_of(9, 18),),) * 7, (), "test")
    await save(served, "sundays", sundays)
    at = clock.now() + 2 * MINUTE

    async def change_policy(tx: Tx) -> None:
        policy = SHIPPED.model_copy(update={"regional": {"north": "sundays"}})
        await save_version(tx, row_of(2, at, policy, "test"))

    await served.database.transact(change_policy)
    local = at.astimezone(ZoneInfo("Asia/Shanghai"))
    sunday = local.date() + timedelta(days=13 - local.weekday())
    ten = datetime.combine(sunday, time(10), local.tzinfo)
    with clock_kept():
        clock.set(ten + MINUTE)
        north, south = await first_reply(served, "north", ten), await first_reply(served, "south", ten)
    assert (north.requirement, north.deadline) == ("R52", ten + HOUR)
    assert south.requirement == "R53"
    book = await served.database.transact(load_rulebook)
    names = [book.at(ten, region).calendar_name for region in ("north", "south", None)]
    assert names == ["sundays", "cn", "cn"]


async def first_reply(served: Served, region: str, at: datetime) -> StoredClock:
    """The clock of a mail from there."""
    payload = RequestRegistered(
        channel="email", customer_id=PERSON, kind="enquiry", severity="general",
        site=Site(region=region, city="c"), title="A question",
    )  # fmt: skip
    subject = uuid7()
    event = event_model(type(payload))(
        id=uuid7(), source="/aftercare/test", type=payload.type, subject=str(subject),
        sequence="0000000001", time=at, data=payload,
    )  # fmt: skip
    body = b"[" + event.model_dump_json(exclude_none=True).encode() + b"]"
    await Receiver(served.database, service.consumers).receive([body], "live")
    clocks = await served.database.transact(lambda tx: load_clocks(tx, subject))
    return next(each for each in clocks if each.promise == "first_reply")


async def test_what_began_before_a_version_keeps_its_calendar(served: Served) -> None:
    """No deadline moves: the rulebook answers for an instant, and a version begins after it was published."""
    now = clock.now()

    async def versions(tx: Tx) -> tuple[int, int]:
        book = await load_rulebook(tx)
        return book.at(now).versions[1], book.at(now + HOUR).versions[1]

    before = await served.database.transact(versions)

    async def act(tx: Tx) -> None:
        heads = (await store.load_heads(tx, "cn"))["cn"]
        known = (await store.load_version(tx, "cn", heads[-1].version)).content
        seen = Precondition(frozenset({str(heads[-1].version)}))
        await publish(tx, "cn", override(known, []), None, WHOEVER, seen)

    await served.database.transact(act)
    after = await served.database.transact(versions)
    assert after[0] == before[0]
    assert after[1] == before[1] + 1
