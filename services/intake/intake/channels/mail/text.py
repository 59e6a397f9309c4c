"""What a person would read."""

from __future__ import annotations

import binascii
import re
from contextlib import suppress
from html import unescape
from typing import Final

from intake.channels.mail import calendar
from intake.channels.mail.attachments import is_attached
from intake.channels.mail.charsets import decoded, storable
from intake.channels.mail.reading import Piece

# Characters or bytes; beyond them the raw source alone keeps what came, and nobody waits for our processor.
LONGEST_TEXT: Final = 100_000
_LONGEST_MARKUP: Final = 500_000
_LONGEST_PAYLOAD: Final = 1_000_000
_MOST_TEXTS: Final = 20  # parts of a mixed mail that are read
_SILENT: Final = frozenset({"script", "style", "title"})
_BREAKS: Final = frozenset(
    {"p", "br", "div", "li", "tr", "h1", "h2", "h3", "blockquote", "hr", "table", "pre"}
)
_TAG: Final = re.compile(r"<(?P<opened>[a-zA-Z][a-zA-Z0-9]*)|<[!?/]")


def text_of(piece: Piece) -> str:
    """The plain parts, else the HTML ones without their markup; invitations as a line."""
    if piece.children:
        texts = [text_of(each) for each in piece.children[:_MOST_TEXTS]]
        if piece.kind == "multipart/alternative":
            return _best(piece.children, texts)
        return "\n\n".join(filter(None, texts))[:LONGEST_TEXT]
    if piece.kind == "text/calendar":
        return calendar.described(payload_of(piece))
    if is_attached(piece):
        return ""
    # Parts whose boundary is nowhere to be found are one piece.
    if piece.kind.startswith(("text/", "multipart/")):
        return storable(payload_of(piece)).strip()[:LONGEST_TEXT]
    return ""


def _best(children: tuple[Piece, ...], texts: list[str]) -> str:
    """One way to say it is enough; an invitation is said beside it."""
    said = list(zip(children, texts, strict=False))
    invitations = [text for each, text in said if each.kind == "text/calendar" and text]
    others = [
        (each.kind != "text/plain", text) for each, text in said if each.kind != "text/calendar" and text
    ]
    best = [min(others, key=lambda each: each[0])[1]] if others else []
    return "\n\n".join([*best, *invitations])[:LONGEST_TEXT]


def payload_of(piece: Piece) -> str:
    """The text of a part, its encoding, label and markup removed."""
    payload = content(piece.raw[piece.start : min(piece.end, piece.start + _LONGEST_PAYLOAD)], piece.encoding)
    text = decoded(payload, piece.typed[1].get("charset"))
    return without_markup(text) if piece.kind == "text/html" else text


def content(encoded: bytes | memoryview, encoding: str) -> bytes:
    """Decoded by its Content-Transfer-Encoding; what is no base64 after all stays as it came."""
    if encoding == "quoted-printable":
        return binascii.a2b_qp(encoded)
    if encoding == "base64":
        for ending in (b"", b"==", b"A=="):  # cut off somewhere
            with suppress(binascii.Error):
                return binascii.a2b_base64(bytes(encoded) + ending if ending else encoded)
    return bytes(encoded)


def without_markup(markup: str) -> str:
    """In one pass whatever it holds: the library's parser takes minutes over tags that never close."""
    markup = markup[:_LONGEST_MARKUP]
    pieces: list[str] = []
    at = 0
    while tag := _TAG.search(markup, at):
        pieces.append(markup[at : tag.start()])
        at = tag.start()
        if (end := _end_of(tag, markup)) is None:
            break
        at = end
        if (tag["opened"] or "").lower() in _BREAKS:
            pieces.append("\n")
    text = "".join([*pieces, markup[at:]])
    with suppress(ValueError):  # a reference of thousands of digits
        text = unescape(text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def _end_of(tag: re.Match[str], markup: str) -> int | None:
    """Where the text goes on behind a tag or a comment; None when it never ends."""
    closing = "-->" if markup.startswith("<!--", tag.start()) else ">"
    end = markup.find(closing, tag.end())
    if end < 0:
        return None
    if (tag["opened"] or "").lower() in _SILENT:
        closed = re.compile(f"</{tag['opened']}", re.IGNORECASE).search(markup, end)
        return closed.start() if closed else len(markup)
    return end + len(closing)
