"""The parts service by HTTP: who may do what, on top of what they have seen, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.authorization import deviations, read_table, without
from contracts.hearing import Hearing, hearing, told_event
from parts.app import service
from shared.clock import uuid7
from shared.events.dispatch import PartsRequested
from shared.events.terms import PartLine

TABLE = Path(__file__).parents[1] / "contracts" / "authorization.toml"
ENGINEER, COLLEAGUE = UUID(int=1), UUID(int=2)
CATALOGUE = {
    "parts": [
        {"part_number": "PUMP-7", "name_en": "Circulation pump", "name_zh": "循环泵"},
        {"part_number": "SEAL-2", "name_en": "Seal", "name_zh": "密封圈"},
    ],
    "warehouses": [{"code": "SH-1", "centre": "shanghai"}],
}


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as parts:
        yield parts


@pytest_asyncio.fixture
async def parts(running: Hearing) -> AsyncIterator[Hearing]:
    """Twenty pumps in Shanghai."""
    await empty(
        running.admin,
        "part, warehouse, movement, balance, requisition, requisition_line, closed_ticket,"
        " event_log, inbox, parked, dead_letter, idempotency",
    )
    async with running.client("storekeeper") as keeper:
        assert (await keeper.put("/parts/catalogue", json=CATALOGUE)).status_code == 200
        assert (await deliver(keeper, ("PUMP-7", 20))).status_code == 201
    yield running
    async with running.client("admin") as admin:
        assert (await admin.get("/parts/invariants")).json()["total"] == 0


async def deliver(
    client: httpx.AsyncClient, *lines: tuple[str, Any], warehouse: Any = "SH-1", key: str | None = None
) -> httpx.Response:
    body = {
        "warehouse": warehouse,
        "reference": "PO-1",
        "lines": [{"part_number": part, "quantity": quantity} for part, quantity in lines],
    }
    return await client.post("/parts/receipts", json=body, headers={"idempotency-key": key or str(uuid7())})


async def ask(parts: Hearing, quantity: int = 2, *, part: str = "PUMP-7") -> str:
    """The path of a new requisition of ENGINEER's."""
    id = uuid7()
    lines = (PartLine(part_number=part, quantity=quantity),)
    payload = PartsRequested(requisition_id=id, engineer_id=ENGINEER, centre="shanghai", lines=lines)
    await parts.receive(told_event(payload, subject=uuid7(), version=5))
    return f"/parts/requisitions/{id}"


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    return told


async def everything(parts: Hearing) -> list[Any]:
    """All rows, to see that nothing changed."""
    tables = ("part", "warehouse", "movement", "balance", "requisition", "event_log", "idempotency")
    return [await parts.admin.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]


async def test_stock_is_what_was_received_less_what_is_held(parts: Hearing) -> None:
    await ask(parts, 3)
    async with parts.client("engineer") as engineer:
        page = (await engineer.get("/parts/stock")).json()
    assert page == {
        "items": [
            {
                "warehouse": "SH-1",
                "part_number": "PUMP-7",
                "name_en": "Circulation pump",
                "name_zh": "循环泵",
                "on_hand": 20,
                "reserved": 3,
                "available": 17,
            }
        ],
        "next": None,
    }


async def test_stock_comes_in_pages_and_by_part_and_warehouse(parts: Hearing) -> None:
    async with parts.client("storekeeper") as keeper:
        await keeper.put("/parts/catalogue", json={"warehouses": [{"code": "CD-1", "centre": "chengdu"}]})
        await deliver(keeper, ("PUMP-7", 1), ("SEAL-2", 1), warehouse="CD-1")
        first = (await keeper.get("/parts/stock", params={"limit": 2})).json()
        rest = (await keeper.get("/parts/stock", params={"limit": 2, "cursor": first["next"]})).json()
        found = [(each["part_number"], each["warehouse"]) for each in first["items"] + rest["items"]]
        assert found == [("PUMP-7", "CD-1"), ("PUMP-7", "SH-1"), ("SEAL-2", "CD-1")]
        assert rest["next"] is None
        for query, count in (
            ({"warehouse": "CD-1"}, 2),
            ({"part_number": "PUMP-7"}, 2),
            ({"warehouse": "X"}, 0),
        ):
            assert len((await keeper.get("/parts/stock", params=query)).json()["items"]) == count
        problem(await keeper.get("/parts/stock", params={"warehouse": "'; DROP"}), 422)


