"""One promise is one matter: what was raised last about it stands for what was raised before."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio

from contracts.clocking import ARRIVED, DUE, ENGINEER, HOUR, SECOND, TEN, Desk, clocking, visit
from shared.clock import clock
from shared.db import Tx
from sla_monitor.alerts.climbing import look_up_again

HALF, THREE_QUARTERS = TEN + HOUR, TEN + timedelta(minutes=90)
ON_SITE = {"promise": "on_site"}


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    await running.clear()
    return running


async def listed(desk: Desk, **asked: str) -> list[dict[str, Any]]:
    client = desk.client("operations", id=str(ENGINEER))
    answer = await client.get("/sla/alerts", params={**ON_SITE, **asked})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def page(desk: Desk, query: str = "") -> str:
    browser = await desk.served.signed_in("operations")
    return (await browser.get(f"/sla/alerts?promise=on_site{query}")).text


async def missed(desk: Desk) -> None:
    """An arrival on site that was warned of at 50, 75 and 90 percent, and is missed."""
    await desk.urgent()
    for at in (HALF, THREE_QUARTERS, DUE - timedelta(minutes=12), DUE + SECOND):
        await desk.tick(at, dispatch=at)


async def test_a_miss_stands_for_its_warnings(desk: Desk) -> None:
    await missed(desk)
    alerts = await listed(desk)
    assert [(each["threshold"], each["state"]) for each in alerts] == [
        (100, "open"),
        (90, "superseded"),
        (75, "superseded"),
        (50, "superseded"),
    ]
    assert {each["superseded_by"] for each in alerts[1:]} == {alerts[0]["id"]}
    assert alerts[0]["superseded_by"] is None
    for asked in ({"state": "open"}, {"latest": "true"}):
        assert [each["threshold"] for each in await listed(desk, **asked)] == [100]
    assert [each["threshold"] for each in await listed(desk, latest="false")] == [90, 75, 50]


async def test_the_page_has_one_line_and_says_what_came_before(desk: Desk) -> None:
    await missed(desk)
    await desk.urgent(TEN + 2 * HOUR)
    await desk.tick(TEN + 3 * HOUR, dispatch=TEN + 3 * HOUR)
    shown = await page(desk)
    rows = re.findall(r"<tr tabindex.*?</tr>", shown, re.S)
    assert len(rows) == 2
    assert "50%" in rows[0]
    assert "warning" not in rows[0], "the first warning of its promise stands for none"
    assert "missed" in rows[1]
    assert "3 warnings before" in rows[1]
    assert re.findall(r"<li>(\d+)%", rows[1]) == ["50", "75", "90"]
    assert len(re.findall(r"<tr tabindex", await page(desk, "&missed=false"))) == 1
    assert len(re.findall(r"<tr tabindex", await page(desk, "&state=open"))) == 2


async def test_the_filters_of_the_page_may_be_left_as_they_are(desk: Desk) -> None:
    """A form sends every field, also those in which nothing was chosen."""
    await missed(desk)
    form = (await page(desk)).split('class="sieve"')[1].split("</form>")[0]
    names = re.findall(r'name="(\w+)"', form)
    assert {"state", "missed", "promise", "severity", "region"} <= set(names)
    browser = await desk.served.signed_in("operations")
    for chosen, lines in (({}, 1), ({"promise": "on_site"}, 1), ({"severity": "general"}, 0)):
        answer = await browser.get("/sla/alerts", params={**dict.fromkeys(names, ""), **chosen})
        assert answer.status_code == 200
        assert len(re.findall(r"<tr tabindex", answer.text)) == lines
    wrong = await desk.client("operations").get("/sla/alerts", params={"state": "over"})
    assert wrong.status_code == 422


async def test_who_looked_after_a_warning_is_asked_anew_when_it_is_missed(desk: Desk) -> None:
    await desk.urgent()
    await desk.tick(HALF, dispatch=HALF)
    (warned,) = await listed(desk)
    client = desk.client("operations", id=str(ENGINEER))
    await client.post("/sla/alerts/acknowledge", json={"alerts": [{"id": warned["id"], "version": 1}]})
    await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    states = {each["threshold"]: each["state"] for each in await listed(desk)}
    assert (states[50], states[100]) == ("acknowledged", "open")
    (line,) = re.findall(r"<tr tabindex.*?</tr>", await page(desk), re.S)
    assert "looked after" in line


async def test_a_snoozed_warning_does_not_come_back_beside_the_miss(desk: Desk) -> None:
    await desk.urgent()
    await desk.tick(HALF, dispatch=HALF)
    (warned,) = await listed(desk)
    until = clock.now() + HOUR
    asked = {"alerts": [{"id": warned["id"], "version": 1}], "until": until.isoformat(), "reason": "r"}
    client = desk.client("operations", id=str(ENGINEER))
    assert (await client.post("/sla/alerts/snooze", json=asked)).json()["items"][0]["done"] is True
    await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)

    async def look(tx: Tx) -> object:
        return await look_up_again(tx, until + SECOND)

    await desk.admin.execute("DELETE FROM escalation")  # of the miss itself
    assert await desk.database.transact(look) is None, "nothing is waited for any more"
    deeds = await desk.admin.fetch("SELECT deed FROM alert_deed WHERE alert_id = $1", UUID(warned["id"]))
    assert [each["deed"] for each in deeds] == ["snoozed"]


async def test_what_was_taken_back_is_a_line_of_its_own(desk: Desk) -> None:
    ticket = await desk.urgent()
    await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    await desk.happen(ticket, ARRIVED, DUE - SECOND)
    (line,) = [each for each in await listed(desk, latest="true") if each["threshold"] == 100]
    assert line["state"] == "retracted"


async def test_what_was_taken_back_stands_for_nothing_that_came_after(desk: Desk) -> None:
    """A later visit at the customer's wish becomes known after the miss was told: there is time again."""
    ticket = await desk.urgent()
    await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    wished = max(clock.now(), DUE) + HOUR  # when it is told, there must be time again
    await desk.happen(ticket, visit(wished), TEN + HOUR)
    warned_at = wished + timedelta(minutes=31)  # an hour was left when the visit was agreed on
    await desk.tick(warned_at, dispatch=warned_at)
    lines = {
        (each["revision"], each["threshold"]): each["state"] for each in await listed(desk, latest="true")
    }
    assert lines == {(0, 100): "retracted", (1, 75): "open"}


async def test_in_the_feed_the_miss_inhibits_its_warnings(desk: Desk) -> None:
    await desk.urgent(clock.now() - 2 * HOUR + timedelta(minutes=5))
    for minutes in (1, 6):
        now = clock.now() + timedelta(minutes=minutes)
        await desk.tick(now, dispatch=now)
    feed = (await desk.client("operations").get("/sla/alerts/feed")).json()
    told = {
        each["labels"]["threshold"]: each["status"] for each in feed if each["labels"]["promise"] == "on_site"
    }
    assert told["100"]["state"] == "active"
    assert len(told) > 1
    for threshold, status in told.items():
        if threshold != "100":
            assert status["state"] == "suppressed"
            assert len(status["inhibitedBy"]) == 1
            assert status["silencedBy"] == []
