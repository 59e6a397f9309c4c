"""What a text says, and how it says it: stated, denied, asked or long past. Pure, and linear in the text.

Rules find words; here is decided whether a word found there counts. Languages are Chinese and English.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from functools import cache, cached_property
from itertools import pairwise
from typing import Final, Literal, NamedTuple

Scope = Literal["stated", "denied", "asked", "past"]
"""How a word is meant where it stands; only `stated` is trouble."""

READ: Final = 20_000
"""Characters that are read; what comes later is quoted, or a novel."""
_REACH: Final = 32  # characters before a word in which its negation is looked for
_CLAUSE: Final = 400  # characters of a clause that are looked at for what it is
_DATE: Final = 16  # characters of a clause that says no more than when

_HAN: Final = re.compile(r"[\u4e00-\u9fff]")
_QUOTED: Final = re.compile(r"^[^\S\n]*>.*$", re.MULTILINE)
_FORWARDED: Final = re.compile(
    r"^(?:-{2,}\s*(?:original message|forwarded message|原始邮件|转发)|"
    r"on .{0,80} wrote:$|在.{0,60}写道[::]$|-- $)",
    re.MULTILINE,
)
_CUTS: Final = re.compile(  # one set of characters first: what is none of them is passed over fast
    r"[!?。\n….;,:、()\[\]~–—\s但不可然只就倒而]"
    r"(?:(?<=[!?。\n…])(?P<over>)|(?<=\.)(?P<dot>)(?=\s|$)"  # a dot within a number ends nothing
    r"|(?<=[;,:、()\[\]~–—])|(?<=\s)(?:-+\s|(?:but|however|although|though|yet|so)\b)"
    r"|(?<=但)是?|(?<=不)过|(?<=然)而|(?<=[可只就倒而])是)"
)
_FILLERS_ZH: Final = (
    "(?:是|会|再|有|太|很|曾|过|人|怎么|任何|什么|出现|发生|发现|看到|闻到|听到|"
    "造成|导致|完全|彻底|直接|明显)*"
)
_NOT_ZH: Final = re.compile(
    r"(?<![是会有能得要好差])(?:不(?:是|会|存在)?|没有?|无|未|并非|非|避免|防止|预防|杜绝|排除|(?<![消国边提])防)"
    rf"{_FILLERS_ZH}(?:[^\s]{{1,4}}[和或及与])?{_FILLERS_ZH}\s*$"
)
_NOT_EN: Final = re.compile(
    r"(?:\b(?:no|not|never|without|nothing|nobody|neither|nor|none|cannot|avoid\w*|prevent\w*|against)|n't)(?!\s+(?:only|just|sure)\b)"
    r"(?:\s+(?!and\b|because\b|since\b|just\b|works?\b)[\w'-]+){0,3}(?:\s+or(?:\s+any)?)?\s+$"
)
_MAY_NOT_ZH: Final = re.compile("[不没无未非避防预杜排]")
_MAY_NOT_EN: Final = re.compile("n[o'e]|with|avoid|prevent|against")
_IF_ZH: Final = re.compile(
    r"如果|假如|假设|要是|万一|一旦|倘若|会不会|是否会|能不能|什么情况|哪些情况|怎么(?:防|避)|如何(?:防|避)|听说|据说|先例|案例|有没有[^?]{0,12}过|(?:会|能)[^?]{0,14}吗|(?:保修|质保)[^?]{0,24}(?:吗|么|怎么|多少)|啥意思|什么意思|是真的吗|应急预案|应急处置|怕(?=着|起|烧|漏|触|炸|烫|夹|出|被|会|以后)|担心(?=会|着|起|烧|漏|触|炸|以后)"
)
_IF_EN: Final = re.compile(
    r"\b(?:if|in case|in the event|what happens|what if|suppose|might|in which|risks? of|heard|"
    r"hypothetical(?:ly)?)\b"
)
_CAN_EN: Final = re.compile(
    r"\b(?:these|those|they|batteries|machines|it)\s+(?:\w+\s+)?(?:could|can|may)\s+$"
)
_MAY_IF_EN: Final = re.compile(r"if|in |what |suppose|might|risk|heard|hypoth")
_MAY_CAN: Final = re.compile(r"(?:could|can|may)\s")
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
    r"去年|前年|上个?月|上次|(?<![比跟和像如没较与同])以前|曾经|当时|往年|\d+年前|着过|停过|坏过|漏过|出过"
)
_MAY_PAST: Final = (  # whatever matches has one of these
    "last ",
    " ago",
    "back then",
    "previously",
    "used to",
    "in 1",
    "in 2",
    "in the past",
    "去年",
    "前年",
    "上个",
    "上月",
    "上次",
    "以前",
    "曾经",
    "当时",
    "往年",
    "年前",
    "过",
)
_MAY_IF_ZH: Final = (
    "如果",
    "假",
    "要是",
    "万一",
    "一旦",
    "倘若",
    "会",
    "能",
    "情况",
    "怎么",
    "如何",
    "听说",
    "据说",
    "先例",
    "案例",
    "有没有",
    "保修",
    "质保",
    "意思",
    "真的",
    "应急",
    "怕",
    "担心",
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
    own = _QUOTED.sub("", folded) if ">" in folded else folded
    if quoted := _FORWARDED.search(own):
        own = own[: quoted.start()]
    return own if own.strip() else folded  # nothing but a quotation: that is the message then


class _Clause(NamedTuple):
    asked: bool
    past: bool


class Reading:
    """A folded text with what its clauses are; what a sentence is, is found out when somebody asks."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._sentences: dict[int, list[_Clause]] = {}
        self._scopes: dict[int, Scope] = {}

    @cached_property
    def _cuts(self) -> tuple[list[int], list[int]]:
        """Where clauses begin, and for each the number of its sentence's first clause."""
        starts, firsts = [0], [0]
        for found in _CUTS.finditer(self.text):
            starts.append(found.end())
            firsts.append(len(firsts) if found.lastgroup else firsts[-1])
        return starts, firsts

    def clause(self, place: int) -> tuple[int, int]:
        """Where the clause around `place` begins, and where the next one does."""
        starts, _ = self._cuts
        index = bisect_right(starts, place)
        return starts[index - 1], starts[index] if index < len(starts) else len(self.text)

    def scope(self, place: int) -> Scope:
        """How the word that begins at `place` is meant."""
        if place not in self._scopes:
            self._scopes[place] = self._scope(place)
        return self._scopes[place]

    def _scope(self, place: int) -> Scope:
        starts, firsts = self._cuts
        index = bisect_right(starts, place) - 1
        start, first = starts[index], firsts[index]
        if place > start and denied(self.text[max(start, place - _REACH) : place]):
            return "denied"
        if first not in self._sentences:
            end = bisect_right(firsts, first)
            bounds = [*starts[first:end], starts[end] if end < len(starts) else len(self.text) + 1]
            self._sentences[first] = self._clauses_of(bounds)
        asked, past = self._sentences[first][index - first]
        if asked or self._supposed(max(start, place - 3 * _REACH), place):
            return "asked"
        return "past" if past else "stated"

    def _supposed(self, start: int, place: int) -> bool:
        """Whether somebody only supposes what begins at `place`."""
        index = bisect_left(self._ifs, start)
        if index < len(self._ifs) and self._ifs[index] < place:
            return True
        can = _MAY_CAN.search(self.text, max(start, place - 6), place)
        return bool(can and _CAN_EN.search(self.text[start:place]))

    @cached_property
    def _ifs(self) -> list[int]:
        return [found.start() for found in _IF_EN.finditer(self.text)] if _MAY_IF_EN.search(self.text) else []

    def _clauses_of(self, bounds: list[int]) -> list[_Clause]:
        """What the clauses of one sentence are: a question from where it begins to ask."""
        clauses: list[_Clause] = []
        asks = self.text[bounds[-1] - 1 : bounds[-1]] == "?"
        asked = carried = False
        for start, end in pairwise(bounds):
            words = self.text[start : min(end - 1, start + _CLAUSE)]
            asked = asked or (asks and bool(_ASKS_EN.search(words)))
            past = self._may_be_past and bool(_PAST.search(words)) and not _STILL.search(words)
            supposed = self._may_suppose and bool(_IF_ZH.search(words))
            clauses.append(_Clause(asked or supposed, past or carried))
            # "Last year, the boiler exploded": a mere date speaks for what follows.
            carried = past and len(words.strip()) <= _DATE
        return clauses

    @cached_property
    def _may_be_past(self) -> bool:
        return any(each in self.text for each in _MAY_PAST)

    @cached_property
    def _may_suppose(self) -> bool:
        return not self.text.isascii() and any(each in self.text for each in _MAY_IF_ZH)


def denied(before: str) -> bool:
    """Whether what stands before a word in its clause says that it is not so."""
    zh = not before.isascii() and _MAY_NOT_ZH.search(before) and _NOT_ZH.search(before)
    return bool(zh or (_MAY_NOT_EN.search(before) and _NOT_EN.search(before)))
