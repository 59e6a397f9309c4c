"""Rules as data by HTTP: publishing, trying out, the report, and overruling from the page (R05–R10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.triage.ruleset import FIRST_PUBLISHED, shipped
from shared.clock import uuid7

AGENT = "00000000-0000-7000-8000-0000000000a9"
PATH = "/intake/triage/rules"


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def registered(desk: Hearing, description: str) -> UUID:
    body = {
        "channel": "web_form",
        "customer": {"phone": "13800000001"},
        "region": "east",
        "city": "shanghai",
        "description": description,
    }
    answer = await desk.client("adapter").post(
        "/intake/requests", json=body, headers={"idempotency-key": str(uuid7())}
    )
    assert answer.status_code == 202, answer.text
    return UUID(answer.json()["request_id"])


def draft(**more: Any) -> dict[str, Any]:
    danger = {"name": "danger", "words": ["蓝光"], "severity": "urgent", "hazard": True, "part": "lamp"}
    return {"base_hours": shipped().base_hours, "rules": [danger], "note": "蓝光", **more}


async def publish(desk: Hearing, body: Any, seen: str) -> Any:
    headers = {"if-match": seen, "idempotency-key": str(uuid7())}
    return await desk.client("admin", id=AGENT).post(PATH, json=body, headers=headers)


async def test_what_is_published_judges_what_comes_in_and_keeps_its_number(desk: Hearing) -> None:
    before = await registered(desk, "设备发蓝光 13800000001")
    admin = desk.client("admin", id=AGENT)
    tried = (await admin.post(f"{PATH}/trial", json={"rules": draft()})).json()
    assert tried["judged"] >= 1
    [change] = [each for each in tried["changes"] if each["request_id"] == str(before)]
    assert (change["severity"], change["severity_then"]) == ("general", "urgent")
    assert "13800000001" not in change["title"]

    seen = (await admin.get(PATH)).headers["etag"]
    answer = await publish(desk, draft(), seen)
    assert (answer.status_code, answer.json()["version"]) == (201, FIRST_PUBLISHED)
    assert (await publish(desk, draft(), seen)).status_code == 412
    after = await registered(desk, "设备发蓝光")
    rows = await desk.admin.fetch(
        "SELECT severity, rules_version, parts, hours FROM triage WHERE request_id = ANY($1) ORDER BY id",
        [before, after],
    )
    assert [(row["severity"], row["rules_version"]) for row in rows] == [
        ("general", shipped().version),
        ("urgent", FIRST_PUBLISHED),
    ]
    assert (rows[1]["parts"], rows[1]["hours"]) == ('["lamp"]', shipped().base_hours["fault"])
    [(_, _, told)] = await desk.told(after)
    assert (told["parts"], told["hours"]) == (["lamp"], shipped().base_hours["fault"])
    first = (await admin.get(f"{PATH}/{shipped().version}")).json()
    assert [each["version"] for each in first["published"]] == [FIRST_PUBLISHED]
    assert (await admin.get(f"{PATH}/999")).status_code == 404
    kept = await desk.admin.fetchval(
        "SELECT count(*) FROM audit WHERE action = 'triage_rules_published' AND actor = $1", AGENT
    )
    assert kept == 1


@pytest.mark.parametrize(
    ("rule", "pointer"),
    [
        ({"name": "x", "words": [], "skill": "water"}, "/rules/1/words"),
        ({"name": "x", "words": ["水"], "kind": "wish"}, "/rules/1/kind"),
        ({"name": "x", "words": ["水"], "pattern": "(a+)+"}, "/rules/1/pattern"),
        ({"name": "x", "words": ["水", "蓝光"], "severity": "general"}, "/rules/1/words/1"),
        ({"name": "danger", "words": ["水"], "skill": "water"}, "/rules/1/name"),
    ],
    ids=str,
)
async def test_rules_that_cannot_hold_are_refused_where_they_are_wrong(
    desk: Hearing, rule: dict[str, Any], pointer: str
) -> None:
    body = draft()
    answer = await publish(desk, body | {"rules": [*body["rules"], rule]}, '"1"')
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


async def test_a_person_overrules_from_the_page_and_the_report_counts_it(desk: Hearing) -> None:
    id = await registered(desk, "冰箱漏水")
    care = await desk.served.signed_in("care")
    shown = (await care.get(f"/intake/desk/{id}", headers={"accept-language": "zh-CN"})).text
    assert "改判" in shown
    csrf = shown.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": csrf, "seen": "1", "kind": "fault", "severity": "urgent", "reason": "水进了配电箱"}
    answer = await care.post(f"/intake/desk/{id}/judgement", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/intake/desk/{id}")
    assert (await care.post(f"/intake/desk/{id}/judgement", data=form)).status_code == 412
    rows = await desk.admin.fetch("SELECT severity, by FROM triage WHERE request_id = $1 ORDER BY id", id)
    assert [(row["severity"], row["by"] is None) for row in rows][-1] == ("urgent", False)

    report = (await desk.client("operations").get("/intake/triage/report")).json()
    assert sum(each["hits"] for each in report["versions"]) == await desk.admin.fetchval(
        "SELECT count(*) FROM triage WHERE by IS NULL"
    )
    assert sum(each["raised"] for each in report["versions"]) == 1
    assert {each["rule"] for each in report["rules"] if each["raised"]} == {
        reason
        for row in await desk.admin.fetch(
            "SELECT reason ->> 'rule' AS rule FROM triage, jsonb_array_elements(reasons) AS reason "
            "WHERE request_id = $1 AND by IS NULL",
            id,
        )
        for reason in [row["rule"]]
    }
    page = await (await desk.served.signed_in("operations")).get(
        "/intake/triage/report", headers={"accept": "text/html", "accept-language": "zh-CN"}
    )
    assert ("分诊规则" in page.text, page.status_code) == (True, 200)
