"""Every channel of a provider alike: refused before it is read unless genuine, kept whatever it says (S9)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from contracts import providers
from contracts.hearing import Hearing, hearing
from contracts.mutating import mutated
from contracts.providers import Genuine, genuine
from intake.app import service
from intake.channels.registry import doors

SEED = 20261123
MUTATIONS = 25
EVERY = pytest.mark.parametrize("name", doors())

KEPT = """
    SELECT (SELECT count(*) FROM message WHERE direction = 'in') + (SELECT count(*) FROM set_aside)
         + (SELECT count(*) FROM delivery_told) + (SELECT count(*) FROM call_event)
"""


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        await providers.set_up(running)
        yield running


async def kept(desk: Hearing) -> int:
    """Things that are stored."""
    number: int = await desk.admin.fetchval(KEPT)
    return number


def test_every_channel_is_tried() -> None:
    assert set(genuine()) == set(doors())


@EVERY
async def test_a_message_that_comes_five_times_is_one_request(desk: Hearing, name: str) -> None:
    provider = genuine()[name]
    for _ in range(5):
        answer = await providers.post(desk, provider, provider.signed(provider.message(1)))
        assert answer.status_code == 200, answer.text
    rows = await desk.admin.fetch("SELECT account, region FROM request WHERE door = $1", name)
    assert [tuple(row) for row in rows] == [(f"{name}/{providers.ACCOUNT}", "east")]


@EVERY
async def test_what_is_not_signed_as_the_provider_signs_is_refused_unread(desk: Hearing, name: str) -> None:
    provider = genuine()[name]
    call = provider.signed(provider.message(2))
    before = await kept(desk)
    for change in (None, "", "ü", mirrored, shortened, longer):
        answer = await providers.post(desk, provider, provider.with_proof(call, change))
        assert answer.status_code in (400, 401, 403), (name, answer.text)
    for body in (b"", call.body + b" ", call.body.replace(b":", b": ").replace(b"=", b"=%20")):
        if provider.covers_body:
            forged = providers.Signed(body, call.headers, call.query)
            assert (await providers.post(desk, provider, forged)).status_code in (400, 401, 403), (name, body)
    assert await kept(desk) == before


def mirrored(proof: str) -> str:
    """As long, of the same characters, and wrong."""
    half = len(proof) // 2
    return proof[:half] + proof[half:].swapcase()[::-1]


def longer(proof: str) -> str:
    return proof + "A"


def shortened(proof: str) -> str:
    return proof[:-1]


@EVERY
async def test_whatever_is_signed_is_kept(desk: Hearing, name: str) -> None:
    await keep_mutated(desk, genuine()[name], Random(f"{SEED} {name}"), MUTATIONS)


async def keep_mutated(desk: Hearing, provider: Genuine, random: Random, times: int) -> None:
    """Send bodies made odd, signed as they should be: each leaves something behind."""
    before = await kept(desk)
    for _ in range(times):
        body = mutated(random, provider.message(random.randrange(10**9, 10**15)))
        answer = await providers.post(desk, provider, provider.signed(body))
        now = await kept(desk)
        assert (answer.status_code, now > before) == (200, True), (answer.text, base64.b64encode(body))
        before = now
