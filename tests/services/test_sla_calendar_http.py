"""Calendars over HTTP and as pages: published, never into the past, and counted by at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from contracts.serving import Served, clock_kept, serving
from shared.clock import clock
from shared.http.auth import Principal, Role, mint
from sla_monitor.app import service

PERSON = UUID(int=1)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OFFICE = [{"opens": "09:00", "closes": "18:00"}]
CHRISTMAS = {"day": "2026-12-25", "name": "Christmas"}


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, service) as running:
        yield running


def api(served: Served, *roles: Role) -> httpx.AsyncClient:
    who = Principal(str(PERSON), frozenset(roles or ("operations",)))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(served.app),
        base_url=served.settings.public_url,
        headers={"authorization": f"Bearer {mint(who, served.settings, HOUR)}"},
    )


def content(**more: Any) -> dict[str, Any]:
    return {"zone": "Europe/Berlin", "week": [OFFICE] * 5 + [[], []], **more}


async def publish(served: Served, name: str, seen: int, **more: Any) -> httpx.Response:
    headers = {"if-match": f'"{seen}"'}
    return await api(served).post(f"/sla/calendars/{name}/versions", json=content(**more), headers=headers)


# Reading.


async def test_the_calendar_that_ships_is_there_with_its_days(served: Served) -> None:
    client = api(served, "dispatcher")
    (only,) = [each for each in (await client.get("/sla/calendars")).json() if each["name"] == "cn"]
    assert (only["in_force"], only["zone"]) == (1, "Asia/Shanghai")
    assert (only["default"], only["regions"]) == (True, [])
    answer = await client.get("/sla/calendars/cn")
    assert (answer.headers["etag"], len(answer.json()["versions"])) == ('"1"', 1)
    days = (await client.get("/sla/calendars/cn/days", params={"year": 2026})).json()
    assert len(days) == 365
    named = {each["day"]: (each["kind"], each["name"], each["provenance"]) for each in days}
    assert named["2026-10-01"] == ("holiday", "国庆节", "announced")
    assert named["2026-10-10"] == ("make_up", "调休上班", "announced")
    assert named["2026-10-11"] == ("off", None, None)
    assert named["2026-10-12"][0] == "work"


@pytest.mark.parametrize("year", [2031, 9999])
async def test_a_year_beyond_all_that_is_known_is_shown_and_is_unconfirmed(served: Served, year: int) -> None:
    days = (await api(served).get("/sla/calendars/cn/days", params={"year": year})).json()
    assert {each["kind"] for each in days} == {"work", "off"}
    page = await (await served.signed_in("operations")).get("/sla/calendars/cn", params={"year": year})
    assert page.status_code == 200
    assert f"The holidays of {year} are not confirmed" in page.text


async def test_working_time_is_summed_piece_by_piece(served: Served) -> None:
    answer = await api(served).get(
        "/sla/calendars/cn/sum", params={"start": "2026-11-20T16:30:00+08:00", "working_seconds": 7200}
    )
    found = answer.json()
    # Fri 16:30 → 18:00 is 1:30 h; the other 0:30 h are Mon 09:00 → 09:30.
    assert datetime.fromisoformat(found["end"]) == datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
    assert [each["seconds"] for each in found["counted"]] == [5400, 1800]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sla/calendars/nowhere", 404),
        ("/sla/calendars/cn?version=7", 404),
        ("/sla/calendars/cn/versions/0", 404),
        ("/sla/calendars/cn/versions/99999999999999999999", 404),
        ("/sla/calendars/cn/days", 422),
        ("/sla/calendars/cn/days?year=10000", 422),
        ("/sla/calendars/cn/days?year=1", 422),
        ("/sla/calendars/cn/sum?start=2026-11-20T16:30:00&working_seconds=1", 422),
        ("/sla/calendars/cn/sum?start=9999-12-31T23:59:59Z&working_seconds=1", 422),
        ("/sla/calendars/cn/sum?start=0001-01-01T00:00:00Z&working_seconds=1", 422),
        ("/sla/calendars/cn/sum?start=2026-11-20T16:30:00Z&working_seconds=1000000000", 422),
        ("/sla/calendars/a%2fb", 404),
        ("/sla/countries/XX/days?first_year=2026&last_year=2027&hours_of=cn", 422),
        ("/sla/countries/DE-XX/days?first_year=2026&last_year=2027&hours_of=cn", 422),
        ("/sla/countries/germany/days?first_year=2026&last_year=2027&hours_of=cn", 422),
        ("/sla/countries/CN/days?first_year=2027&last_year=2026&hours_of=cn", 422),
        ("/sla/countries/CN/days?first_year=2000&last_year=2099&hours_of=cn", 422),
    ],
)
async def test_bad_questions_get_a_problem(served: Served, path: str, status: int) -> None:
    answer = await api(served).get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_list_of_a_country_is_there_to_begin_with(served: Served) -> None:
    asked: dict[str, str | int] = {"first_year": 2026, "last_year": 2026, "hours_of": "cn"}
    china = (await api(served).get("/sla/countries/CN/days", params=asked)).json()
    made_up = [each for each in china if each["windows"]]
    assert [each["day"] for each in made_up] == [
        "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10",
    ]  # fmt: skip
    assert {each["provenance"] for each in china} == {"announced"}
    germany = (await api(served).get("/sla/countries/DE/days", params=asked)).json()
    assert ("2026-10-03", "statutory") in {(each["day"], each["provenance"]) for each in germany}
    bavaria = (await api(served).get("/sla/countries/DE-BY/days", params=asked)).json()
    assert {each["day"] for each in bavaria} - {each["day"] for each in germany} >= {"2026-01-06"}


# Publishing.


async def test_a_version_is_published_over_the_one_that_was_seen(served: Served) -> None:
    day = {"day": "2026-12-25", "name": "Christmas", "provenance": "announced"}
    first = await publish(served, "de", 0, days=[day])
    assert (first.status_code, first.headers["etag"]) == (201, '"1"')
    assert (await publish(served, "de", 0)).status_code == 412
    second = await publish(served, "de", 1, days=[day | {"name": "Weihnachten"}])
    assert second.status_code == 201
    assert second.json()["digest"] == first.json()["digest"]  # a name moves no deadline
    shown = (await api(served).get("/sla/calendars/de/versions/2")).json()
    assert shown["days"] == [day | {"name": "Weihnachten", "windows": []}]
    assert shown["made_by"] == str(PERSON)


async def test_the_same_request_twice_publishes_once(served: Served) -> None:
    headers = {"if-match": '"0"', "idempotency-key": "one"}
    client = api(served)
    answers = [
        await client.post("/sla/calendars/twice/versions", json=content(), headers=headers) for _ in range(2)
    ]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len((await client.get("/sla/calendars/twice")).json()["versions"]) == 1


async def test_nothing_is_published_into_the_past(served: Served) -> None:
    answer = await publish(served, "late", 0, valid_from=(clock.now() - MINUTE).isoformat())
    assert answer.status_code == 422
    assert answer.json()["errors"][0] | {"detail": ""} == {
        "source": "body", "pointer": "/valid_from", "code": "in_the_past", "detail": "",
    }  # fmt: skip


async def test_now_is_after_everything_that_may_have_begun_already(served: Served) -> None:
    before = clock.now()
    answer = await publish(served, "soon", 0, valid_from=(before + timedelta(seconds=5)).isoformat())
    begins = datetime.fromisoformat(answer.json()["valid_from"])
    assert before + timedelta(seconds=60) < begins < before + timedelta(minutes=2)


async def test_of_two_versions_for_one_instant_the_later_counts(served: Served) -> None:
    at = clock.now() + HOUR
    assert (await publish(served, "twin", 0)).status_code == 201
    assert (await publish(served, "twin", 1, valid_from=at.isoformat())).status_code == 201
    assert (await publish(served, "twin", 2, valid_from=at.isoformat())).status_code == 201
    with clock_kept():
        clock.set(at + MINUTE)
        assert (await api(served).get("/sla/calendars/twin")).json()["in_force"] == 3


def windows(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    return [{"opens": opens, "closes": closes} for opens, closes in pairs]


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"zone": "Mars/Olympus"}, "/zone", "unknown_zone"),
        ({"zone": "../../etc/passwd"}, "/zone", "unknown_zone"),
        ({"zone": "America"}, "/zone", "unknown_zone"),
        ({"week": [[]] * 7}, "/week", "never_open"),
        ({"week": [windows(("09:00", "09:30"))] + [[]] * 6}, "/week", "never_open"),
        (
            {"week": [windows(("09:00", "12:00"), ("11:59", "18:00"))] + [[]] * 6},
            "/week/0/1",
            "windows_overlap",
        ),
        (
            {"week": [windows(("22:00", "06:00")), windows(("05:00", "09:00"))] + [[]] * 5},
            "/week/1/0",
            "windows_overlap",
        ),
        ({"week": [windows(("05:00", "09:00")), *[[]] * 5, windows(("22:00", "06:00"))]},
         "/week/0/0", "windows_overlap"),
        (
            {"days": [CHRISTMAS, CHRISTMAS]},
            "/days/1/day",
            "day_twice",
        ),
        (
            {"days": [{**CHRISTMAS, "windows": windows(("13:00", "18:00"), ("09:00", "12:00"))}]},
            "/days/0/windows/1",
            "windows_overlap",
        ),
        ({"week": [windows(("9", "12:00"))] + [[]] * 6}, "/week/0/0/opens", "string_pattern_mismatch"),
        ({"week": [windows(("24:00", "24:00"))] + [[]] * 6}, "/week/0/0/opens", "string_pattern_mismatch"),
        ({"week": [[]] * 6}, "/week", "too_short"),
        ({"days": [{"day": "9999-12-31", "name": "a"}]}, "/days/0/day", "less_than_equal"),
        ({"days": [{"day": "2026-02-30", "name": "a"}]}, "/days/0/day", "date_from_datetime_parsing"),
        ({"days": [{"day": "2026-02-03", "name": " "}]}, "/days/0/name", "string_too_short"),
        ({"days": [{**CHRISTMAS, "provenance": "x"}]}, "/days/0/provenance", "literal_error"),
        ({"valid_from": "2027-01-01T00:00:00"}, "/valid_from", "timezone_aware"),
        ({"valid_from": "9999-12-31T23:00:00-05:00"}, "/valid_from", "less_than"),
        ({"owner": "x"}, "/owner", "extra_forbidden"),
    ],
)  # fmt: skip
async def test_what_cannot_be_counted_by_is_refused_with_its_place(
    served: Served, body: dict[str, Any], pointer: str, code: str
) -> None:
    answer = await publish(served, "bad", 0, **body)
    assert answer.status_code == 422
    assert (pointer, code) in {(each["pointer"], each["code"]) for each in answer.json()["errors"]}
    assert (await api(served).get("/sla/calendars/bad")).status_code == 404


async def test_who_sees_a_part_only_publishes_nothing_that_counts_for_all(served: Served) -> None:
    """R125: headquarters set the standards."""
    who = Principal(str(PERSON), frozenset({"operations"}), regions=frozenset({"east"}))
    client = api(served)
    client.headers["authorization"] = f"Bearer {mint(who, served.settings, HOUR)}"
    answer = await client.post("/sla/calendars/mine/versions", json=content(), headers={"if-match": '"0"'})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/one-house")
    assert (await client.get("/sla/calendars/mine")).status_code == 404


async def test_a_dispatcher_may_look_but_not_publish(served: Served) -> None:
    answer = await api(served, "dispatcher").post(
        "/sla/calendars/cn/versions", json=content(), headers={"if-match": '"1"'}
    )
    assert answer.status_code == 403


@pytest.mark.parametrize(("seen", "status"), [(None, 428), ("*", 400), ('"7"', 412)])
async def test_a_bad_precondition_publishes_nothing(served: Served, seen: str | None, status: int) -> None:
    header = {} if seen is None else {"if-match": seen}
    answer = await api(served).post("/sla/calendars/cn/versions", json=content(), headers=header)
    assert answer.status_code == status


# Files.


def ics(*entries: str) -> bytes:
    """A calendar file; each entry as its lines, separated by |."""
    events = "".join(f"BEGIN:VEVENT\r\n{each.replace('|', chr(10))}\r\nEND:VEVENT\r\n" for each in entries)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n".encode()


async def send(served: Served, raw: bytes, **more: Any) -> httpx.Response:
    return await api(served).post(
        "/sla/calendars/cn/imports",
        files={"file": ("holidays.ics", raw, "text/calendar")},
        data={"first_year": 2027, "last_year": 2027, **more},
    )


async def test_a_file_becomes_a_proposal_and_nothing_else(served: Served) -> None:
    raw = ics(
        "DTSTART;VALUE=DATE:20271011|DTEND;VALUE=DATE:20271013|SUMMARY:厂休",
        "DTSTART;VALUE=DATE:20271017|SUMMARY:厂休（班）",
        "DTSTART:20271018T090000Z|SUMMARY:Meeting",
    )
    answer = await send(served, raw)
    assert answer.status_code == 200, answer.text
    proposal = answer.json()
    assert proposal["left_out"] == 1
    changes = {each["day"]: each["after"] for each in proposal["changes"]}
    assert {day: (each["name"], len(each["windows"])) for day, each in changes.items()} == {
        "2027-10-11": ("厂休", 0), "2027-10-12": ("厂休", 0), "2027-10-17": ("厂休（班）", 1),
    }  # fmt: skip
    assert (await api(served).get("/sla/calendars/cn")).json()["last"] == 1
    published = await api(served).post(
        "/sla/calendars/copy/versions", json=proposal["content"], headers={"if-match": '"0"'}
    )
    assert published.status_code == 201, published.text


async def test_a_file_may_stand_instead_of_what_was_there(served: Served) -> None:
    proposal = (await send(served, ics("DTSTART;VALUE=DATE:20271011|SUMMARY:x"), how="instead")).json()
    assert [each["day"] for each in proposal["content"]["days"] if each["day"].startswith("2027")] == [
        "2027-10-11"
    ]


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x89PNG", b"BEGIN:VCALENDAR\r\n", ics("SUMMARY:no day"), ics("DTSTART;VALUE=DATE:20270230")],
)
async def test_a_file_that_cannot_be_read_gets_the_reason(served: Served, raw: bytes) -> None:
    answer = await send(served, raw)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/unreadable-calendar"


async def test_a_file_that_is_too_large_is_refused(served: Served) -> None:
    assert (await send(served, ics("SUMMARY:" + "x" * 2**21))).status_code == 413
