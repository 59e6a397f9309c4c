"""JSON of others, taken as far as it can be: what is odd in one message must not lose those beside it.

Our own callers are held to `shared.http.strict`, and told what is wrong. A provider heeds no such answer: it
sends the same again, then gives up. So a lone surrogate or U+0000 in a text becomes U+FFFD, and of two equal
keys the last counts; only what is no JSON, or made to exhaust us, is unreadable.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from shared.errors import AftercareError

DEEPEST: Final = 32  # levels; what providers send has about twelve
MOST_PIECES: Final = 300_000  # brackets and commas; a batch of a thousand messages has about 40,000

LOST: Final = "\ufffd"
"""What stands where a character cannot be stored."""

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


class Unreadable(AftercareError):
    """What came is signed, but nothing that this channel sends."""


def parse(raw: bytes) -> Any:
    """The value of a JSON text, all of whose strings can be stored. Raises `Unreadable`."""
    if sum(raw.count(each) for each in (b"[", b"{", b",")) > MOST_PIECES:
        raise Unreadable
    try:
        return _cleaned(_DECODER.decode(raw.decode("utf-8-sig")), DEEPEST)
    except (ValueError, RecursionError):  # what is no UTF-8 too
        raise Unreadable from None


def storable(text: str) -> str:
    """The same with U+FFFD for what neither PostgreSQL nor UTF-8 has room for."""
    return _UNSTORABLE.sub(LOST, text)


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError
    return number


def _refuse(_: str) -> NoReturn:
    raise ValueError


_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse, strict=False)


def _cleaned(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict | list) and not levels:
        raise ValueError
    if isinstance(value, dict):
        return {storable(key): _cleaned(each, levels - 1) for key, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each, levels - 1) for each in value]
    return value