async def test_a_delivery_repeated_with_its_key_is_received_once(parts: Hearing) -> None:
    async with parts.client("storekeeper") as keeper:
        first = await deliver(keeper, ("SEAL-2", 4), ("SEAL-2", 3), key="one")
        again = await deliver(keeper, ("SEAL-2", 4), ("SEAL-2", 3), key="one")
        assert first.json() == again.json()
        assert first.json()[0]["on_hand"] == 7
        problem(await deliver(keeper, ("SEAL-2", 9), key="one"), 422)
        without = await keeper.post("/parts/receipts", json={})
        problem(without, 400)


@pytest.mark.parametrize("quantity", [0, -1, 1.5, 2**63, 1_000_001, "3", None, True, 3.0])
async def test_a_quantity_that_is_none_is_refused(parts: Hearing, quantity: Any) -> None:
    before = await everything(parts)
    async with parts.client("storekeeper") as keeper:
        told = problem(await deliver(keeper, ("PUMP-7", 1), ("PUMP-7", quantity)), 422)
    assert told["errors"][0]["pointer"] == "/lines/1/quantity"
    assert await everything(parts) == before


@pytest.mark.parametrize(
    ("part", "warehouse", "type"),
    [
        ("NOPE-1", "SH-1", "/problems/unknown-part"),
        ("PUMP-7", "XX-9", "/problems/unknown-warehouse"),
        ("", "SH-1", "/problems/invalid-input"),
        ("PUMP 7; DROP TABLE", "SH-1", "/problems/invalid-input"),
        ("P" * 65, "SH-1", "/problems/invalid-input"),
        ("PUMP-7", None, "/problems/invalid-input"),
    ],
)
async def test_what_nobody_has_named_cannot_be_received(
    parts: Hearing, part: str, warehouse: Any, type: str
) -> None:
    before = await everything(parts)
    async with parts.client("storekeeper") as keeper:
        told = problem(await deliver(keeper, (part, 1), warehouse=warehouse), 422)
    assert told["type"] == type
    assert await everything(parts) == before


async def test_a_delivery_without_lines_with_too_many_or_with_more_than_that_is_refused(
    parts: Hearing,
) -> None:
    async with parts.client("storekeeper") as keeper:
        problem(await deliver(keeper), 422)
        problem(await deliver(keeper, *[("PUMP-7", 1)] * 1001), 422)
        body = {"warehouse": "SH-1", "reference": "R", "lines": [], "price": 1}
        problem(await keeper.post("/parts/receipts", json=body, headers={"idempotency-key": "x"}), 422)


async def test_many_large_deliveries_still_fit(parts: Hearing) -> None:
    async with parts.client("storekeeper") as keeper:
        for _ in range(3):
            answer = await deliver(keeper, *[("PUMP-7", 1_000_000)] * 1000)
        assert answer.json()[0]["on_hand"] == 3_000_000_020


async def test_the_catalogue_renames_and_adds(parts: Hearing) -> None:
    renamed = {"parts": [{"part_number": "PUMP-7", "name_en": " New pump ", "name_zh": "新泵"}]}
    async with parts.client("storekeeper") as keeper:
        assert (await keeper.put("/parts/catalogue", json=renamed)).json() == {"parts": 1, "warehouses": 0}
        assert (await keeper.get("/parts/stock")).json()["items"][0]["name_en"] == "New pump"


async def test_two_warehouses_may_swap_their_centres_but_not_share_one(parts: Hearing) -> None:
    async with parts.client("storekeeper") as keeper:

        async def put(**centres: str) -> httpx.Response:
            warehouses = [{"code": code, "centre": centre} for code, centre in centres.items()]
            return await keeper.put("/parts/catalogue", json={"warehouses": warehouses})

        assert (await put(A="east", B="west")).status_code == 200
        assert (await put(A="west", B="east")).status_code == 200
        assert problem(await put(C="east"), 409)["centres"] == "east"
        problem(await put(C="north", D="north"), 422)


