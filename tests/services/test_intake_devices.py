"""The product register: what sales sold, what covers it, what ends, and the label on it (R12, R76, R105)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.devices.links import token_of
from shared.clock import clock

CSV = """serial,model,product_line,order,purchased_on,warranty_months,exclusions,name,phone
SN-1,KFR-35,cooling,A-7,2026-03-02,24,misuse water,示例客户,13800001111
SN-2,KFR-50,cooling,A-7,,24,,示例客户,+86 138 0000 1111
,KFR-9,,,,,,,
SN-3,KFR-70,cooling,,2026-02-30,24,,,
"""


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def imported(desk: Hearing) -> Any:
    headers = {"content-type": "text/csv"}
    answer = await desk.client("care").post("/intake/purchases/csv", content=CSV.encode(), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def known(desk: Hearing, serial: str, **more: str) -> Any:
    answer = await desk.client("care").get("/intake/devices/known", params={"serial": serial, **more})
    return answer.json()


async def test_purchases_come_in_line_by_line_and_once(desk: Hearing) -> None:
    report = await imported(desk)
    assert [each["outcome"] for each in report["lines"]] == ["new", "new", "refused", "refused"]
    assert [each["problems"][0].split(":")[0] for each in report["lines"][2:]] == ["serial", "purchased_on"]
    again = await imported(desk)
    assert (again["new"], again["changed"], again["unchanged"], again["refused"]) == (0, 0, 2, 2)
    line = {"serial": "SN-1", "model": "KFR-36", "product_line": "cooling"}
    changed = await desk.client("care").post("/intake/purchases", json={"lines": [line]})
    assert changed.json()["changed"] == 1
    one, two = [await known(desk, each) for each in ("SN-1", "SN-2")]
    assert one["customer_id"] == two["customer_id"]
    assert (one["model"], two["coverage"]["because"]) == ("KFR-36", "no_purchase_date")


async def test_a_thousand_lines_take_as_many_statements_as_one(desk: Hearing) -> None:
    client = desk.client("care")
    counts = []
    for size in (1, 300):
        lines = [
            {"serial": f"B{size}-{each}", "model": "M", "customer": {"phone": f"1390000{each:04}"}}
            for each in range(size)
        ]
        with desk.statements() as counted:
            assert (await client.post("/intake/purchases", json={"lines": lines})).json()["new"] == size
        counts.append(len(counted))
    assert counts[0] == counts[1]


async def test_a_contract_covers_until_it_ends_and_is_listed_before(desk: Hearing) -> None:
    line = {"serial": "C-1", "model": "M", "customer": {"name": "王", "phone": "13512340000"}}
    client = desk.client("care")
    await client.post("/intake/purchases", json={"lines": [line]})
    owner = (await known(desk, "C-1"))["customer_id"]
    today = clock.now().date()
    terms = {"customer_id": owner, "serial": "C-1", "starts_on": "2026-01-01"}
    for number, days in (("K-40", 40), ("K-80", 80), ("K-200", 200)):
        ends = str(today + timedelta(days=days))
        answer = await client.put(f"/intake/contracts/{number}", json={**terms, "ends_on": ends})
        assert answer.status_code == 204, answer.text
    wrong = await client.put("/intake/contracts/K-1", json={**terms, "ends_on": "2025-01-01"})
    assert wrong.json()["errors"][0]["pointer"] == "/ends_on"
    assert (await known(desk, "C-1"))["coverage"]["because"] == "contract"
    listed = {}
    for within in ("30", "60", "90"):
        found = (await client.get("/intake/contracts", params={"within": within})).json()
        listed[within] = [each["number"] for each in found]
    assert listed == {"30": [], "60": ["K-40"], "90": ["K-40", "K-80"]}
    browser = await desk.served.signed_in("care")
    assert "K-80" in (await browser.get("/intake/renewals")).text
    assert "K-200" in (await browser.get(f"/intake/customers/{owner}")).text
    assert "service contract" in (await browser.get("/intake/devices", params={"serial": "C-1"})).text
    elsewhere = desk.client("care", regions=frozenset({"north"}))
    assert (await elsewhere.get("/intake/contracts")).json() == []
    assert (await elsewhere.get("/intake/devices/known", params={"serial": "C-1"})).status_code == 404


async def test_a_label_fills_the_form_and_the_request_knows_its_product(desk: Hearing) -> None:
    line = {"serial": "L-1", "model": "KFR-35", "product_line": "cooling", "purchased_on": "2026-10-01",
            "warranty_months": 24}  # fmt: skip
    client = desk.client("care")
    await client.post("/intake/purchases", json={"lines": [line]})
    id = UUID((await known(desk, "L-1"))["id"])
    label = await client.get(f"/intake/devices/{id}/label.svg")
    assert label.headers["content-type"] == "image/svg+xml"
    assert "<svg" in label.text
    token = token_of(id, desk.served.settings)
    customer = desk.served.client()
    shown = (await customer.get("/intake/form", params={"device": token})).text
    assert "KFR-35" in shown
    assert "Free of charge" in shown
    assert "L-1" not in (await customer.get("/intake/form", params={"device": token[:-2] + "AA"})).text
    [key] = re.findall(r'name="key" value="([^"]+)"', shown)
    filled = {"phone": "13800009999", "region": "east", "city": "上海", "description": "漏水", "key": key}
    answer = await customer.post("/intake/form", data={**filled, "device": token})
    assert answer.status_code == 200
    row = await desk.admin.fetchrow(
        "SELECT product_line FROM request JOIN request_device ON request_id = id WHERE device_id = $1",
        id,
    )
    assert row["product_line"] == "cooling"
    registered = [data for name, _, data in await desk.told() if name == "request_registered"]
    assert registered[-1]["device_id"] == str(id)


async def test_products_move_with_their_owner_and_stay_when_the_owner_is_forgotten(desk: Hearing) -> None:
    lines = [
        {"serial": f"M-{each}", "model": "M", "order": "secret", "customer": {"phone": f"1360000000{each}"}}
        for each in (1, 2)
    ]
    client = desk.client("care")
    await client.post("/intake/purchases", json={"lines": lines})
    one, two = [(await known(desk, f"M-{each}"))["customer_id"] for each in (1, 2)]
    merge = (await client.post(f"/intake/customers/{one}/merges", json={"other_id": two})).json()["merge_id"]
    assert (await known(desk, "M-2"))["customer_id"] == one
    await client.post(f"/intake/customers/{one}/merges/{merge}/undo")
    assert (await known(desk, "M-2"))["customer_id"] == two
    await client.post(f"/intake/customers/{two}/erase")
    assert (await known(desk, "M-2"))["customer_id"] is None
    assert await desk.admin.fetchval("SELECT order_ref FROM device WHERE serial = 'M-2'") is None
