"""Every channel of a provider alike: refused before it is read unless genuine, kept whatever it says (S9)."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from chaos.checkers import Report
from chaos.result import Result, versions
from contracts import providers
from contracts.hearing import Hearing, hearing
from contracts.keeping import Ledger, kept
from contracts.mutating import mutated
from contracts.providers import Genuine, genuine, whatsapp
from contracts.signing import META
from intake.app import service
from intake.channels.registry import doors
from shared.clock import uuid7

SEED = 20261123
MUTATIONS = 20
CALLS = 10_000
EVERY = pytest.mark.parametrize("name", doors())


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        await providers.set_up(running)
        yield running


def test_every_channel_is_tried() -> None:
    assert set(genuine()) == set(doors())


@pytest.mark.parametrize("name", [name for name in doors() if not genuine()[name].announces])
async def test_a_message_that_comes_five_times_is_one_request(desk: Hearing, name: str) -> None:
    provider = genuine()[name]
    for _ in range(5):
        answer = await providers.post(desk, provider, provider.signed(provider.message(1)))
        assert answer.status_code == 200, answer.text
    rows = await desk.admin.fetch("SELECT account, region FROM request WHERE door = $1", name)
    assert [tuple(row) for row in rows] == [(f"{name}/{providers.ACCOUNT}", "east")]


@pytest.mark.parametrize("name", [name for name in doors() if not genuine()[name].announces])
async def test_a_message_that_comes_five_times_at_once_is_one_request(desk: Hearing, name: str) -> None:
    """A provider that waits in vain sends again while the first is still being stored."""
    provider = genuine()[name]
    calls = [provider.signed(provider.message(4)) for _ in range(5)]
    answers = await asyncio.gather(*(providers.post(desk, provider, call) for call in calls))
    assert {each.status_code for each in answers} == {200}
    ids = sorted(provider.ids(provider.message(4)))
    said = "SELECT count(*) FROM message JOIN request ON request.id = request_id WHERE door = $1"
    one = f"{said} AND message.external_id = ANY($2)"
    assert await desk.admin.fetchval(one, name, ids) == 1


@EVERY
async def test_what_is_not_signed_as_the_provider_signs_is_refused_unread(desk: Hearing, name: str) -> None:
    provider = genuine()[name]
    call = provider.signed(provider.message(2))
    before = await kept(desk.admin)
    for change in (None, "", "ü", mirrored, shortened, longer):
        answer = await providers.post(desk, provider, provider.with_proof(call, change))
        assert answer.status_code in (400, 401, 403), (name, answer.text)
    for body in (b"", call.body + b" ", call.body.replace(b":", b": ").replace(b"=", b"=%20")):
        if provider.covers_body:
            forged = providers.Signed(body, call.headers, call.query)
            assert (await providers.post(desk, provider, forged)).status_code in (400, 401, 403), (name, body)
    assert await kept(desk.admin) == before


def mirrored(proof: str) -> str:
    """As long, of the same characters, and wrong."""
    half = len(proof) // 2
    return proof[:half] + proof[half:].swapcase()[::-1]


def longer(proof: str) -> str:
    return proof + "A"


def shortened(proof: str) -> str:
    return proof[:-1]


async def test_of_a_batch_each_message_is_a_request_once_and_the_spoilt_one_is_kept(desk: Hearing) -> None:
    provider = genuine()["whatsapp"]
    good = [whatsapp.text(number) for number in range(1000, 1099)]
    body = whatsapp.batch(whatsapp.value(*good, {"id": "spoilt"}, good[0]))
    for _ in range(2):
        assert (await providers.post(desk, provider, provider.signed(body))).status_code == 200
    requests = "SELECT count(DISTINCT customer_id), count(*) FROM request WHERE external_id LIKE $1"
    assert tuple(await desk.admin.fetchrow(requests, "wamid.HBg10%")) == (99, 99)
    aside = "SELECT reason FROM set_aside WHERE position('spoilt' IN encode(body, 'escape')) > 0"
    assert [row["reason"] for row in await desk.admin.fetch(aside)] == ["unreadable"]


async def test_a_greeting_is_answered_to_who_knows_the_token(desk: Hearing) -> None:
    path = genuine()["whatsapp"].path
    for token, status in ((META["verify_token"], 200), ("other", 401)):
        told = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
        answer = await desk.client().get(path, params=[*told.items(), ("hub.challenge", "second")])
        assert answer.status_code == status
        assert status == 401 or (answer.text, answer.headers["content-type"]) == (
            "1158201444",
            "text/plain; charset=utf-8",
        )


async def test_a_call_through_twilio_is_told_as_it_goes_each_thing_once(desk: Hearing) -> None:
    """R50, R51: the clocks of the telephone begin and end by these."""
    provider = genuine()["twilio"]
    for status in ("ringing", "ringing", "in-progress", "completed", "completed"):
        told = {"CallSid": "CA1", "CallStatus": status, "Direction": "inbound", "From": "+8613000000000"}
        answer = await providers.post(desk, provider, provider.signed(urlencode(told).encode()))
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
        assert answer.text.endswith("<Response/>")
    call = await desk.admin.fetchval("SELECT id FROM call WHERE account = $1", "twilio/genuine")
    names = [(name, data["region"]) for name, _, data in await desk.told(call)]
    assert names == [("call_rang", "east"), ("call_answered", "east"), ("call_ended", "east")]


@EVERY
async def test_whatever_is_signed_is_kept(desk: Hearing, name: str) -> None:
    await keep_mutated(desk, genuine()[name], Random(f"{SEED} {name}"), MUTATIONS)


async def keep_mutated(desk: Hearing, provider: Genuine, random: Random, times: int) -> None:
    """Send bodies made odd, signed as they should be: each leaves something behind."""
    ledger = Ledger()
    for _ in range(times):
        body = mutated(random, provider.message(random.randrange(10**9, 10**15)))
        assert await ledger.lost(desk, provider, body, provider.signed(body)) is None
    assert await desk.admin.fetchval("SELECT count(*) FROM set_aside WHERE reason = 'failed'") == 0


def altered(random: Random) -> Callable[[str], str]:
    """One character of a signature is another one, in more than its case."""

    def alter(proof: str) -> str:
        at = random.randrange(len(proof))
        others = [each for each in "0123456789abcdefXYZ+/" if each.lower() != proof[at].lower()]
        return proof[:at] + random.choice(others) + proof[at + 1 :]

    return alter


CLAIM = """Ten thousand calls of providers over all channels, each with one to three things wrong in it
(bytes, values of odd kinds and sizes, structure) and signed as the provider signs: each is answered 200, and
something of it is stored, unless the same bytes, or all the ids it names, or the very words it says without
naming anything came before; only a body without a byte may be refused, and the chat of the house may be told
what is wrong instead. No parser fails. The same calls with one character of the signature changed: each is
refused, and nothing is stored."""


@pytest.mark.proof
async def test_ten_thousand_odd_calls_lose_nothing_and_forge_nothing(desk: Hearing) -> None:
    seed, begun = secrets.randbits(32), time.monotonic()
    random, ledger = Random(seed), Ledger()
    lost: list[str] = []
    forged: list[str] = []
    every = sorted(genuine().values(), key=lambda each: each.channel)
    for number in range(CALLS):
        provider = every[number % len(every)]
        body = mutated(random, provider.message(random.randrange(10**9, 10**15)))
        call = provider.signed(body)
        since = uuid7()
        before = await kept(desk.admin, since)
        bad = await providers.post(desk, provider, provider.with_proof(call, altered(random)))
        if bad.status_code not in (400, 401, 403) or await kept(desk.admin, since) != before:
            forged.append(f"{provider.channel} {bad.status_code} {base64.b64encode(body).decode()}")
        if fault := await ledger.lost(desk, provider, body, call):
            lost.append(fault)
    failed = await desk.admin.fetchval("SELECT count(*) FROM set_aside WHERE reason = 'failed'")
    lost += ["a parser failed"] * failed
    reports = [
        Report("each signed call leaves something behind", CALLS, _found("lost", lost), tuple(lost[:20])),
        Report("no altered signature is taken", CALLS, _found("taken", forged), tuple(forged[:20])),
    ]
    counts = {"channels": len(every), "calls": 2 * CALLS, **ledger.why}
    found = await versions(desk.admin, None)
    result = Result("webhooks", CLAIM, [seed], found, counts, time.monotonic() - begun, reports)
    result.write(Path(__file__).parents[2] / "docs/proofs")
    for report in reports:
        report.assert_clean()


def _found(kind: str, violations: list[str]) -> dict[str, int]:
    return {kind: len(violations)} if violations else {}