@pytest.mark.parametrize(
    "body",
    [
        {"parts": [CATALOGUE["parts"][0]] * 2},
        {"parts": [{"part_number": "A", "name_en": "", "name_zh": "x"}]},
        {"parts": [{"part_number": "A", "name_en": "x\u0000", "name_zh": "x"}]},
        {"parts": [{"part_number": "A", "name_en": "x", "name_zh": "x", "price": 3}]},
        {"warehouses": [{"code": "A b", "centre": "x"}]},
        {"parts": None},
        [],
    ],
)
async def test_a_catalogue_that_is_not_clear_changes_nothing(parts: Hearing, body: Any) -> None:
    before = await everything(parts)
    async with parts.client("storekeeper") as keeper:
        problem(await keeper.put("/parts/catalogue", json=body), 422)
    assert await everything(parts) == before


async def test_the_largest_catalogue_is_taken(parts: Hearing) -> None:
    named = [{"part_number": f"P-{n}", "name_en": "x", "name_zh": "x"} for n in range(4_000)]
    stores = [{"code": f"W-{n}", "centre": f"c-{n}"} for n in range(500)]
    async with parts.client("storekeeper") as keeper:
        answer = await keeper.put("/parts/catalogue", json={"parts": named, "warehouses": stores})
    assert answer.json() == {"parts": 4_000, "warehouses": 500}


async def test_an_engineer_sees_and_uses_own_requisitions_only(parts: Hearing) -> None:
    path = await ask(parts)
    async with parts.client("engineer", id=str(COLLEAGUE)) as colleague:
        problem(await colleague.get(path), 404)
        for deed in ("use", "release"):
            problem(await colleague.post(f"{path}/{deed}", headers={"if-match": '"1"'}), 404)
    async with parts.client("engineer", id=str(ENGINEER)) as engineer:
        seen = await engineer.get(path)
        assert (seen.json()["state"], seen.headers["etag"]) == ("held", '"1"')
        used = await engineer.post(f"{path}/use", headers={"if-match": seen.headers["etag"]})
        assert (used.json()["state"], used.headers["etag"]) == ("used", '"2"')
        assert used.json()["held_until"] is None
    async with parts.client("dispatcher") as dispatcher:
        shown = (await dispatcher.get(path)).json()
        assert shown["lines"] == [{"part_number": "PUMP-7", "quantity": 2}]
        problem(await dispatcher.post(f"{path}/use", headers={"if-match": '"2"'}), 403)


async def test_using_leaves_the_stock_and_is_told_once(parts: Hearing) -> None:
    path = await ask(parts)
    async with parts.client("storekeeper") as keeper:
        once = {"if-match": '"1"', "idempotency-key": "use"}
        first, again = [await keeper.post(f"{path}/use", headers=once) for _ in range(2)]
        assert first.json() == again.json()
        assert again.headers["idempotent-replayed"] == "true"
        (shelf,) = (await keeper.get("/parts/stock")).json()["items"]
    assert (shelf["on_hand"], shelf["reserved"]) == (18, 0)
    told = await parts.told(UUID(path.rpartition("/")[2]))
    assert [(name, sequence) for name, sequence, _ in told] == [("parts_reserved", 1), ("parts_used", 2)]


def built_in(*lines: tuple[str, int]) -> dict[str, Any]:
    return {"lines": [{"part_number": part, "quantity": quantity} for part, quantity in lines]}


