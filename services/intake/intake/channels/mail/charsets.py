"""Bytes with a label into text: labels lie."""

from __future__ import annotations

import re
from typing import Final

# What senders write on the label, and what is in the tin.
_MEANT: Final = {"gb2312": "gb18030", "gbk": "gb18030", "x-gbk": "gb18030", "big5": "big5hkscs"}
# Their bytes are ASCII, so that they would pass for UTF-8.
_SEVEN_BIT: Final = frozenset({"hz-gb-2312", "iso-2022-jp", "iso-2022-jp-2", "iso-2022-kr", "utf-7"})
# They take a time that grows with the square of the length, or make more of the bytes than they are.
_NO_CHARSETS: Final = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined"})
_UNSTORABLE: Final = re.compile(r"[\x00\ud800-\udfff]")


def decoded(payload: bytes, label: str | None) -> str:
    """UTF-8 when it is that, else what the label means, else what is common here."""
    named = (label or "").strip().lower()[:40]
    meant = _MEANT.get(named, named)
    if meant.replace("-", "_") in _NO_CHARSETS:
        meant = "utf-8"
    for charset in (meant, "utf-8") if named in _SEVEN_BIT else ("utf-8", meant, "gb18030"):
        try:
            return payload.decode(charset)
        except (ValueError, LookupError):  # not only UnicodeDecodeError: labels name the strangest codecs
            continue
    return payload.decode("utf-8", errors="replace")


def storable(text: str) -> str:
    """Without what PostgreSQL cannot keep."""
    return _UNSTORABLE.sub("\ufffd", text)
