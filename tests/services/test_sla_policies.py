"""Policies over HTTP: versions, the linter at the door, previews and pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from contracts.clocking import HOUR, Desk, clocking
from contracts.promising import AUTHOR, Body, api, begin_anew, faster, promise, shipped
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events.dispatch import TicketRegraded
from sla_monitor.app import service
from sla_monitor.policies.store import load_rulebook

MIGRATIONS = service.migrations or Path()


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    """The desk with nothing on it, and the shipped policy alone."""
    await begin_anew(running)
    return running


async def publish(desk: Desk, body: Body, *, seen: int = 1, **more: Any) -> httpx.Response:
    headers = {"if-match": f'"{seen}"', "idempotency-key": str(more.pop("key", uuid7()))}
    return await api(desk).post("/sla/policies", json={"policy": body, **more}, headers=headers)


# Versions.


async def test_the_shipped_policy_is_the_first_version(desk: Desk) -> None:
    answer = await api(desk, "dispatcher").get("/sla/policies")
    assert answer.headers["etag"] == '"1"'
    (version,) = answer.json()["items"]
    assert (version["version"], version["source"], version["made_by"]) == (1, "shipped", None)
    one = (await api(desk).get("/sla/policies/1")).json()
    assert one["policy"] == shipped()
    assert (await api(desk).get("/sla/policies/2")).status_code == 404


async def test_publishing_makes_a_version_that_says_who_and_why(desk: Desk) -> None:
    answer = await publish(desk, faster(), note="The customer of the year")
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == "/sla/policies/2"
    assert answer.headers["etag"] == '"2"'
    shown = (await api(desk).get("/sla/policies/2")).json()
    assert (shown["made_by"], shown["note"]) == (AUTHOR, "The customer of the year")
    assert promise(shown["policy"], "on_site")["cases"][0]["target"]["length"] == "PT1H"
    noted = await desk.admin.fetchrow("SELECT * FROM audit WHERE action = 'policy.published'")
    assert (noted["actor"], noted["subject"]) == (AUTHOR, "2")


async def test_the_same_request_again_is_the_same_version(desk: Desk) -> None:
    first = await publish(desk, faster(), key="again")
    second = await publish(desk, faster(), key="again")
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    assert len((await api(desk).get("/sla/policies")).json()["items"]) == 2


async def test_publishing_takes_the_newest_version_that_was_seen(desk: Desk) -> None:
    assert (await publish(desk, faster())).status_code == 201
    stale = await publish(desk, faster(3))
    assert (stale.status_code, stale.headers["etag"]) == (412, '"2"')
    client = api(desk)
    key = {"idempotency-key": "k"}
    assert (await client.post("/sla/policies", json={"policy": faster()}, headers=key)).status_code == 428


async def test_an_error_is_refused_with_a_pointer_and_the_way_out(desk: Desk) -> None:
    body = faster()
    promise(body, "on_site")["stops"] = ["dispatch.engineer_arived"]
    answer = await publish(desk, body, accept_warnings=True)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "/problems/policy-refused"
    assert {each["pointer"] for each in problem["errors"]} == {
        "/policy/promises/4/stops/0",
        "/policy/promises/4/stops",
    }
    assert "Choose one of the events that there are." in problem["errors"][0]["detail"]
    assert len((await api(desk).get("/sla/policies")).json()["items"]) == 1


async def test_a_warning_takes_a_word_that_it_is_meant(desk: Desk) -> None:
    body = faster()
    promise(body, "on_site")["ladder"] = []
    doubted = await publish(desk, body)
    assert doubted.status_code == 422
    assert doubted.json()["type"] == "/problems/warnings-not-accepted"
    assert (await publish(desk, body, accept_warnings=True)).status_code == 201


async def test_a_version_may_begin_later_but_not_in_the_past(desk: Desk) -> None:
    now = clock.now()
    for begins, status in ((now - HOUR, 422), (now + timedelta(days=400), 422), (now + 5 * HOUR, 201)):
        answer = await publish(desk, faster(), valid_from=begins.isoformat())
        assert answer.status_code == status, answer.text
    taken = await publish(desk, faster(3), seen=2, valid_from=(now + 5 * HOUR).isoformat())
    assert taken.status_code == 409
    sooner = await publish(desk, faster(3), seen=2)
    assert sooner.status_code == 201  # version 3 until version 2 begins

    async def in_force(tx: Tx) -> list[int]:
        rulebook = await load_rulebook(tx)
        return [rulebook.at(now + hours * HOUR).versions[0] for hours in (0, 1, 6)]

    assert await desk.database.transact(in_force) == [1, 3, 2]


async def test_who_sees_a_part_only_promises_nothing_to_all(desk: Desk) -> None:
    headers = {"if-match": '"1"', "idempotency-key": "k"}
    client = api(desk, regions=frozenset({"east"}))
    answer = await client.post("/sla/policies", json={"policy": faster()}, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/one-house")
    refused = await api(desk, "dispatcher").post("/sla/policies", json={"policy": faster()}, headers=headers)
    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("spoil", "pointer"),
    [
        (lambda b: b.update(promises="none"), "/policy/promises"),
        (lambda b: b["promises"][0].update(about="people"), "/policy/promises/0/about"),
        (lambda b: b["promises"][0].update(starts=[]), "/policy/promises/0/starts"),
        (lambda b: b["promises"][0].update(nonsense=1), "/policy/promises/0/nonsense"),
        (lambda b: b["promises"][0].update(code="a b"), "/policy/promises/0/code"),
        (lambda b: b["promises"].append(b["promises"][0]), "/policy"),
        (lambda b: b["promises"][0]["ladder"][0].update(at=0), "/policy/promises/0/ladder/0/at"),
        (
            lambda b: b["promises"][0]["cases"][0]["target"].update(kind="x"),
            "/policy/promises/0/cases/0/target",
        ),
    ],
)
@pytest.mark.parametrize("path", ["", "/lint"])
async def test_what_is_no_policy_is_refused_by_its_part(
    desk: Desk, path: str, spoil: Any, pointer: str
) -> None:
    body = shipped()
    spoil(body)
    headers = {"if-match": '"1"', "idempotency-key": "k"}
    answer = await api(desk).post(f"/sla/policies{path}", json={"policy": body}, headers=headers)
    assert answer.status_code == 422
    assert pointer in {each["pointer"] for each in answer.json()["errors"]}


# The linter and the preview.


async def test_the_linter_speaks_both_languages(desk: Desk) -> None:
    body = faster()
    promise(body, "first_reply")["ladder"] = []
    answer = await api(desk, "dispatcher").post("/sla/policies/lint", json={"policy": body})
    (finding,) = answer.json()["findings"]
    assert (finding["level"], finding["pointer"]) == ("warning", "/promises/2/ladder")
    assert finding["sentence"]["en"] == "Nobody is told when the promise first_reply is broken."
    assert "first_reply" in finding["sentence"]["zh-CN"]
    assert finding["sentence"]["zh-CN"] != finding["sentence"]["en"]


async def test_a_preview_shows_each_deadline_with_its_arithmetic(desk: Desk) -> None:
    body = shipped()
    promise(body, "first_reply")["cases"][0]["target"]["carry"] = True
    friday = datetime.fromisoformat("2026-11-20T17:50:00+08:00")
    asked = {"policy": body, "start": friday.isoformat(), "about": "request", "facts": {"channel": "email"}}
    answer = await api(desk).post("/sla/policies/preview", json=asked)
    (seen,) = answer.json()["clocks"]
    # 10 min until 18:00 on Friday, 50 more from 09:00 on Monday.
    assert datetime.fromisoformat(seen["deadline"]) == datetime.fromisoformat("2026-11-23T09:50:00+08:00")
    assert [(each["seconds"], each["counted"]) for each in seen["intervals"]] == [
        (600, True), (226_800, False), (3000, True),
    ]  # fmt: skip
    assert [(each["at"], each["tell"]) for each in seen["steps"]] == [
        (75, ["owner"]), (100, ["owner", "supervisor"]),
    ]  # fmt: skip
    ticket = {
        "start": friday.isoformat(),
        "about": "ticket",
        "facts": {"severity": "urgent", "same_city": True},
    }
    clocks = {
        each["promise"]: each
        for each in (await api(desk).post("/sla/policies/preview", json=ticket)).json()["clocks"]
    }
    assert clocks["on_site"]["allowance"] == 7200
    assert clocks["on_site"]["steps"][-1]["minutes_after"] == 60
    assert clocks["visit_agreed"]["deadline"] is None


async def test_a_preview_of_facts_that_no_event_tells_like_this_is_a_preview(desk: Desk) -> None:
    body = shipped()
    for each in body["promises"]:
        if each["per"] == "episode":
            each["starts"] = ["dispatch.ticket_closed"]
    asked = {"policy": body, "start": "2026-11-20T17:50:00Z", "about": "ticket", "facts": {"episode": "two"}}
    answer = await api(desk).post("/sla/policies/preview", json=asked)
    assert answer.status_code == 200, answer.text


async def test_publishing_moves_no_deadline_of_what_began_a_minute_ahead(desk: Desk) -> None:
    """An adapter may state an instant up to a minute ahead."""
    ticket = await desk.urgent(clock.now() + timedelta(seconds=59))
    before = await desk.clock(ticket)
    assert (await publish(desk, faster())).status_code == 201
    regraded = TicketRegraded(severity="urgent", previous_severity="urgent", by=UUID(int=2), reason="-")
    await desk.happen(ticket, regraded, clock.now() + timedelta(seconds=60))
    after = await desk.clock(ticket)
    assert (after["policy_version"], after["deadline"]) == (1, before["deadline"])


def many(number: int) -> Body:
    """A policy of so many promises."""
    body = shipped()
    first = body["promises"][0]
    return body | {"promises": [{**first, "code": f"promise_{each}"} for each in range(number)]}


@pytest.mark.parametrize(
    "asked",
    [
        {"start": "yesterday", "about": "ticket"},
        {"start": "2026-11-20T17:50:00", "about": "ticket"},
        {"start": "9999-12-31T23:59:00Z", "about": "ticket", "facts": {"severity": "urgent"}},
        {"start": "0001-01-01T00:00:00Z", "about": "call"},
        {"start": "2026-11-20T17:50:00Z", "about": "people"},
        {"start": "2026-11-20T17:50:00Z", "about": "ticket", "facts": {"a b": "c"}},
        {"start": "2026-11-20T17:50:00Z", "about": "ticket", "policy": shipped() | {"calendar": "mars"}},
        {"start": "2026-11-20T17:50:00Z", "about": "ticket", "policy": many(201)},
    ],
)
async def test_a_preview_of_nonsense_is_refused(desk: Desk, asked: Body) -> None:
    assert (await api(desk).post("/sla/policies/preview", json=asked)).status_code == 422


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sla/policies/0", 422),
        ("/sla/policies/x", 422),
        ("/sla/policies/99999999999999", 422),
        ("/sla/policies/1;drop", 422),
        ("/sla/policies?cursor=nonsense", 422),
        ("/sla/policies?limit=0", 422),
        ("/sla/policies/7/migration", 404),
        ("/sla/policies/1/migration?limit=1000", 422),
    ],
)
async def test_bad_questions_get_a_problem(desk: Desk, path: str, status: int) -> None:
    answer = await api(desk).get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_versions_come_page_by_page(desk: Desk) -> None:
    for number in (1, 2):
        assert (await publish(desk, faster(number), seen=number)).status_code == 201
    first = (await api(desk).get("/sla/policies", params={"limit": 2})).json()
    rest = await api(desk).get("/sla/policies", params={"limit": 2, "cursor": first["next"]})
    assert [each["version"] for each in (*first["items"], *rest.json()["items"])] == [3, 2, 1]


# Pages.


async def test_a_browser_gets_the_pages(desk: Desk) -> None:
    await publish(desk, faster(), note="<b>quick</b>")
    client = await desk.served.signed_in("operations")
    versions = await client.get("/sla/policies")
    assert "&lt;b&gt;quick&lt;/b&gt;" in versions.text
    page = await client.get("/sla/policies/2", headers={"accept-language": "zh-CN"})
    assert 'data-at="/promises/0/starts"' in page.text
    assert "style=" not in page.text
    for words in ("政策", "到达现场", "发布"):
        assert words in page.text
    assert (await client.get("/sla/policies/9")).status_code == 404
    looker = await (await desk.served.signed_in("dispatcher")).get("/sla/policies/2")
    assert "data-publish" not in looker.text


async def test_a_draft_comes_back_with_findings_changes_and_deadlines(desk: Desk) -> None:
    body = faster()
    promise(body, "on_site")["stops"].append("dispatch.nothing")
    asked = {
        "policy": body, "against": 1, "start": "2026-11-20T10:00", "about": "ticket",
        "facts": {"severity": "urgent", "same_city": True, "starts_at": "2026-11-20T15:00"},
        "with_form": True,
    }  # fmt: skip
    answer = await api(desk).post("/sla/policies/draft", json=asked)
    assert answer.status_code == 200, answer.text
    for words in (
        'data-pointer="/promises/4/stops/1"',
        "<del>PT2H</del> <ins>PT1H</ins>",
        'datetime="2026-11-20T03:00:00+00:00"',  # 10:00 + 1 h, by the clocks of Shanghai
        'datetime="2026-11-20T07:00:00+00:00"',  # the appointment
        'data-swap="form"',
    ):
        assert words in answer.text
    assert (await api(desk).post("/sla/policies/draft", json=asked | {"against": 7})).status_code == 404
    for start in ("soon", "9999-12-31T23:59", "0001-01-01T00:00"):
        refused = await api(desk).post("/sla/policies/draft", json=asked | {"start": start})
        assert refused.status_code == 422