async def test_of_what_was_held_some_is_built_in_and_the_rest_comes_back(parts: Hearing) -> None:
    """R73: two of five."""
    path = await ask(parts, 5)
    async with parts.client("engineer", id=str(ENGINEER)) as engineer:
        once = {"if-match": '"1"', "idempotency-key": str(uuid7())}
        for wrong in (("PUMP-7", 6), ("SEAL-2", 1)):
            problem(await engineer.post(f"{path}/use", headers=once, json=built_in(wrong)), 422)
        twice, none = built_in(("PUMP-7", 1), ("PUMP-7", 1)), built_in(("PUMP-7", 0))
        bodies: list[dict[str, Any]] = [twice, none, {"lines": []}, {"lines": 2}]
        for nonsense in bodies:
            problem(await engineer.post(f"{path}/use", headers=once, json=nonsense), 422)
        body = built_in(("PUMP-7", 2))
        used = [await engineer.post(f"{path}/use", headers=once, json=body) for _ in range(2)]
        assert [each.json()["state"] for each in used] == ["used", "used"]
    async with parts.client("storekeeper") as keeper:
        (shelf,) = (await keeper.get("/parts/stock")).json()["items"]
    assert (shelf["on_hand"], shelf["reserved"]) == (18, 0)
    [_, (name, _, data)] = await parts.told(UUID(path.rpartition("/")[2]))
    assert (name, data["lines"]) == ("parts_used", body["lines"])


async def test_a_wrong_state_is_a_conflict_and_a_wrong_version_is_not_overwritten(parts: Hearing) -> None:
    path, short = await ask(parts), await ask(parts, 99)
    async with parts.client("engineer", id=str(ENGINEER)) as engineer:

        async def do(path: str, deed: str, **headers: str) -> httpx.Response:
            return await engineer.post(f"{path}/{deed}", headers=headers)

        problem(await do(path, "use"), 428)
        problem(await engineer.post(f"{path}/use", headers={"if-match": "1"}), 400)
        assert problem(await engineer.post(f"{path}/use", headers={"if-match": '"7"'}), 412)["current"] == 1
        told = problem(await engineer.post(f"{short}/use", headers={"if-match": '"1"'}), 409)
        assert (told["type"], told["state"]) == ("/problems/not-held", "short")
        assert (await engineer.post(f"{short}/release", headers={"if-match": '"1"'})).status_code == 200
        assert (await engineer.post(f"{path}/release", headers={"if-match": '"1"'})).status_code == 200
        for deed in ("use", "release"):
            told = problem(await engineer.post(f"{path}/{deed}", headers={"if-match": '"2"'}), 409)
            assert told["state"] == "released"
        (shelf,) = (await engineer.get("/parts/stock")).json()["items"]
    assert (shelf["on_hand"], shelf["reserved"]) == (20, 0)


@pytest.mark.parametrize("id", [str(UUID(int=0)), "0", "..", "%00", "x" * 4000])
async def test_an_id_that_is_none_leads_nowhere(parts: Hearing, id: str) -> None:
    async with parts.client("storekeeper") as keeper:
        answer = await keeper.get(f"/parts/requisitions/{id}")
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_desk_shows_what_is_short_held_and_there_in_both_languages(parts: Hearing) -> None:
    await ask(parts, 2)
    await ask(parts, 99)
    for language, words in (
        ("zh-CN", ("备件台", "循环泵", "已预留", "缺件")),
        ("en", ("Parts desk", "Circulation pump", "Held", "Short")),
    ):
        async with parts.client("storekeeper") as keeper:
            answer = await keeper.get(
                "/parts/desk", headers={"accept": "text/html", "accept-language": language}
            )
        assert answer.status_code == 200
        assert all(word in answer.text for word in words)


async def test_the_table_says_who_may_come_in(parts: Hearing) -> None:
    table = without(read_table(TABLE), "intake", "dispatch", "sla", "feedback")
    table["GET /live"] = table["GET /parts/live"]  # of all services together it is for more
    assert await deviations(parts.served.app, table, parts.served.settings) == []


async def test_every_operation_has_a_name_of_its_own_and_every_input_an_example(parts: Hearing) -> None:
    schema = parts.served.app.openapi()
    names = [
        operation["operationId"]
        for path, methods in schema["paths"].items()
        if path.startswith("/parts/")
        for operation in methods.values()
    ]
    assert sorted(names) == [
        "parts_expect_parts",
        "parts_invariants",
        "parts_read_requisition",
        "parts_read_stock",
        "parts_receive_delivery",
        "parts_release_parts",
        "parts_save_catalogue",
        "parts_use_parts",
    ]
    for model in ("CataloguedPart", "Warehouse", "DeliveredLine", "Expectation"):
        for field in schema["components"]["schemas"][model]["properties"].values():
            assert field["examples"]
