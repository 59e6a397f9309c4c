"""The doors of providers on a real database: opened by an admin, verified first, each thing once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.channels.contract import Account, Arrived, Incoming, kept
from intake.channels.doors import take
from intake.channels.providers.telegram import parse
from intake.channels.registry import channels
from intake.requests.writer import Writer
from shared.clock import clock

SECRET = "a-secret-of-the-bot"
DOOR = "/intake/channels/telegram/hotline"
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


async def post(
    desk: Hearing, body: Any, secret: str = SECRET, name: str = "hotline", padding: int = 0
) -> httpx.Response:
    headers = {"x-telegram-bot-api-secret-token": secret}
    content = json.dumps(body).encode().ljust(padding)
    return await desk.client().post(f"/intake/channels/telegram/{name}", content=content, headers=headers)


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


@pytest.mark.parametrize("path", ["phone", "email", "webhook/x"])
async def test_a_door_with_an_address_of_its_own_names_its_methods(desk: Hearing, path: str) -> None:
    answer = await desk.client().get(f"/intake/channels/{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_bodies_are_read_up_to_what_the_channel_takes(desk: Hearing) -> None:
    largest = channels()["telegram"].largest
    for size, status in ((largest, 200), (largest + 1, 413)):
        assert (await post(desk, update(50), padding=size)).status_code == status


async def test_a_body_in_pieces_is_read_and_that_of_a_greeting_is_not(desk: Hearing) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 10):
            yield body[at : at + 10]

    body = json.dumps(update(51)).encode()
    headers = {"x-telegram-bot-api-secret-token": SECRET}
    assert (await desk.client().post(DOOR, content=pieces(), headers=headers)).status_code == 200
    assert await desk.admin.fetchval("SELECT count(*) FROM message WHERE external_id = '77:51'") == 1
    answer = await desk.client().request("GET", DOOR, content=b"x" * 100)
    assert answer.status_code == 404


async def test_a_repeated_header_counts_by_its_first(desk: Hearing) -> None:
    for secrets, status in (((SECRET, "wrong"), 200), (("wrong", SECRET), 401)):
        headers = [("x-telegram-bot-api-secret-token", each) for each in secrets]
        answer = await desk.client().post(DOOR, json=update(52), headers=headers)
        assert answer.status_code == status


async def test_who_dies_between_storing_and_answering_loses_and_doubles_nothing(
    desk: Hearing, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account("telegram", "hotline", {})
    message = parse(incoming(update(60)), account)[0]
    batch = (kept("reaction", b"{}", "60"), message, message)

    async def dies(*_: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "register", dies)
        with pytest.raises(ConnectionError):
            await take(desk.served.context, account, batch)
    assert await counted(desk, "60") == (1, 0)  # no answer left: the provider sends it again
    for _ in range(2):
        await take(desk.served.context, account, batch)
        assert await counted(desk, "60") == (1, 1)


async def test_a_message_that_cannot_be_stored_does_not_hold_up_those_beside_it(desk: Hearing) -> None:
    account = Account("telegram", "hotline", {})
    good, bad = (parse(incoming(update(number)), account)[0] for number in (70, 71))
    assert isinstance(bad, Arrived)
    bad = Arrived(replace(bad.message, text="a\0b"))
    await take(desk.served.context, account, (bad, good))
    reasons = await desk.admin.fetch("SELECT reason FROM set_aside WHERE external_id LIKE '77:71%'")
    assert [row["reason"] for row in reasons] == ["refused"]
    assert await desk.admin.fetchval("SELECT count(*) FROM message WHERE external_id = '77:70'") == 1


async def counted(desk: Hearing, number: str) -> tuple[int, int]:
    """Set aside, and said: one chat is one request."""
    aside = "SELECT count(*) FROM set_aside WHERE external_id LIKE $1 || ':%'"
    said = "SELECT count(*) FROM message WHERE external_id = '77:' || $1"
    return await desk.admin.fetchval(aside, number), await desk.admin.fetchval(said, number)


def incoming(body: Any) -> Incoming:
    return Incoming("POST", "https://x", {}, {}, json.dumps(body).encode(), clock.now())
