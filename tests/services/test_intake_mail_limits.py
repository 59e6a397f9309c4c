"""Hostile mails cost no more than a second of processor time and 64 MiB, in a process that may end for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import process_time

import pytest
import pytest_asyncio

from contracts.mails import hostile_mails
from intake.channels.mail.parser import parse
from intake.channels.mail.pool import SMALL, Reader

PHOTO = (
    b"From: a@example.com\r\nSubject: =?utf-8?b?5rC05rO1?=\r\nMessage-ID: <1@x>\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
    b"Content-Type: text/plain; charset=gb2312\r\n\r\n"
    + "漏水".encode("gb18030")
    + b"\r\n--b\r\nContent-Type: image/jpeg; name=a.jpg\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwg\r\n" * 100_000
    + b"--b--\r\n"
)


@pytest_asyncio.fixture
async def reader() -> AsyncIterator[Reader]:
    made = Reader()
    yield made
    made.close()


@pytest.mark.parametrize("name", [name for name, _ in hostile_mails(64)])
def test_a_small_mail_costs_little_whatever_it_holds(name: str) -> None:
    """These are read in the process that serves; the worst took 0.07 s, the rest is for a busy machine."""
    mail = dict(hostile_mails(SMALL))[name]
    begun = process_time()
    parse(mail)
    assert process_time() - begun < 0.5


async def test_a_child_reads_what_the_parser_reads(reader: Reader) -> None:
    assert await reader.read(PHOTO, "") == parse(PHOTO)
    again = PHOTO.replace(b"<1@x>", b"<2@x>")
    assert await reader.read(again, "") == parse(again)


async def test_hostile_mails_of_a_megabyte_are_read_within_the_limits(reader: Reader) -> None:
    read = {name: await reader.read(mail, "") for name, mail in hostile_mails(1024 * 1024)}
    assert [name for name, mail in read.items() if not mail.understood] == []


@pytest.mark.parametrize("limits", [(0.001, 64), (1.0, 4)], ids=["time", "memory"])
async def test_a_mail_that_costs_too_much_is_kept_by_its_headers_and_harms_no_other(
    limits: tuple[float, int],
) -> None:
    reader = Reader(None, *limits)
    try:
        found = await reader.read(PHOTO, "")
        assert (found.understood, found.subject, found.address) == (False, "水泵", "a@example.com")
        assert (found.external_id, found.parts) == ("<1@x>", ())
        assert (await reader.read(PHOTO[:SMALL], "")).understood
    finally:
        reader.close()


async def test_no_child_runs_before_the_first_mail_that_needs_one(reader: Reader) -> None:
    await reader.read(PHOTO[:SMALL], "")
    assert reader.children == 0
    await reader.read(PHOTO, "")
    assert reader.children == 1
    reader.close()
    assert reader.children == 0
