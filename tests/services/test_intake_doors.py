"""The doors of providers on a real database: opened by an admin, verified first, each thing once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service

SECRET = "a-secret-of-the-bot"
ACCOUNT = {"secrets": {"secret_token": SECRET}, "region": "east", "city": "shanghai"}


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        answer = await running.client("admin").put("/intake/channels/telegram/accounts/hotline", json=ACCOUNT)
        assert answer.status_code == 204
        yield running


def update(id: int, text: str = "水泵漏水") -> dict[str, Any]:
    sender = {"id": 77, "first_name": "示例"}
    return {
        "update_id": id,
        "message": {
            "message_id": id,
            "date": 1_700_000_000,
            "chat": {"id": 77},
            "from": sender,
            "text": text,
        },
    }


async def post(desk: Hearing, body: Any, secret: str = SECRET, name: str = "hotline") -> httpx.Response:
    headers = {"x-telegram-bot-api-secret-token": secret}
    return await desk.client().post(f"/intake/channels/telegram/{name}", json=body, headers=headers)


async def test_the_same_update_five_times_is_one_request(desk: Hearing) -> None:
    for _ in range(5):
        assert (await post(desk, update(1))).status_code == 200
    rows = await desk.admin.fetch(
        "SELECT channel, door, account, region FROM request WHERE external_id = '77:1'"
    )
    assert [tuple(row) for row in rows] == [("social", "telegram", "telegram/hotline", "east")]


async def test_what_is_not_signed_is_refused_before_it_is_read(desk: Hearing) -> None:
    for secret in ("", "wrong", SECRET + "x"):
        assert (await post(desk, {"no": "update"}, secret)).status_code == 401
    assert await desk.admin.fetchval("SELECT count(*) FROM set_aside WHERE reason = 'unreadable'") == 0


async def test_what_is_signed_and_nobody_knows_is_kept(desk: Hearing) -> None:
    assert (await post(desk, {"update_id": 9, "message_reaction": {}})).status_code == 200
    assert (await post(desk, ["no", "update"])).status_code == 200
    kept = await desk.admin.fetch("SELECT reason FROM set_aside ORDER BY id")
    assert [row["reason"] for row in kept] == ["message_reaction", "unreadable"]


async def test_a_door_without_account_or_channel_is_not_there(desk: Hearing) -> None:
    assert (await post(desk, update(2), name="other")).status_code == 404
    assert (await desk.client().post("/intake/channels/pigeon/x", json={})).status_code == 404
    assert (await desk.client().get("/intake/channels/telegram/hotline")).status_code == 404


async def test_an_account_needs_each_secret_and_tells_none(desk: Hearing) -> None:
    admin, path = desk.client("admin"), "/intake/channels/telegram/accounts/second"
    for secrets, place in (
        ({}, "/secrets/secret_token"),
        ({"secret_token": ""}, "/secrets/secret_token"),
        ({"secret_token": "x", "other": "y"}, "/secrets/other"),
    ):
        answer = await admin.put(path, json={"secrets": secrets})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, place)
    assert SECRET not in (await admin.get("/intake/channels")).text
    sealed = await desk.admin.fetchval("SELECT sealed FROM channel_account WHERE name = 'hotline'")
    assert SECRET.encode() not in sealed
    assert (await admin.delete(path)).status_code == 404
