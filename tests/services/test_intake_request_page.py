"""The page of one request: its calls, what the customer owns, and words that people understand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.devices.links import token_of
from shared.clock import clock, uuid7
from shared.http.auth import Principal, mint
from shared.i18n import day_of

SOLD = {"serial": "SN-1", "model": "KFR-35", "product_line": "cooling", "customer": {"phone": "13800000081"}}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def asked(desk: Hearing, phone: str, text: str = "水泵漏水", **more: Any) -> UUID:
    new = {"customer": {"phone": phone, "name": "王女士"}, "region": "east", "description": text, **more}
    headers = {"idempotency-key": str(uuid7())}
    answer = await desk.client("adapter").post("/intake/requests", json=new, headers=headers)
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["request_id"])


async def told(desk: Hearing, event: str, at: datetime, **more: Any) -> None:
    call = {"call_id": "one", "event": event, "occurred_at": at.isoformat(), **more}
    headers = {"idempotency-key": str(uuid7())}
    client = desk.client("adapter", channel="phone")
    assert (await client.post("/intake/channels/phone", json=call, headers=headers)).status_code == 202


async def shown(desk: Hearing, path: str, language: str = "en", role: Any = "care") -> str:
    browser = await desk.served.signed_in(role)
    answer = await browser.get(path, headers={"accept-language": language})
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_a_call_stands_in_the_conversation_with_what_was_told_of_it(desk: Hearing) -> None:
    """R50, R51: rang, missed, called back, each with its time; R137: recorded with consent, for listeners."""
    id, rang = await asked(desk, "13800000080"), clock.now() - timedelta(minutes=9)
    await told(desk, "rang", rang, caller="13800000080")
    await told(desk, "missed", rang + timedelta(minutes=1))
    heard = {"reference": "pbx://7", "consent": True, "consent_at": (rang + timedelta(minutes=3)).isoformat()}
    await told(desk, "returned", rang + timedelta(minutes=2), recording=heard)
    page = await shown(desk, f"/intake/desk/{id}")
    [line] = re.findall(r'<li class="happened" id="call-.*?</li>', page, re.DOTALL)
    told_at = re.findall(r'(Rang|Missed|Called back) <time datetime="([^"]+)"', line)
    assert [word for word, _ in told_at] == ["Rang", "Missed", "Called back"]
    minutes = [round((datetime.fromisoformat(at) - rang) / timedelta(minutes=1)) for _, at in told_at]
    assert minutes == [0, 1, 2]
    assert page.index("Called back") < page.index("水泵漏水</p>")  # it rang before the form was sent
    assert "pbx://7" not in page
    [where] = re.findall(r'hx-get="([^"]+/recordings)"', line)
    assert "pbx://7" in await shown(desk, where)
    assert await desk.admin.fetchval("SELECT count(*) FROM audit WHERE action = 'recording_read'") == 1
    theirs = await shown(desk, f"/intake/desk/{id}", role="dispatcher")
    assert "Recorded with consent" in theirs
    assert where not in theirs


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("Charged", "warranty has ended", "This is about:")), ("zh-CN", ("收费", "本次涉及："))],
)
async def test_what_the_customer_owns_stands_with_its_coverage_and_why(
    desk: Hearing, language: str, words: tuple[str, ...]
) -> None:
    """R12, R76: judged by the day the customer asked, the product it is about first."""
    today = day_of(clock.now())
    old = SOLD | {"purchased_on": "2020-01-31", "warranty_months": 12}
    new = SOLD | {"serial": "SN-0", "model": "New", "purchased_on": str(today), "warranty_months": 12}
    await desk.client("care").post("/intake/purchases", json={"lines": [old, new]})
    id, browser = await asked(desk, "13800000081"), await desk.served.signed_in("care")
    page = (await browser.get(f"/intake/desk/{id}")).text
    assert page.index("New</a>") < page.index("KFR-35</a>")
    assert "This is about:" not in page
    [csrf] = set(re.findall(r'name="csrf" value="([^"]+)"', page))
    path = f"/intake/desk/{id}/product"
    assert (await browser.post(path, data={"serial": "SN-9", "csrf": csrf})).status_code == 404
    assert (await browser.post(path, data={"serial": "SN-1", "csrf": csrf})).status_code == 303
    page = await shown(desk, f"/intake/desk/{id}", language)
    assert page.index("KFR-35</a>") < page.index("New</a>")
    assert [each for each in words if each not in page] == []


async def test_a_word_that_several_rules_decided_by_is_told_once(desk: Hearing) -> None:
    id = await asked(desk, "13800000082")
    twice = (
        '[{"rule": "a", "because": "水泵"}, {"rule": "b", "because": "水泵"}, {"rule": "c", "because": "漏"}]'
    )
    await desk.admin.execute("UPDATE triage SET reasons = $2 WHERE request_id = $1", id, twice)
    assert "Fault: “水泵”, “漏”" in await shown(desk, f"/intake/desk/{id}")
    assert ": “水泵”、“漏”" in await shown(desk, f"/intake/desk/{id}", "zh-CN")


async def test_the_list_names_the_region_in_the_readers_language(desk: Hearing) -> None:
    await asked(desk, "13800000083")
    for language, name in (("en", "East"), ("zh-CN", "华东")):
        row = re.search(r"<tr .*?</tr>", await shown(desk, "/intake/desk", language), re.DOTALL)
        assert row is not None
        assert f"· {name}</small>" in row[0]


async def test_who_is_signed_in_is_called_by_name(desk: Hearing) -> None:
    who = Principal("01930000-0000-7000-8000-000000000024", frozenset({"care"}), name="午 Q")
    client = desk.served.client()
    token = mint(who, desk.served.settings, timedelta(hours=1))
    await client.post("/sign-in", data={"token": token})
    page = (await client.get("/intake/desk")).text
    assert f'title="{who.id}">午 Q</span>' in page
    assert ">desk.one</span>" in await shown(desk, "/intake/desk")  # a token that tells no name


async def test_today_is_the_organisations_day_on_every_page(
    desk: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warranty's last day ends at midnight in the house's zone, for customers and for the desk alike."""
    last = SOLD | {"serial": "SN-5", "extended_until": "2026-11-23", "customer": {"phone": "13800000085"}}
    await desk.client("care").post("/intake/purchases", json={"lines": [last]})
    row = await desk.admin.fetchrow("SELECT id, customer_id FROM device WHERE serial = 'SN-5'")
    pages = (
        f"/intake/form?device={token_of(row['id'], desk.served.settings)}",
        f"/intake/customers/{row['customer_id']}",
        "/intake/devices?serial=SN-5",
    )
    covered: dict[str, list[bool]] = {}
    for at in (datetime(2026, 11, 23, 15, 59, tzinfo=UTC), datetime(2026, 11, 23, 16, 1, tzinfo=UTC)):
        days = {"day": day_of(at)}
        for module in ("intake.forms.routes", "intake.customers.pages", "intake.devices.routes"):
            monkeypatch.setattr(f"{module}.day_of", lambda instant, days=days: days["day"])
        for path in pages:
            covered.setdefault(path, []).append("Free of charge" in await shown(desk, path))
    assert list(covered.values()) == [[True, False]] * 3


def test_a_day_begins_at_midnight_in_shanghai() -> None:
    assert str(day_of(datetime(2026, 11, 23, 15, 59, tzinfo=UTC))) == "2026-11-23"
    assert str(day_of(datetime(2026, 11, 23, 16, 0, tzinfo=UTC))) == "2026-11-24"
