"""Mails changed at random: none is refused, none is lost, none keeps us busy. The long form is a proof."""

from __future__ import annotations

import asyncio
import platform
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import TextClause, text

from chaos.checkers import Report
from chaos.result import Result
from contracts.hearing import Hearing, hearing
from contracts.mails import hostile_mails
from intake.app import service

CLAIM: Final = """Whatever a mail holds, it is taken: ordinary Chinese and English mails, bounces,
invitations, nested and broken ones, changed at random (bytes, lines, parts, labels, headers; cut, joined,
repeated up to a megabyte), are each answered 202 within five seconds, no answer is a 5xx, and the
source of each is kept byte for byte, under its request or aside."""
SEED: Final = 20261123
PUBLISHED: Final = Path(__file__).parents[2] / "docs" / "proofs"
MAILS: Final = sorted((Path(__file__).parents[1] / "contracts" / "mails").glob("*.eml"))
AT_ONCE: Final = 8
LONGEST: Final = 5.0  # seconds from the first byte to the answer
PIECES: Final = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"\0", b"\xff\xfe", b"--", b"\r\n--b1\r\n", b"\r\n--actual--\r\n",
    b"=?gb2312?B?", b"?=", b"=?utf-8?q?=00=0D=0A?=", b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n", b"Content-Transfer-Encoding: base64\r\n",
    b"charset=utf-7", b"charset=gb2312", b"charset=punycode", b"filename*0*=utf-8''%00",
    b"name=\"../../CON\"",
    b"Subject: \xe6\xb0\xb4\r\n", b"From: <<<>>>,;\r\n", b"Message-ID: <>\r\n",
    b"References: <plain@example.com>\r\n",
    b"\xed\xa0\x80", b"\xf0\x9f\x92\xa7", b"<script>", b"<!--", b"BEGIN:VEVENT\r\n", b"Status: 5.0.0\r\n",
    b">>> ",
    b"Auto-Submitted: no\r\n", b"To: support+" + b"a" * 48 + b"@desk.example\r\n",
)  # fmt: skip


def mutated(number: int, mails: list[bytes]) -> Iterator[bytes]:
    """`number` mails, the same for the same seed; every hundredth was made to keep us busy."""
    dice = random.Random(SEED)
    hostile = [mail for _, mail in hostile_mails(200_000)]
    for index in range(number):
        if index % 100 == 99:
            yield hostile[index // 100 % len(hostile)]
            continue
        mail = bytearray(dice.choice(mails))
        for _ in range(dice.choice((1, 2, 3, 5, 12))):
            _change(mail, dice, mails)
        yield bytes(mail[: 1024 * 1024]) or b"x"


def _change(mail: bytearray, dice: random.Random, mails: list[bytes]) -> None:
    at, to = sorted((dice.randrange(len(mail) + 1), dice.randrange(len(mail) + 1)))
    to = min(to, at + dice.choice((1, 8, 64, 512)))
    kind = dice.randrange(8)
    if kind == 0 and mail:
        mail[dice.randrange(len(mail))] = dice.randrange(256)
    elif kind == 1:
        del mail[at:to]
    elif kind == 2:
        mail[at:at] = mail[at:to] * dice.choice((1, 2, 50))
    elif kind == 3 and dice.random() < 0.2:
        del mail[at:]
    elif kind == 4:
        other = dice.choice(mails)
        mail[at:to] = other[dice.randrange(len(other)) :]
    elif kind == 5:
        mail[at:at] = dice.choice(PIECES) * dice.choice((1, 1, 1, 300))
    elif kind == 6:
        lines = mail.split(b"\r\n")
        dice.shuffle(lines)
        mail[:] = b"\r\n".join(lines)
    else:
        mail[at:at] = dice.choice(PIECES)


@dataclass
class Found:
    """What was wrong, by checker."""

    answers: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    longest: float = 0.0
    aside: int = 0
    requests: int = 0


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def try_all(desk: Hearing, number: int) -> Found:
    """Each mail to an account of its own, so that none passes for another."""
    found = Found()
    mails = mutated(number, [path.read_bytes() for path in MAILS])
    numbered = enumerate(mails)
    client = desk.client("adapter", channel="email")
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(_post_all(desk, client, numbered, found))
    return found


async def _post_all(
    desk: Hearing, client: httpx.AsyncClient, numbered: Iterator[tuple[int, bytes]], found: Found
) -> None:
    for index, raw in numbered:
        account, begun = f"fuzz-{index}", time.monotonic()
        answer = await client.post(
            "/intake/channels/email",
            content=raw,
            params={"account": account},
            headers={"content-type": "message/rfc822"},
        )
        took = time.monotonic() - begun
        found.longest = max(found.longest, took)
        if answer.status_code != 202:
            found.answers.append(f"mail {index}: {answer.status_code} {answer.text[:200]}")
            continue
        if took > LONGEST:
            found.slow.append(f"mail {index}: {took:.1f} s")
        aside = "reason" in answer.json()
        found.aside += aside
        found.requests += not aside
        async with desk.database.transaction() as tx:
            kept = (await tx.execute(_kept(aside), {"account": account})).scalars().all()
        if kept != [raw]:
            found.lost.append(f"mail {index}: {len(kept)} sources")


def _kept(aside: bool) -> TextClause:
    if aside:
        return text("SELECT body FROM set_aside WHERE account = :account")
    return text(
        "SELECT body FROM source JOIN message ON message.id = message_id"
        " JOIN request ON request.id = request_id WHERE account = :account"
    )


def report(checker: str, checked: int, wrong: list[str]) -> Report:
    return Report(checker, checked, {checker: len(wrong)} if wrong else {}, tuple(wrong[:20]))


async def test_mails_changed_at_random_are_taken_and_kept(desk: Hearing) -> None:
    found = await try_all(desk, 150)
    assert (found.answers, found.slow, found.lost) == ([], [], [])
    assert found.requests > 80
    assert found.aside > 10


@pytest.mark.proof
async def test_ten_thousand_mails_changed_at_random(desk: Hearing) -> None:
    number, begun = 10_000, time.monotonic()
    found = await try_all(desk, number)
    reports = (
        report("answered 202", number, found.answers),
        report("answered within five seconds", number, found.slow),
        report("source kept byte for byte", number, found.lost),
    )
    counts = {
        "mails": number,
        "requests": found.requests,
        "set aside": found.aside,
        "seconds of the slowest": round(found.longest, 2),
    }
    versions = {"Python": platform.python_version()}
    result = Result(
        "mails",
        CLAIM,
        [SEED],
        versions,
        counts,
        time.monotonic() - begun,
        reports,
    )
    result.write(PUBLISHED)
    assert result.holds
