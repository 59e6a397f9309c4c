"""Alerts looked after many at a time, and sinks set up, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.clocking import DUE, ENGINEER, HOUR, SECOND, Desk, clocking
from shared.clock import clock, uuid7

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WEBHOOK: dict[str, Any] = {
    "kind": "webhook",
    "name": "The control room",
    "config": {"url": "https://example.com/hook"},
    "secret": KEY,
}


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Desk]:
    async with clocking(postgres_url) as desk:
        yield desk


@pytest_asyncio.fixture
async def desk(running: Desk) -> Desk:
    await running.clear()
    await empty(running.admin, "sink, idempotency")
    return running


@pytest_asyncio.fixture
async def alerts(desk: Desk) -> list[dict[str, Any]]:
    """Three missed arrivals on site, as an operator sees them."""
    for _ in range(3):
        await desk.urgent()
    await desk.tick(DUE + SECOND, dispatch=DUE + SECOND)
    items = (await operator(desk).get("/sla/alerts", params={"promise": "on_site"})).json()["items"]
    assert len(items) == 3
    return list(items)


def operator(desk: Desk) -> httpx.AsyncClient:
    return desk.client("operations", id=str(ENGINEER))


def seen(*alerts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": each["id"], "version": each["version"]} for each in alerts]


# Many at a time.


async def test_each_of_many_is_reported_on_its_own(desk: Desk, alerts: list[dict[str, Any]]) -> None:
    first, second, third = alerts
    client = operator(desk)
    await client.post("/sla/alerts/acknowledge", json={"alerts": seen(first)})
    stale = {**second, "version": 9}
    stranger = {"id": str(uuid7()), "version": 1}
    answer = await client.post(
        "/sla/alerts/acknowledge", json={"alerts": seen(first, stale, third, stranger)}
    )
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [(each["id"], each["done"], each["refused"]) for each in items] == [
        (first["id"], False, "already_acknowledged"),
        (second["id"], False, "changed"),
        (third["id"], True, None),
        (stranger["id"], False, "unknown"),
    ]
    assert (items[0]["acknowledged_by"], items[1]["version"]) == (str(ENGINEER), 1)
    told = [data["alert_id"] for name, _, data in await desk.told() if name == "alert_acknowledged"]
    assert told == [first["id"], third["id"]]
    audited = await desk.admin.fetch("SELECT subject FROM audit WHERE action = 'alert acknowledged'")
    assert {first["id"], third["id"]} <= {row["subject"] for row in audited}


async def test_an_alert_of_another_region_is_unknown(desk: Desk, alerts: list[dict[str, Any]]) -> None:
    client = desk.client("operations", regions=frozenset({"west"}))
    answer = await client.post("/sla/alerts/acknowledge", json={"alerts": seen(*alerts)})
    assert {each["refused"] for each in answer.json()["items"]} == {"unknown"}
    assert {each["version"] for each in answer.json()["items"]} == {None}


async def test_what_was_snoozed_and_assigned_is_told_and_remembered(
    desk: Desk, alerts: list[dict[str, Any]]
) -> None:
    client, until = operator(desk), clock.now() + HOUR
    asked = {"alerts": seen(alerts[0]), "until": until.isoformat(), "reason": " waits for a part "}
    assert (await client.post("/sla/alerts/snooze", json=asked)).json()["items"][0]["done"] is True
    again = {"alerts": [{"id": alerts[0]["id"], "version": 2}], "to": str(UUID(int=5))}
    assert (await client.post("/sla/alerts/assign", json=again)).json()["items"][0]["version"] == 3
    shown = (await client.get(f"/sla/alerts/{alerts[0]['id']}")).json()
    assert (shown["state"], shown["snooze_reason"], shown["assigned_to"]) == (
        "snoozed", "waits for a part", str(UUID(int=5)),
    )  # fmt: skip
    history = (await client.get(f"/sla/alerts/{alerts[0]['id']}/history")).json()
    assert [(each["deed"], each["by"]) for each in history] == [
        ("raised", None),
        ("snoozed", str(ENGINEER)),
        ("assigned", str(ENGINEER)),
    ]
    events = {name: data for name, _, data in await desk.told() if name.startswith("alert_")}
    assert events["alert_snoozed"]["reason"] == "waits for a part"
    assert events["alert_assigned"]["to"] == str(UUID(int=5))


@pytest.mark.parametrize(
    ("ahead", "reason"),
    [
        (timedelta(hours=-1), "r"),
        (timedelta(hours=25), "r"),
        (HOUR, ""),
        (HOUR, "   "),
        (HOUR, "r" * 501),
    ],
)
async def test_a_snooze_needs_a_reason_and_an_end_within_a_day(
    desk: Desk, alerts: list[dict[str, Any]], ahead: timedelta, reason: str
) -> None:
    asked = {"alerts": seen(alerts[0]), "until": (clock.now() + ahead).isoformat(), "reason": reason}
    assert (await operator(desk).post("/sla/alerts/snooze", json=asked)).status_code == 422
    assert await desk.admin.fetchval("SELECT count(*) FROM alert WHERE snoozed_until IS NOT NULL") == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"alerts": []},
        {"alerts": [{"id": str(UUID(int=1))}]},
        {"alerts": [{"id": str(UUID(int=1)), "version": 0}]},
        {"alerts": [{"id": str(UUID(int=1)), "version": 2**63}]},
        {"alerts": [{"id": "x", "version": 1}]},
        {"alerts": 2 * [{"id": str(UUID(int=1)), "version": 1}]},
        {"alerts": [{"id": str(UUID(int=n)), "version": 1} for n in range(201)]},
        {"alerts": [{"id": str(UUID(int=1)), "version": 1, "by": "me"}]},
    ],
)
async def test_bad_lists_are_refused(desk: Desk, body: dict[str, Any]) -> None:
    assert (await operator(desk).post("/sla/alerts/acknowledge", json=body)).status_code == 422


async def test_alerts_are_found_by_how_they_stand(desk: Desk, alerts: list[dict[str, Any]]) -> None:
    client = operator(desk)
    await client.post("/sla/alerts/acknowledge", json={"alerts": seen(alerts[0])})
    for state, number in (("open", 2), ("acknowledged", 1), ("snoozed", 0), ("retracted", 0), ("ended", 0)):
        found = await client.get("/sla/alerts", params={"state": state, "promise": "on_site"})
        assert len(found.json()["items"]) == number
    west = await client.get("/sla/alerts", params={"region": "west"})
    assert west.json()["items"] == []


async def test_the_feed_is_alertmanagers(desk: Desk, alerts: list[dict[str, Any]]) -> None:
    client = operator(desk)
    await client.post("/sla/alerts/acknowledge", json={"alerts": seen(alerts[0])})
    fed = {each["labels"]["alert_id"]: each for each in (await client.get("/sla/alerts/feed")).json()}
    assert fed[alerts[0]["id"]]["status"] == {
        "state": "suppressed", "silencedBy": [alerts[0]["id"]], "inhibitedBy": [], "mutedBy": [],
    }  # fmt: skip
    assert fed[alerts[1]["id"]]["status"]["state"] == "active"
    assert set(fed[alerts[1]["id"]]) >= {"annotations", "startsAt", "endsAt", "updatedAt", "fingerprint"}
    assert len({each["fingerprint"] for each in fed.values()}) == len(fed)


# Sinks.


async def test_a_secret_goes_in_and_never_comes_out(desk: Desk) -> None:
    admin = desk.client("admin")
    added = await admin.post("/sla/sinks", json=WEBHOOK)
    assert added.status_code == 201, added.text
    address = added.headers["location"]
    changed = await admin.put(
        address,
        json={"name": "Renamed", "config": WEBHOOK["config"], "terms": {"gather": 30}},
        headers={"if-match": added.headers["etag"]},
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["has_secret"], changed.json()["version"], changed.json()["terms"]["gather"]) == (
        True, 2, 30,
    )  # fmt: skip
    page = {"accept": "text/html"}
    for answer in (added, changed, await admin.get("/sla/sinks"), await admin.get(address, headers=page)):
        assert KEY not in answer.text
    assert await desk.admin.fetchval("SELECT secret FROM sink") == KEY
    stale = await admin.put(address, json={"name": "x"}, headers={"if-match": '"1"'})
    assert stale.status_code == 412


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"kind": "pigeon"}, None),
        ({"name": " "}, "/name"),
        ({"config": {}}, "/config/url"),
        ({"config": {"url": "https://example.com", "more": 1}}, "/config/more"),
        ({"config": {"url": "http://example.com"}}, None),
        ({"config": {"url": "https://10.0.0.1/"}}, None),
        ({"config": {"url": "https://169.254.169.254/latest"}}, None),
        ({"secret": "short"}, None),
        ({"terms": {"zone": "Atlantis"}}, "/terms/zone"),
        ({"terms": {"roles": []}}, "/terms/roles"),
        ({"terms": {"quiet_from": "20:00"}}, "/terms"),
        ({"kind": "apprise", "config": {}, "secret": "wecombot://key"}, None),
        ({"kind": "mail", "config": {"host": "mail.example.com", "sender": "x", "to": []}}, "/config/sender"),
        ({"kind": "mail", "config": {"host": "a b", "sender": "a@b.c", "to": ["a@b.c"]}}, "/config/host"),
    ],
)
async def test_what_could_never_work_is_refused(
    desk: Desk, changes: dict[str, Any], pointer: str | None
) -> None:
    answer = await desk.client("admin").post("/sla/sinks", json={**WEBHOOK, **changes})
    assert answer.status_code == 422, answer.text
    assert KEY not in answer.text
    if pointer:
        assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert await desk.admin.fetchval("SELECT count(*) FROM sink") == 0


async def test_two_sinks_of_one_name_would_be_confused(desk: Desk) -> None:
    admin = desk.client("admin")
    first = await admin.post("/sla/sinks", json=WEBHOOK)
    assert (await admin.post("/sla/sinks", json=WEBHOOK)).status_code == 409
    gone = await admin.delete(first.headers["location"], headers={"if-match": first.headers["etag"]})
    assert gone.status_code == 204
    assert (await admin.get("/sla/sinks")).json() == []
    assert (await admin.post("/sla/sinks", json=WEBHOOK)).status_code == 201
    assert (await admin.get(first.headers["location"])).status_code == 404


async def test_a_test_and_a_replay_are_messages_like_others(desk: Desk) -> None:
    admin = desk.client("admin")
    address = (await admin.post("/sla/sinks", json=WEBHOOK)).headers["location"]
    tried = await admin.post(f"{address}/test")
    assert tried.status_code == 202
    (message,) = (await admin.get(f"{address}/messages")).json()["items"]
    assert (message["id"], message["what"], message["state"]) == (tried.json()["message"], "test", "pending")
    now = clock.now()
    span = {"since": (now - HOUR).isoformat(), "until": (now + HOUR).isoformat()}
    assert (await admin.post(f"{address}/replay", json=span)).json() == {"messages": 0}  # it is on its way
    await desk.admin.execute("UPDATE message SET state = 'sent', next_attempt_at = NULL")
    assert (await admin.post(f"{address}/replay", json=span)).json() == {"messages": 1}
    for since, until in ((now, now), (now, now - HOUR), (now, now + timedelta(days=32))):
        wrong = {"since": since.isoformat(), "until": until.isoformat()}
        assert (await admin.post(f"{address}/replay", json=wrong)).status_code == 422
    for begins, ends in (
        ("9999-12-20T00:00:00Z", "9999-12-31T00:00:00Z"),
        ("9999-12-31T22:00:00-05:00", "9999-12-31T23:00:00-05:00"),
        ("0001-01-01T00:00:00+05:00", "0001-01-02T00:00:00+05:00"),
    ):
        farthest = await admin.post(f"{address}/replay", json={"since": begins, "until": ends})
        assert farthest.status_code == 422, farthest.text
    unknown = f"/sla/sinks/{UUID(int=3)}"
    for path in ("", "/messages"):
        assert (await admin.get(unknown + path)).status_code == 404
    assert (await admin.post(f"{unknown}/test")).status_code == 404


# Pages.


async def test_the_pages_show_what_stands_and_speak_both_languages(
    desk: Desk, alerts: list[dict[str, Any]]
) -> None:
    admin = desk.client("admin", "operations")
    address = (await admin.post("/sla/sinks", json=WEBHOOK)).headers["location"]
    for path, english, chinese in (
        ("/sla/alerts", "Arrive on site", "到达现场"),
        ("/sla/alerts?state=open&missed=true&severity=urgent", "Looked after", "已接手"),
        ("/sla/sinks", "The control room", "通知渠道"),
        ("/sla/sinks/new/mail", "Mail server", "邮件服务器"),
        ("/sla/sinks/new/apprise", "apprise", "聊天"),
        (address, "Signing secret", "签名密钥"),
    ):
        for tag, words in (("en", english), ("zh-CN", chinese)):
            page = await admin.get(path, headers={"accept": "text/html", "accept-language": tag})
            assert page.status_code == 200, page.text
            assert words in page.text
            assert "style=" not in page.text
    watcher = await desk.client("dispatcher").get("/sla/alerts", headers={"accept": "text/html"})
    assert 'data-do="acknowledge"' not in watcher.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sla/alerts?state=late", 422),
        ("/sla/alerts?promise=a;b", 422),
        ("/sla/alerts?assigned_to=me", 422),
        ("/sla/alerts?cursor=x", 422),
        ("/sla/sinks/new/pigeon", 422),
        ("/sla/sinks/7", 422),
        (f"/sla/sinks/{UUID(int=9)}", 404),
        (f"/sla/alerts/{UUID(int=9)}/history", 404),
    ],
)
async def test_bad_addresses_get_an_explanation(desk: Desk, path: str, status: int) -> None:
    admin = desk.client("admin")
    for accept in ("application/json", "text/html"):
        assert (await admin.get(path, headers={"accept": accept})).status_code == status
