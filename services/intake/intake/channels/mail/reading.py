"""A mail's bytes into parts. One pass by our own hand: the library's parser takes seconds and hundreds of MiB
over mails made for that, and a broken boundary costs it the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from functools import cached_property
from typing import Final

from intake.channels.mail.charsets import decoded

LONGEST_HEADERS: Final = 64 * 1024
LONGEST_PART_HEADERS: Final = 8 * 1024
LONGEST_HEADER: Final = 10_000
_LONGEST_STRUCTURED: Final = 2_000  # characters of a header that has parameters
MOST_PARTS: Final = 1_000
MOST_DELIMITERS: Final = 5_000
DEEPEST: Final = 20

_HEADERS: Final = re.compile(
    rb"(?:From [^\n]*+\n)?(?:[!-9;-~\x80-\xff]++[ \t]*+:[^\n]*+(?:\n|\Z)|[ \t][^\n]*+(?:\n|\Z))*+"
)
_HEADER: Final = re.compile(rb"(?m)^([!-9;-~\x80-\xff]++)[ \t]*+:((?:[^\n]*+(?:\n(?=[ \t]))?)++)")
_BLANK: Final = re.compile(rb"\r?\n")
_END_OF_DELIMITER: Final = re.compile(rb"(--)?[ \t]*+\r?(?:\n|\Z)")
_LOOKS_LIKE_DELIMITER: Final = re.compile(rb"(?m)^--([^\s-][^\r\n]{0,199}?)[ \t]*\r?$")


class Headers:
    """The headers of a mail or a part, as sent; of several of one name the first counts."""

    def __init__(self, block: bytes) -> None:
        self._values: dict[str, bytes] = {}
        for found in _HEADER.finditer(block):
            self._values.setdefault(found[1].decode("latin-1").lower(), found[2][:LONGEST_HEADER])

    def raw(self, name: str) -> str:
        """One line; bytes that should have been encoded become text all the same."""
        value = self._values.get(name.lower(), b"")
        return " ".join((value.decode("ascii") if value.isascii() else decoded(value, None)).split())

    def parameters(self, name: str) -> tuple[str, dict[str, str]]:
        """A header like Content-Type: its value and parameters, both in RFC 2231's and in common spelling."""
        header = Message()
        header["X"] = self.raw(name)[:_LONGEST_STRUCTURED]
        try:
            found = header.get_params(header="X", failobj=[])
        except (ValueError, LookupError, TypeError):  # continuations in no order
            return header["X"].partition(";")[0].strip().lower(), {}
        first = found[0][0] if found else ""
        return first.strip().lower(), {key.lower(): _text_of(value) for key, value in reversed(found[1:])}


def _text_of(value: object) -> str:
    if isinstance(value, tuple):  # charset, language, text with a byte per character
        charset, _, text = value
        try:
            return decoded(str(text).encode("latin-1"), charset)
        except UnicodeEncodeError:
            return str(text)
    return str(value)


@dataclass(frozen=True)
class Piece:
    """A part: its headers, where its body lies in the mail, and the parts it is made of."""

    raw: bytes = field(repr=False)
    headers: Headers
    start: int
    end: int
    children: tuple[Piece, ...] = ()

    @cached_property
    def typed(self) -> tuple[str, dict[str, str]]:
        kind, parameters = self.headers.parameters("Content-Type")
        return (kind if kind.count("/") == 1 else "text/plain"), parameters

    @property
    def kind(self) -> str:
        return self.typed[0]

    @cached_property
    def disposition(self) -> tuple[str, dict[str, str]]:
        return self.headers.parameters("Content-Disposition")

    @property
    def encoding(self) -> str:
        return self.headers.raw("Content-Transfer-Encoding").lower()[:40]

    def leaves(self) -> Iterator[Piece]:
        """What has no parts, in order."""
        for each in self.children:
            yield from each.leaves()
        if not self.children:
            yield self


class _Budget:
    """How much of a mail is looked at; the source keeps what is beyond."""

    def __init__(self) -> None:
        self.parts = MOST_PARTS
        self.delimiters = MOST_DELIMITERS


def read(raw: bytes) -> Piece:
    """The whole mail."""
    return _piece(raw, 0, len(raw), _Budget(), 0)


def headers_at(raw: bytes, start: int, end: int, longest: int) -> tuple[Headers, int]:
    """The headers that begin at `start`, and where the body does."""
    found = _HEADERS.match(raw, start, min(end, start + longest))
    assert found is not None  # it matches nothing, too
    body = found.end()
    if body - start >= longest:  # too many: the body begins behind the first empty line
        empty = re.compile(rb"\n\r?\n").search(raw, body - 1, end)
        return Headers(found.group()), empty.end() if empty else end
    blank = _BLANK.match(raw, body, end)
    return Headers(found.group()), blank.end() if blank else body


def _piece(raw: bytes, start: int, end: int, budget: _Budget, depth: int) -> Piece:
    headers, body = headers_at(raw, start, end, LONGEST_PART_HEADERS if depth else LONGEST_HEADERS)
    piece = Piece(raw, headers, body, end)
    if not piece.kind.startswith("multipart/") or depth >= DEEPEST:
        return piece
    spans = _spans(raw, body, end, piece.typed[1].get("boundary", ""), budget)
    children = []
    for left, right in spans:
        if not budget.parts:
            break
        budget.parts -= 1
        children.append(_piece(raw, left, right, budget, depth + 1))
    return Piece(raw, headers, body, end, tuple(children))


def _spans(raw: bytes, start: int, end: int, boundary: str, budget: _Budget) -> list[tuple[int, int]]:
    """Where the parts lie: between the boundary that was declared, else the one that is there."""
    declared = boundary.strip().encode("utf-8", "replace")
    if declared and (found := _between(raw, start, end, declared, budget)):
        return found
    guess = _LOOKS_LIKE_DELIMITER.search(raw, start, min(end, start + 4096))
    if guess and raw.find(b"--" + guess[1], guess.end(), end) >= 0:
        return _between(raw, start, end, guess[1], budget)
    return []


def _between(raw: bytes, start: int, end: int, boundary: bytes, budget: _Budget) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    at = start
    while budget.delimiters and (at := raw.find(b"--" + boundary, at, end)) >= 0:
        budget.delimiters -= 1
        closing = _END_OF_DELIMITER.match(raw, at + 2 + len(boundary), end)
        if closing is None or (at > start and raw[at - 1 : at] != b"\n"):
            at += 2
            continue
        if opened is not None:
            spans.append((opened, _before_break(raw, opened, at)))
        opened, at = closing.end(), closing.end()
        if closing[1]:
            return spans
    if opened is not None and opened < end:
        spans.append((opened, end))  # never closed
    return spans


def _before_break(raw: bytes, start: int, at: int) -> int:
    """The line break before a delimiter belongs to the delimiter."""
    if at > start and raw[at - 1 : at] == b"\n":
        at -= 1
        if at > start and raw[at - 1 : at] == b"\r":
            at -= 1
    return max(start, at)
