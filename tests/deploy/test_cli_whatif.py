"""`aftercare deadline` on stories and files, `whatif` on a history, and `import-history` into a suite."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio
from typer.testing import Result

from allinone import histories
from allinone.faults import OutOfReach
from contracts.hearing import Hearing, hearing
from intake.app import service as intake
from sla_monitor.calendars.answers import ContentForm, VersionShown
from sla_monitor.calendars.rules import ExceptionalDay, window
from sla_monitor.calendars.versions import Content
from sla_monitor.policies.answers import PolicyShown
from sla_monitor.policies.rules import Policy, Wall
from sla_monitor.policies.shipped import SHIPPED

Aftercare = Callable[..., Awaitable[Result]]
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SAMPLE = ("--history", str(EXAMPLES / "tickets.csv"), "--mapping", str(EXAMPLES / "tickets.toml"))


def stricter() -> Policy:
    """An hour to be on site, whatever the severity and the distance."""
    promises = []
    for each in SHIPPED.promises:
        if each.code == "on_site":
            target = Wall(length=timedelta(hours=1), requirement="R54")
            cases = tuple(case.model_copy(update={"target": target}) for case in each.cases)
            each = each.model_copy(update={"cases": cases})
        promises.append(each)
    return SHIPPED.model_copy(update={"promises": tuple(promises)})


@pytest.fixture
def policy_file(folder: Path) -> str:
    """As `GET /sla/policies/{version}` answers."""
    instant = datetime(2026, 1, 1, tzinfo=UTC)
    shown = PolicyShown(
        version=2,
        valid_from=instant,
        source="test",
        made_by=None,
        made_at=instant,
        note="",
        policy=stricter(),
    )
    (folder / "policy.json").write_text(shown.model_dump_json())
    return str(folder / "policy.json")


@pytest.fixture
def calendar_file(folder: Path) -> str:
    """As `GET /sla/calendars/{name}/versions/{version}` answers: Monday only, and the 3rd of March off."""
    content = Content(
        "Europe/Berlin",
        ((window(time(8), time(12)),), *[()] * 6),
        (ExceptionalDay(date(2026, 3, 9), (), "Inventory", "entered"),),
        "test",
    )
    instant = "2026-01-01T00:00:00Z"
    head = {"version": 3, "valid_from": instant, "digest": "x", "made_at": instant}
    shown = VersionShown.model_validate(ContentForm.of(content).model_dump() | head | {"made_by": None})
    (folder / "berlin.json").write_text(shown.model_dump_json())
    return str(folder / "berlin.json")


# Deadlines.

STORY = [
    {"kind": "dispatch.ticket_assigned", "after": "PT0S", "facts": {"severity": "urgent", "same_city": True}},
    {"kind": "dispatch.visit_agreed", "after": "PT1H",
     "facts": {"at_customers_wish": True, "starts_at": "2026-02-14T20:00:00+08:00"}},
    {"kind": "dispatch.engineer_arrived", "at": "2026-02-14T20:30+08:00"},
]  # fmt: skip


async def test_every_clock_of_a_story_is_told_with_its_arithmetic(aftercare: Aftercare, folder: Path) -> None:
    (folder / "story.json").write_text(json.dumps(STORY))
    asked = ("deadline", "--start", "2026-02-14T15:00+08:00", "--events", "story.json")
    document = json.loads((await aftercare(*asked, "--json")).stdout)
    clocks = {each["clock"]: each for each in document["clocks"]}
    on_site = clocks["on_site"]
    assert on_site["deadline"] == "2026-02-14T21:00:00+08:00"  # an hour used, stands 16:00–20:00, an hour
    assert (on_site["outcome"], on_site["reason"]) == ("met", "dispatch.engineer_arrived")
    assert [(each["counted"], each["seconds"]) for each in on_site["intervals"]] == [
        (True, 3600), (False, 4 * 3600), (True, 3600),
    ]  # fmt: skip
    told = (await aftercare(*asked)).stdout
    assert "Arrive on site (on_site)\nstarted   Sat 2026-02-14 15:00+08:00\n" in told
    assert "deadline  Sat 2026-02-14 21:00+08:00\noutcome   kept, engineer on site Sat 2026-02-14" in told
    only = json.loads((await aftercare(*asked, "--clock", "accept", "--json")).stdout)
    assert [each["clock"] for each in only["clocks"]] == ["accept"]


async def test_without_a_story_each_promise_that_would_begin_is_told(aftercare: Aftercare) -> None:
    asked = ("deadline", "--start", "2026-02-14T15:00+08:00", "--severity", "urgent", "--same-city", "--json")
    document = json.loads((await aftercare(*asked)).stdout)
    assert {"accept", "on_site", "resolution"} <= {each["clock"] for each in document["clocks"]}


async def test_policy_and_calendar_come_from_files(
    aftercare: Aftercare, policy_file: str, calendar_file: str
) -> None:
    asked = ("deadline", "--clock", "on_site", "--severity", "urgent", "--same-city", "--json")
    stricter = await aftercare(*asked, "--start", "2026-02-14T15:00+08:00", "--policy", policy_file)
    assert json.loads(stricter.stdout)["deadline"] == "2026-02-14T16:00:00+08:00"
    # Out of hours until 09:00 of the next working day: Monday the 16th, the 9th being off.
    mail = ("deadline", "--clock", "first_reply", "--channel", "email", "--start", "2026-03-03T10:00")
    answer = json.loads((await aftercare(*mail, "--calendar", calendar_file, "--json")).stdout)
    assert answer["calendar"] == {"name": "berlin", "zone": "Europe/Berlin"}
    assert (answer["start"], answer["deadline"]) == ("2026-03-03T10:00:00+01:00", "2026-03-16T09:00:00+01:00")
    assert {"day": "2026-03-09", "why": "off (Inventory)"} in answer["days"]


@pytest.mark.parametrize(
    ("option", "content", "reason"),
    [
        ("--policy", None, "No such file"),
        ("--policy", "{", "The body is not JSON"),
        ("--policy", "[]", "Input should be"),
        ("--policy", '{"calendar": "cn", "promises": [{"code": "x"}]}', "promises/0/about: Field required"),
        ("--calendar", '{"zone": "Mars/Olympus", "week": [[], [], [], [], [], [], []]}', "cannot be used"),
        ("--calendar", "{}", "zone: Field required"),
        ("--events", "{}", "Input should be a valid array"),
        ("--events", '[{"kind": "dispatch.ticket_assigned"}]', "Something happens either"),
        ("--events", '[{"kind": "a.b", "at": "0001-01-01T00:00:00Z"}]', "greater than or equal"),
    ],
)
async def test_a_file_that_cannot_be_used_is_named(
    option: str, content: str | None, reason: str, aftercare: Aftercare, folder: Path
) -> None:
    if content is not None:
        (folder / "given.json").write_text(content)
    refused = await aftercare("deadline", "--start", "2026-02-14T15:00", option, "given.json")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("given.json cannot be used: ")
    assert reason in refused.stderr


async def test_when_nothing_is_promised_it_says_so(aftercare: Aftercare, folder: Path) -> None:
    refused = await aftercare("deadline", "--start", "2026-02-14T15:00", "--channel", "phone")
    assert (refused.exit_code, "nothing is promised" in refused.stderr) == (2, True)
    (folder / "story.json").write_text('[{"kind": "a.b", "after": "PT0S"}]')
    told = await aftercare("deadline", "--start", "2026-02-14T15:00", "--events", "story.json")
    assert told.stdout.endswith("nothing is promised in this story\n")


# What if.


async def test_the_policy_that_ships_changes_nothing(aftercare: Aftercare) -> None:
    document = json.loads((await aftercare("whatif", *SAMPLE, "--json")).stdout)
    report = document["report"]
    assert (report["replayed"], report["changed"], document["changes"]) == (6, 0, [])
    assert report["subjects"]["base"] == {"met": 4, "breached": 2, "running": 0, "share": 4 / 6}
    shares = {each["promise"]: each["base"]["share"] for each in report["promises"]}
    assert shares["on_site"] == 1.0
    assert shares["first_reply"] == 5 / 6  # S-5 was answered after 70 minutes in working hours


async def test_another_policy_is_told_with_each_change_and_why(
    aftercare: Aftercare, policy_file: str
) -> None:
    document = json.loads((await aftercare("whatif", *SAMPLE, "--policy", policy_file, "--json")).stdout)
    assert document["report"]["flips"] == [
        {"promise": "on_site", "before": "met", "after": "breached", "clocks": 4}
    ]
    first = next(each for each in document["changes"] if each["ticket"] == "S-1")
    assert [each["why"] for each in first["reasons"]] == ["allowance", "deadline", "outcome"]
    told = (await aftercare("whatif", *SAMPLE, "--policy", policy_file)).stdout
    assert "all response clocks        66.7%      0.0%         2           6" in told
    assert "S-1  Arrive on site: 1 hr allowed instead of 2 hr; due 2026-03-02 10:20" in told
    reverse = json.loads((await aftercare("whatif", *SAMPLE, "--against", policy_file, "--json")).stdout)
    assert {(each["before"], each["after"]) for each in reverse["report"]["flips"]} == {("breached", "met")}


async def test_another_calendar_is_told_too(aftercare: Aftercare, calendar_file: str) -> None:
    document = json.loads((await aftercare("whatif", *SAMPLE, "--calendar", calendar_file, "--json")).stdout)
    assert document["calendar"] == {"base": "cn", "tried": "berlin"}
    assert {each["promise"] for each in document["changes"]} == {"first_reply"}


async def test_bad_rows_are_named_and_the_rest_is_judged(aftercare: Aftercare, folder: Path) -> None:
    rows = (EXAMPLES / "tickets.csv").read_text().replace("2026-03-02 09:10", "yesterday")
    (folder / "some.csv").write_text(rows)
    found = await aftercare("whatif", "--history", "some.csv", *SAMPLE[2:], "--json")
    assert "line 2: Received is 'yesterday', which is no instant" in found.stderr
    document = json.loads(found.stdout)
    assert (document["report"]["replayed"], document["bad_rows"]) == (5, 1)


@pytest.mark.parametrize(
    ("history", "mapping", "reason"),
    [
        (None, "ok", "history cannot be used: No such file"),
        ("", "ok", "history cannot be used: the file has no header"),
        ("a,b\n", "ok", "the file has no column Ticket"),
        (HEAD := "Ticket,Severity,Region,Team,Same city,Received,Answered,Assigned,Accepted,Agreed,Arrived,"
         "Resolved,Closed\n", "ok", "history has no ticket to judge; 0 rows could not be read"),
        (HEAD, "source = ", "mapping cannot be used: Invalid value"),
        (HEAD, "source = 'x'", "mapping cannot be used: ticket: Field required; events: Field required"),
        (HEAD, "\0", "mapping cannot be used"),
    ],
)  # fmt: skip
async def test_what_cannot_be_judged_is_refused(
    history: str | None, mapping: str, reason: str, aftercare: Aftercare, folder: Path
) -> None:
    if history is not None:
        (folder / "history").write_text(history)
    ours = (EXAMPLES / "tickets.toml").read_text()
    (folder / "mapping").write_text(ours if mapping == "ok" else mapping)
    refused = await aftercare("whatif", "--history", "history", "--mapping", "mapping")
    assert (refused.exit_code, reason in refused.stderr) == (2, True), refused.stderr


# Into a running suite.


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, intake) as heard:
        yield heard


@pytest.fixture
def here(desk: Hearing, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose environment names that suite."""
    settings = desk.served.settings
    monkeypatch.setenv("AFTERCARE_INTAKE_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("AFTERCARE_BUS", "memory")
    monkeypatch.setenv("AFTERCARE_SECRET", settings.secret.get_secret_value())
    monkeypatch.setenv("AFTERCARE_PUBLIC_URL", settings.public_url)
    return folder


async def emitted(admin: asyncpg.Connection) -> list[tuple[str, str]]:
    rows = await admin.fetch("SELECT lane, body FROM event_log WHERE type = 'intake.history_imported.v1'")
    return [(row["lane"], json.loads(row["body"])["data"]["ticket"]) for row in rows]


async def test_an_import_that_breaks_off_goes_on_and_is_passed_on_once(
    desk: Hearing, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histories, "MOST_TICKETS", 2)
    asks = 0

    class Flaky(httpx.AsyncBaseTransport):
        """Takes the first batch, commits the second without a word, and is gone."""

        def __init__(self, broken: bool) -> None:
            self.broken = broken
            self.below = httpx.ASGITransport(desk.served.app)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal asks
            asks += 1
            answer = await self.below.handle_async_request(request)
            if self.broken and asks >= 2:
                raise httpx.ReadError("gone")
            return answer

    monkeypatch.setattr(histories, "ATTEMPTS", 1)
    file, mapping = EXAMPLES / "tickets.csv", EXAMPLES / "tickets.toml"
    url = desk.served.settings.public_url
    with pytest.raises(OutOfReach, match="the same command again goes on"):
        await histories.send(file, mapping, url, print, transport=Flaky(broken=True))
    sent = await histories.send(file, mapping, url, print, transport=Flaky(broken=False))
    assert (sent.tickets, sent.known, sent.bad.count) == (6, 4, 0)
    assert sorted(await emitted(desk.admin)) == [("bulk", f"S-{n}") for n in range(1, 7)]
    again = await histories.send(file, mapping, url, print, transport=Flaky(broken=False))
    assert (again.tickets, again.known) == (6, 6)
    assert len(await emitted(desk.admin)) == 6


async def test_an_import_without_a_suite_says_what_is_missing(aftercare: Aftercare) -> None:
    asked = ("import-history", str(EXAMPLES / "tickets.csv"), "--mapping", str(EXAMPLES / "tickets.toml"))
    refused = await aftercare(*asked)
    assert refused.exit_code == 2
    assert "no token can be signed here" in refused.stderr
