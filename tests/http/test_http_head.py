"""HEAD is answered wherever GET is, and alike, but for the body."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from contracts.sample import service
from contracts.serving import Served, serving

if TYPE_CHECKING:
    from doors import Toy

OF_THE_MOMENT = {"traceparent", "set-cookie"}


@pytest_asyncio.fixture(scope="module")
async def sample(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, service) as running:
        yield running


async def assert_alike(client: httpx.AsyncClient, path: str) -> None:
    get, head = await client.get(path), await client.head(path)
    assert head.status_code == get.status_code
    assert head.content == b""
    assert [each for each in head.headers.multi_items() if each[0] not in OF_THE_MOMENT] == [
        each for each in get.headers.multi_items() if each[0] not in OF_THE_MOMENT
    ]


@pytest.mark.parametrize(
    "path",
    ["/health/live", "/health/ready", "/health/flow", "/toy/open", "/toy/breaks", "/toy/nowhere", "/nowhere"],
)
async def test_head_tells_what_get_would(toy: Toy, path: str) -> None:
    async with toy.client() as client:
        await assert_alike(client, path)


async def test_what_has_no_get_has_no_head(toy: Toy) -> None:
    async with toy.client() as client:
        answer = await client.head("/toy/raw")
    assert (answer.status_code, answer.content) == (405, b"")


@pytest.mark.parametrize("path", ["/", "/sign-in", "/sample/board", "/sample/nowhere"])
async def test_pages_have_heads_too(sample: Served, path: str) -> None:
    await assert_alike(sample.client(), path)
    await assert_alike(await sample.signed_in("operations"), path)


async def test_the_head_of_a_stream_ends(sample: Served) -> None:
    client = await sample.signed_in("operations")
    async with asyncio.timeout(5):
        head = await client.head("/sample/live", params={"feed": "sample.board"})
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
