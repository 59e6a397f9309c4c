"""Rules as data: what a version of them may say, and the form in which they judge.

A version is shipped in `shipped.toml`; an admin may publish others. Words are words, never patterns: text is
found as it stands, so that no rule can be slow.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

from pydantic import ConfigDict, Field, StringConstraints

from intake.triage.text import fold
from shared.events.terms import Code, Kind, Severity
from shared.sent import Sent

FIRST_PUBLISHED: Final = 1000
"""Versions below are shipped with the software, from here on they are published by an admin."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
Words = Annotated[tuple[Word, ...], Field(max_length=400)]
Family = Annotated[str, StringConstraints(pattern=r"^[a-z_]{2,40}$")]


class Rule(Sent):
    """Words, and what follows from them where they are meant so.

    words      a `*` in the end stands for any ending of an English word: `leak*`
    near       at least one of these has to stand in the same clause; none named: anything may
    unless     phrases in which the words mean something else: "fire" in "fire sale"
    anywhere   counts also when denied, asked or past: "no power" is about power
    hazard     a danger: nothing lowers it, and where it is denied that is kept as a reason
    caps       the gravest that remains, hazards excepted: "one of three", "still runs"
    lifts      one tier more for trouble that is important: the customer says that it is urgent
    settles    what was said before is over: "is fixed"
    over_fault this kind stays although there is trouble: who complains complains
    """

    model_config = ConfigDict(frozen=True)

    name: Code
    words: Annotated[Words, Field(min_length=1)]
    near: Words = ()
    unless: Words = ()
    severity: Severity | None = None
    kind: Kind | None = None
    skill: Family | None = None
    part: Family | None = None
    hours: Annotated[float, Field(gt=0, le=80)] | None = None
    anywhere: bool = False
    hazard: bool = False
    caps: Severity | None = None
    lifts: bool = False
    settles: bool = False
    over_fault: bool = False


class Draft(Sent):
    """Rules that are no version yet; kinds are decided by the first rule that matches, in their order.

    base_hours  what a request of each kind usually takes; what rules add comes on top
    """

    model_config = ConfigDict(frozen=True)

    note: Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)] = ""
    base_hours: dict[Kind, Annotated[float, Field(ge=0, le=80)]]
    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=200)]


class RuleSet(Draft):
    """One version of the rules."""

    version: Annotated[int, Field(ge=1, le=1_000_000)]
    date: datetime.date

    @staticmethod
    def of(draft: Draft, version: int, day: datetime.date) -> RuleSet:
        return RuleSet(
            version=version, date=day, **{name: getattr(draft, name) for name in Draft.model_fields}
        )


@cache
def shipped() -> RuleSet:
    """The rules that came with this version of the software."""
    text = files("intake.triage").joinpath("shipped.toml").read_text(encoding="utf-8")
    return RuleSet.model_validate(tomllib.loads(text))


_SPACES: Final = re.compile(r"\s+")


def looked_for(word: str) -> str:
    """A rule's word in the form of the texts it is looked for in."""
    return _SPACES.sub(" ", fold(word))
