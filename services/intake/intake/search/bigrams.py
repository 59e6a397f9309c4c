"""What a text can be found by: pairs of Chinese characters, and whole words of other scripts (decision 23).

Trigram search cannot find a word of two characters, and most Chinese words have two. So each run of
characters gives every pair of neighbours; what is searched for gives the same, and a text that has all of
them is found. Stored as `text[]` under a GIN index: `grams @> ARRAY[…]`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any, Final

READ: Final = 20_000  # characters of a text; what comes later is quoted, or a novel
LONGEST_WORD: Final = 40  # characters; what is longer is cut, in the text and in the query alike

_HAN: Final = "\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
_RUNS: Final = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_IS_HAN: Final = re.compile(rf"[{_HAN}]")


def grams(text: str) -> list[str]:
    """What `text` is found by, sorted, each once: `["am12", "空调", "调漏", "漏水"]` of "AM12 空調漏水".

    Width and case are folded and traditional characters written as simplified ones. A character that stands
    alone is a gram of its own.
    """
    found: set[str] = set()
    for run in _RUNS.findall(_folded(text[:READ])):
        if _IS_HAN.match(run):
            found.update(run[at : at + 2] for at in range(max(1, len(run) - 1)))
        else:
            found.add(run[:LONGEST_WORD])
    return sorted(found)


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _simplifier().convert(folded) if _IS_HAN.search(folded) else folded


@cache
def _simplifier() -> Any:
    """Loaded with the first Chinese text: 6 MB, which a process that searches nothing need not have."""
    from opencc import OpenCC

    return OpenCC("t2s")
