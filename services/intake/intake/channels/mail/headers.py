"""Who, to whom, about what, in answer to what."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses, parseaddr
from typing import Final

from intake.channels.mail.charsets import decoded, storable
from intake.channels.mail.reading import Headers

ID: Final = re.compile(r"<[^<>\s]{1,250}>")  # an index entry has to hold it
_MOST_IDS: Final = 20
_MOST_RECIPIENTS: Final = 50
_ADDRESSED: Final = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To")


def words(header: str) -> str:
    """Encoded words (RFC 2047) as text. By hand: the library takes their charset labels at their word."""
    try:
        pieces = decode_header(header)
    except (HeaderParseError, ValueError):
        pieces = [(header, None)]
    text = "".join(piece if isinstance(piece, str) else _word(piece, charset) for piece, charset in pieces)
    return storable(" ".join(text.split()))


def _word(piece: bytes, charset: str | None) -> str:
    return piece.decode("raw-unicode-escape", "replace") if charset is None else decoded(piece, charset)


def message_id(headers: Headers, raw: bytes) -> str:
    """The Message-ID; without one, the same bytes are the same mail."""
    found = ID.search(words(headers.raw("Message-ID")))
    return found.group() if found else f"sha256:{hashlib.sha256(raw).hexdigest()}"


def sender(headers: Headers) -> tuple[str, str]:
    """Name and address; decoded only then, for a name may hold commas and addresses."""
    sent = headers.raw("From")
    try:
        name, address = parseaddr(sent)
    except RecursionError:  # comments within comments
        name, address = sent, ""
    return words(name), storable(address)


def recipients(headers: Headers) -> Iterator[str]:
    """Every mailbox it says it went to, in lower case."""
    sent = [headers.raw(name)[:4000] for name in _ADDRESSED]
    try:
        found = getaddresses([each for each in sent if each])
    except RecursionError:
        return
    for _, address in found[:_MOST_RECIPIENTS]:
        if "@" in address:
            yield storable(address).lower()[:254]


def answered(headers: Headers) -> Iterator[str]:
    """The ids of the mails this one replies to, the nearest first."""
    for name in ("In-Reply-To", "References"):
        yield from reversed(ID.findall(words(headers.raw(name)))[-_MOST_IDS:])
