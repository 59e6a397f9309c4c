"""What a text says, and how it says it: stated, denied, asked or long past. Pure, and linear in the text.

Rules find words; here is decided whether a word found there counts. Languages are Chinese and English.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, Literal

Scope = Literal["stated", "denied", "asked", "past"]
"""How a word is meant where it stands; only `stated` is trouble."""

READ: Final = 20_000
"""Characters that are read; what comes later is quoted, or a novel."""
_REACH: Final = 32  # characters before a word in which its negation is looked for
_CLAUSE: Final = 400  # characters of a clause that are looked at for what it is
_DATE: Final = 16  # characters of a clause that says no more than when

_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_QUOTED: Final = re.compile(r"^\s*>.*$", re.MULTILINE)
_FORWARDED: Final = re.compile(
    r"^(?:-{2,}\s*(?:original message|forwarded message|原始邮件|转发)|"
    r"on .{0,80} wrote:$|在.{0,60}写道[::]$|-- $)",
    re.MULTILINE,
)
_SENTENCES: Final = re.compile(r"[!?。\n…]|\.(?=\s|$)")  # a dot within a number ends nothing
_CLAUSES: Final = re.compile(
    r"[;,:、()\[\]~]|\s-+\s|[–—]|\b(?:but|however|although|though|yet|so)\b|"
    r"但是?|不过|可是|然而|只是|就是|倒是|而是"
)
_FILLERS_ZH: Final = (
    "(?:是|会|再|有|太|很|曾|过|人|怎么|任何|什么|出现|发生|发现|看到|闻到|听到|"
    "造成|导致|完全|彻底|直接|明显)*"
)
_NOT_ZH: Final = re.compile(
    r"(?<![是会有能得要好差])(?:不(?:是|会|存在)?|没有?|无|未|并非|非|避免|防止|预防|杜绝|排除)"
    rf"{_FILLERS_ZH}(?:[^\s]{{1,4}}[和或及与])?{_FILLERS_ZH}\s*$"
)
_NOT_EN: Final = re.compile(
    r"(?:\b(?:no|not|never|without|nothing|nobody|neither|nor|none|cannot|avoid\w*|prevent\w*|against)|n't)(?!\s+(?:only|just|sure)\b)"
    r"(?:\s+(?!and\b|because\b|since\b|just\b|works?\b)[\w'-]+){0,3}\s+$"
)
_IF_ZH: Final = re.compile(
    r"如果|假如|假设|要是|万一|一旦|倘若|会不会|是否会|能不能|什么情况|哪些情况|怎么(?:防|避)|如何(?:防|避)|听说|据说|先例|案例|有没有[^?]{0,12}过|(?:会|能)[^?]{0,14}吗"
)
_IF_EN: Final = re.compile(
    r"\b(?:if|in case|in the event|what happens|what if|suppose|might|in which|risks? of|heard)\b"
)
_ASKS_EN: Final = re.compile(
    r"^[\s\"'>]*(?:(?:and|or|so|hi|hello|please|just asking|quick one|quick question)[\s]+)*"
    r"(?:(?:will|would|could|can|may|is|are|does|do|did|has|have|should)\b"
    r"(?!\s+(?:you|someone|somebody|anyone|anybody|it normal)\b)"
    r"|(?:what|which|how|when|where|in which)\b.*\b(?:could|would|can|may|might|will)\b)"
)
_PAST: Final = re.compile(
    r"\blast (?:year|month|spring|summer|autumn|fall|winter|season|time)\b|"
    r"\b(?:years?|months?) ago\b|\bback then\b|"
    r"\bpreviously\b|"
    r"\bused to\b|\bin (?:19|20)\d\d\b|\bin the past\b|"
    r"去年|前年|上个?月|上次|以前|曾经|当时|往年|\d+年前|着过|停过|坏过|漏过|出过"
)
_STILL: Final = re.compile(r"\bsince\b|\bstill\b|\bagain\b|以来|开始|至今|到现在|又|还")


@cache
def _simplified() -> dict[int, int]:
    """Traditional characters to simplified ones, one for one, so that places in the text stay."""
    from opencc import OpenCC  # the only use; nothing of it stays in memory

    characters = [chr(code) for code in range(0x4E00, 0xA000)]
    simple = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    return {
        ord(old): ord(new)
        for old, new in zip(characters, simple, strict=True)
        if old != new and len(new) == 1
    }


def fold(text: str) -> str:
    """Lower case, usual width, straight apostrophes, simplified; without what others wrote before."""
    folded = unicodedata.normalize("NFKC", text[:READ])[:READ].casefold().replace("’", "'")
    if _HAN.search(folded):
        folded = folded.translate(_simplified())
    own = _QUOTED.sub("", folded)
    if quoted := _FORWARDED.search(own):
        own = own[: quoted.start()]
    return own if own.strip() else folded  # nothing but a quotation: that is the message then


@dataclass(frozen=True, slots=True)
class _Clause:
    start: int
    """Where it begins; it ends where the next one does."""
    asked: bool
    past: bool


@dataclass(frozen=True)
class Reading:
    """A folded text with what its clauses are."""

    text: str

    @cached_property
    def _clauses(self) -> list[_Clause]:
        return _clauses_of(self.text)

    @cached_property
    def _starts(self) -> list[int]:
        return [each.start for each in self._clauses]

    def clause(self, place: int) -> tuple[int, int]:
        """Where the clause around `place` begins and ends."""
        index = bisect_right(self._starts, place)
        end = self._starts[index] if index < len(self._starts) else len(self.text)
        return self._starts[index - 1], end

    def scope(self, place: int) -> Scope:
        """How the word that begins at `place` is meant."""
        index = bisect_right(self._starts, place) - 1
        clause = self._clauses[index]
        before = self.text[max(clause.start, place - _REACH) : place]
        if _NOT_ZH.search(before) or _NOT_EN.search(before):
            return "denied"
        whole = self.text[max(clause.start, place - 3 * _REACH) : place]
        if clause.asked or _IF_EN.search(whole):
            return "asked"
        return "past" if clause.past else "stated"


def _clauses_of(text: str) -> list[_Clause]:
    clauses: list[_Clause] = []
    start = 0
    for found in _SENTENCES.finditer(text):
        clauses += _clauses_within(text, start, found.start(), asks=found.group() == "?")
        start = found.end()
    return [*clauses, *_clauses_within(text, start, len(text), asks=False)]


def _clauses_within(text: str, start: int, end: int, asks: bool) -> Iterator[_Clause]:
    """The clauses of one sentence, which is a question if it `asks`."""
    asked = carried = False
    ends = [(found.start(), found.end()) for found in _CLAUSES.finditer(text, start, end)]
    for stop, after in [*ends, (end, end + 1)]:
        words = text[start : min(stop, start + _CLAUSE)]
        asked = asked or (asks and bool(_ASKS_EN.search(words)))
        past = bool(_PAST.search(words)) and not _STILL.search(words)
        yield _Clause(start, asked or bool(_IF_ZH.search(words)), past or carried)
        # "Last year, the boiler exploded": a mere date speaks for what follows.
        carried = past and len(words.strip()) <= _DATE
        start = after
