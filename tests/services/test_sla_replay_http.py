"""Replays over HTTP and on their page: asked for once, watched, taken home; refused with the way out."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import httpx
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.clocking import (
    ARRIVED,
    HOUR,
    MINUTE,
    TEN,
    Desk,
    assigned,
    opened,
)
from contracts.replaying import DAY, looking_back, run, stricter, wish
from shared.clock import clock, uuid7
from shared.http.auth import Principal, Role, mint
from sla_monitor.policies.shipped import SHIPPED
from sla_monitor.policies.store import row_of
from sla_monitor.replay import actions


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with looking_back(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    await running.clear()
    await empty(running.admin, "replay, replay_change, replay_clock, imported_history")
    return running


def api(desk: Desk, role: Role = "operations", regions: frozenset[str] | None = None) -> httpx.AsyncClient:
    token = mint(Principal("planner", frozenset({role}), regions=regions), desk.served.settings, HOUR)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(desk.served.app),
        base_url=desk.served.settings.public_url,
        headers={"authorization": f"Bearer {token}"},
    )


WANTED = {"policy_version": 1, "begins": (TEN - DAY).isoformat(), "ends": (TEN + DAY).isoformat()}


async def test_a_replay_is_asked_for_once_watched_and_taken_home(desk: Desk) -> None:
    ticket = uuid7()
    await desk.receive(
        desk.event(ticket, opened().model_copy(update={"title": "=cmd()|' /C calc'!A0"}), TEN),
        desk.event(ticket, assigned(), TEN),
        desk.event(ticket, ARRIVED, TEN + 90 * MINUTE),
    )
    wanted = WANTED | {"policy_version": None, "policy": stricter().model_dump(mode="json")}
    client = api(desk)
    asked = [
        await client.post("/sla/replays", json=wanted, headers={"idempotency-key": "k"}) for _ in range(2)
    ]
    assert [each.status_code for each in asked] == [202, 202]
    where = asked[0].headers["location"]
    assert asked[1].headers["location"] == where
    shown = (await client.get(where)).json()
    assert (shown["state"], shown["total"], shown["done"]) == ("waiting", 1, 0)
    while await desk.database.transact(lambda tx: actions.step(tx, clock.now())) is not None:
        pass
    shown = (await client.get(where)).json()
    assert (shown["state"], shown["report"]["unreproduced"]) == ("done", 0)
    assert shown["report"]["subjects"]["tried"]["breached"] == 1
    items = (await client.get(f"{where}/changes")).json()["items"]
    assert [(each["promise"], each["outcome_after"]) for each in items] == [("on_site", "breached")]
    table = (await client.get(f"{where}/changes.csv")).content.decode("utf-8-sig")
    [row] = csv.DictReader(StringIO(table))
    assert row["name"].startswith("'=")  # no spreadsheet runs it
    assert row["reasons"].startswith("1 hr allowed instead of 2 hr; due 2026-11-20 11:00 instead of")


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"policy_version": 99}, "policy-version-unknown"),
        ({"against_version": 99}, "policy-version-unknown"),
        ({"policy_version": None}, "nothing-to-try"),
        ({"policy": SHIPPED.model_dump(mode="json")}, "nothing-to-try"),
        ({"calendar": {"name": "cn", "version": 99}}, "calendar-version-unknown"),
        ({"source": "nowhere"}, "source-unknown"),
        ({"ends": WANTED["begins"]}, "stretch-empty"),
        ({"begins": "0001-01-01T00:00:00+14:00"}, "invalid-input"),
        (
            {"policy_version": None, "policy": {"calendar": "mars", "promises": []}},
            "calendar-version-unknown",
        ),
    ],
)
async def test_what_cannot_be_replayed_is_refused_with_the_way_out(
    desk: Desk, changes: dict[str, Any], slug: str
) -> None:
    answer = await api(desk).post("/sla/replays", json=WANTED | changes)
    assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{slug}")


async def test_whoever_sees_a_part_of_the_house_replays_nothing(desk: Desk) -> None:
    client = api(desk, regions=frozenset({"east"}))
    assert (await client.post("/sla/replays", json=WANTED)).status_code == 403
    assert (await client.get("/sla/replays")).status_code == 403


async def test_the_page_asks_watches_and_reports(desk: Desk) -> None:
    ticket = uuid7()
    await desk.receive(
        desk.event(ticket, opened(), TEN),
        desk.event(ticket, assigned(), TEN),
        desk.event(ticket, ARRIVED, TEN + 90 * MINUTE),
    )
    client = await desk.served.signed_in("operations")
    page = (await client.get("/sla/replays")).text
    assert "Judge the past anew" in page
    form = {
        "policy": "draft", "draft": stricter().model_dump_json(),
        "begins": "2026-11-19", "ends": "2026-11-21",
        "csrf": page.split('name="csrf" value="')[1].split('"')[0],
    }  # fmt: skip
    sent = await client.post("/sla/replays/new", data=form, headers={"sec-fetch-site": "same-origin"})
    assert sent.status_code == 303, sent.text
    where = sent.headers["location"]
    assert 'hx-trigger="every 1s"' in (await client.get(where)).text
    while await desk.database.transact(lambda tx: actions.step(tx, clock.now())) is not None:
        pass
    report = (await client.get(where)).text
    assert "hx-trigger" not in report
    assert f'href="/sla/subjects/{ticket}"' in report
    assert "1 hr allowed instead of 2 hr" in report
    assert "kept becomes missed" in report
    assert "<dt>Missed, per ticket</dt>" in report  # other promises than R50–R58 are in the tables only
    assert "Per ticket only the response promises count (R50–R58)" in report
    for wrong, said in (
        ({"draft": "{"}, "The draft is no policy"),
        ({"ends": "2026-11-01"}, "ends before it begins"),
        ({"calendar": "mars"}, "Choose a calendar"),
    ):
        refused = await client.post(
            "/sla/replays/new", data=form | wrong, headers={"sec-fetch-site": "same-origin"}
        )
        assert refused.status_code == 422
        assert said in refused.text


async def test_another_version_is_compared_with_another(desk: Desk) -> None:
    ticket = uuid7()
    await desk.receive(desk.event(ticket, assigned(), TEN), desk.event(ticket, ARRIVED, TEN + 90 * MINUTE))
    row = row_of(7, TEN + 365 * DAY, stricter(30), "test")
    await desk.admin.execute("DELETE FROM policy_version WHERE version = 7")
    await desk.admin.execute(
        "INSERT INTO policy_version (version, valid_from, body, source, digest) VALUES ($1, $2, $3, $4, $5)",
        7, row["valid_from"], stricter(30).model_dump_json(), "test", row["digest"],
    )  # fmt: skip
    done = await run(desk, wish(against_version=7))
    assert done.tally.flips["on_site", "breached", "met"] == 1
    assert done.tally.checked == 0  # it is not the live result that is compared with
