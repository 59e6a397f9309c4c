"""The language somebody reads: messages, and how times, durations and money are written."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from gettext import NullTranslations
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision
from babel.units import format_unit

from shared.errors import AftercareError

ZONE: Final = ZoneInfo("Asia/Shanghai")
ZONE_NAMES: Final = {"zh-CN": "北京时间", "en": "Beijing time"}
"""What `ZONE` is called in a text that leaves the house, whose reader may live by another one."""
LANGUAGES: Final = {"zh-CN": "中文", "en": "English"}
"""Tag as in `<html lang>`, and the name that its own speakers look for."""


def day_of(instant: datetime) -> date:
    """The day it is where the house works: warranties, contracts and reviews end by it, whoever looks."""
    return instant.astimezone(ZONE).date()


# One member of Accept-Language (RFC 9110): primary subtag, quality.
_RANGE: Final = re.compile(r"\s*([A-Za-z]{1,8})(?:-[\w-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?))?\s*")
_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


@dataclass(frozen=True)
class Language:
    """One of `LANGUAGES` with the messages of one service."""

    tag: str
    messages: NullTranslations = field(default_factory=NullTranslations, repr=False, compare=False)

    @cached_property
    def locale(self) -> Locale:
        return Locale.parse(self.tag, sep="-")

    def date(self, instant: datetime) -> str:
        return format_date(instant.astimezone(ZONE), "medium", locale=self.locale)

    def day(self, instant: datetime) -> str:
        """The weekday first: among the days of a week or two it is what people go by."""
        pattern = "EEEE M月d日" if self.locale.language == "zh" else "EEEE d MMMM"
        return format_datetime(instant, pattern, tzinfo=ZONE, locale=self.locale)

    def time(self, instant: datetime) -> str:
        return format_time(instant, "HH:mm", tzinfo=ZONE, locale=self.locale)

    def moment(self, instant: datetime) -> str:
        """Day, time and weekday: a promise is read by people who plan their week."""
        pattern = "M月d日 EEE HH:mm" if self.locale.language == "zh" else "EEE d MMM, HH:mm"
        return format_datetime(instant, pattern, tzinfo=ZONE, locale=self.locale)

    def duration(self, length: timedelta) -> str:
        """The two largest units, cut and not rounded: a promise with 59 s left has no minute left."""
        seconds = int(abs(length).total_seconds())
        largest = next((at for at, (_, size) in enumerate(_UNITS) if seconds >= size), len(_UNITS) - 1)
        parts: list[str] = []
        for name, size in _UNITS[largest : largest + 2]:
            count, seconds = divmod(seconds, size)
            if count or not parts:
                parts.append(format_unit(count, f"duration-{name}", "short", locale=self.locale))
        return " ".join(parts)

    def number(self, value: float) -> str:
        return format_decimal(value, locale=self.locale)

    def percent(self, share: float) -> str:
        """`share` between 0 and 1, with one decimal."""
        return format_percent(share, "0.0%", locale=self.locale)

    def money(self, minor: int, currency: str) -> str:
        """`minor` units (fen, cents) of an ISO 4217 currency."""
        return format_currency(minor / 10 ** get_currency_precision(currency), currency, locale=self.locale)


_ENGLISH: Final = Language("en")
_speaking: ContextVar[Language] = ContextVar("language", default=_ENGLISH)


@contextmanager
def speaking(language: Language) -> Iterator[Language]:
    """Everything inside is written in `language`."""
    token = _speaking.set(language)
    try:
        yield language
    finally:
        _speaking.reset(token)


def current_language() -> Language:
    return _speaking.get()


def gettext(message: str) -> str:
    return _speaking.get().messages.gettext(message)


def ngettext(singular: str, plural: str, count: int) -> str:
    return _speaking.get().messages.ngettext(singular, plural, count)


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark `message` for translation where it is written; it is translated where it is shown."""
    return message


def explain(error: AftercareError) -> str:
    """What an error says, in the current language: its class's docstring is the message."""
    message = gettext(inspect.cleandoc(type(error).__doc__ or type(error).__name__))
    return message.format(**error.data)


def negotiate(chosen: str | None, accepted: str | None) -> str:
    """The tag to answer in: what the reader chose, else the best of `Accept-Language`, else English."""
    if chosen in LANGUAGES:
        return chosen
    best, weight = "en", 0.0
    for part in (accepted or "").split(",")[:20]:
        if (match := _RANGE.fullmatch(part)) is None:
            continue
        primary, quality = match[1].lower(), float(match[2] or 1)
        tag = next((tag for tag in LANGUAGES if tag.split("-")[0] == primary), None)
        if tag and quality > weight:
            best, weight = tag, quality
    return best
