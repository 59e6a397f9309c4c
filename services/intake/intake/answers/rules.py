"""What an answer template may say in braces, and what stands there once it is chosen. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from shared.errors import AftercareError
from shared.i18n.language import Language

Spoken = Literal["zh", "en"]

PLACEHOLDERS: Final = ("name", "number", "title", "promised", "link")
"""The customer's name, the request's number and title, by when an answer is promised, the progress page."""
LONGEST_TITLE: Final = 100
LONGEST_BODY: Final = 10_000

_BRACES: Final = re.compile(r"\{([^{}]*)\}|[{}]")
_NOBODY: Final = "—"
_NAMELESS: Final = {"zh": "客户", "en": "there"}
_SOON: Final = {"zh": "会尽快", "en": "as soon as we can"}
_BY: Final = {"zh": "将在{}前", "en": "by {}"}
_TAGS: Final = {"zh": "zh-CN", "en": "en"}


class TitleTaken(AftercareError):
    """There is a template of this title in this language already; give it another one, or change that."""

    kind = "conflict"


class NoSuchTemplate(AftercareError):
    """There is no such answer template here."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Words:
    """A template as somebody wrote it."""

    language: Spoken
    title: str
    body: str
    owner: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something in braces that nothing can be put in for: what is written, and where, from 1."""

    written: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the request that a template is filled for; `until` is of its first reply."""

    name: str
    number: str
    title: str
    link: str
    until: datetime | None


def unknown_placeholders(body: str) -> Iterator[Unknown]:
    """What would stand in an answer as it is: names that are not known, and braces without a partner."""
    for found in _BRACES.finditer(body):
        if found[1] in PLACEHOLDERS:
            continue
        before = body[: found.start()]
        yield Unknown(found[0], before.count("\n") + 1, found.start() - before.rfind("\n"))


def promise_that_holds(until: datetime | None, answered: bool, now: datetime) -> datetime | None:
    """Until when a customer may still be told an answer is promised: not once it was given or is late."""
    return None if answered or until is None or until <= now else until


def filled(body: str, language: Spoken, facts: Facts) -> str:
    """The text of an answer. What is put in is not looked at again: a title may hold braces."""
    return _BRACES.sub(lambda found: values(language, facts).get(found[1] or "", found[0]), body)


def values(language: Spoken, facts: Facts) -> Mapping[str, str]:
    """What each placeholder stands for, in the template's language."""
    promised = _SOON[language]
    if facts.until is not None:
        promised = _BY[language].format(Language(_TAGS[language]).moment(facts.until))
    return {
        "name": facts.name if facts.name not in ("", _NOBODY) else _NAMELESS[language],
        "number": facts.number,
        "title": facts.title,
        "promised": promised,
        "link": facts.link,
    }
