"""WeChat in plain mode, as only the door can tell: sizes, and a nonce that was seen before (S9)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from contracts import wechat as wire
from contracts.hearing import Hearing, hearing
from intake.app import service
from shared.clock import clock

DOOR = "/intake/channels/wechat/plain"


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        answer = await running.client("admin").put(
            "/intake/channels/wechat/accounts/plain",
            json={"secrets": {"token": wire.TOKEN, "app_id": wire.RECEIVER}},
        )
        assert answer.status_code == 204
        yield running


async def post(desk: Hearing, body: bytes, nonce: str) -> httpx.Response:
    timestamp = str(int(clock.now().timestamp()) // 60 * 60)
    query = {"timestamp": timestamp, "nonce": nonce, "signature": wire.signature(timestamp, nonce)}
    return await desk.client().post(DOOR, params=query, content=body)


async def test_a_nonce_is_taken_with_one_body_only(desk: Hearing) -> None:
    body = wire.text(1)
    for _ in range(3):  # as WeChat repeats what it got no answer to
        answer = await post(desk, body, "once")
        assert (answer.status_code, answer.text) == (200, "success")
    assert (await post(desk, wire.text(2, "改成别的"), "once")).status_code == 401
    assert await desk.admin.fetchval("SELECT count(*) FROM message") == 1


async def test_what_nobody_sealed_is_refused_when_it_is_no_message(desk: Hearing) -> None:
    largest = 64 * 1024
    padded = wire.text(3).replace("水泵漏水".encode(), b"x" * (largest - len(wire.text(3)) + 12))
    assert len(padded) == largest
    before = await desk.admin.fetchval("SELECT count(*) FROM set_aside")
    for number, (body, status) in enumerate(
        (
            (padded, 200),
            (padded + b" ", 413),
            (b'<!DOCTYPE xml [<!ENTITY a "b">]><xml>&a;</xml>', 422),
            (b"<xml>\xff</xml>", 422),
            (b"", 422),
        )
    ):
        assert (await post(desk, body, f"form:{number}")).status_code == status
    assert await desk.admin.fetchval("SELECT count(*) FROM set_aside") == before
