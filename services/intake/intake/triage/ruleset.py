"""Rules as data: what a version of them may say, and the form in which they judge.

A version is shipped in the folder `shipped`; an admin may publish others. Words are words, never patterns:
text is found as it stands, so that no rule can be slow.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints

from intake.triage.text import fold
from shared.events.terms import Code, Kind, Severity
from shared.sent import Sent

LIST: Final = "@"
"""Begins the name of a list among words."""
FIRST_PUBLISHED: Final = 1000
"""Versions below are shipped with the software, from here on they are published by an admin."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=60, strip_whitespace=True)]
Words = Annotated[tuple[Word, ...], Field(max_length=400)]
Family = Annotated[str, StringConstraints(pattern=r"^[a-z_]{2,40}$")]


class Rule(Sent):
    """Words, and what follows from them where they are meant so; `@name` stands for the words of a list.

    words      a `*` in the end stands for any ending of an English word: `leak*`
    near       at least one of these has to stand in the same clause; none named: anything may
    along      at least one of these has to stand anywhere in the text: a leak and, elsewhere, a socket
    then       at least one of these has to follow in the same clause, after at most `within` characters
    unless     phrases in which the words mean something else: "fire" in "fire sale"
    anywhere   counts also when denied, asked or past: "no power" is about power
    hazard     a danger: nothing lowers it, and where it is denied that is kept as a reason
    caps       the gravest that remains, hazards excepted: "one of three", "still runs"
    lifts      one tier more for trouble that is important: the customer says that it is urgent
    settles    what was said before is over: "is fixed"
    last       counts only where no other rule decides anything and nothing is asked: a product is told of
    over_fault this kind stays although there is trouble: who complains complains
    """

    model_config = ConfigDict(frozen=True)

    name: Code
    words: Annotated[Words, Field(min_length=1)]
    near: Words = ()
    along: Words = ()
    then: Words = ()
    within: Annotated[int, Field(ge=0, le=120)] = 16
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
    last: bool = False
    over_fault: bool = False


class Draft(Sent):
    """Rules that are no version yet; kinds are decided by the first rule that matches, in their order.

    base_hours  what a request of each kind usually takes; what rules add comes on top
    lists       words by name, for rules to share: what cannot be, what products do, who must not wait
    """

    model_config = ConfigDict(frozen=True)

    note: Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)] = ""
    base_hours: dict[Kind, Annotated[float, Field(ge=0, le=80)]]
    lists: Annotated[dict[Code, Words], Field(max_length=100, default_factory=dict)]
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

    def words_of(self, words: Words) -> Iterator[str]:
        """The words themselves, with those of the lists they name; of a list that is not there, none."""
        for word in words:
            yield from self.lists.get(word[1:], ()) if word.startswith(LIST) else (word,)


@cache
def shipped() -> RuleSet:
    """The rules that came with this version of the software: a head that names the files, in their order."""
    head = _read("rules")
    parts = [_read(name) for name in head.pop("files")]
    lists = {name: words for part in parts for name, words in part.get("lists", {}).items()}
    rules = [rule for part in parts for rule in part.get("rules", ())]
    return RuleSet.model_validate({**head, "lists": lists, "rules": rules})


def _read(name: str) -> dict[str, Any]:
    file = files("intake.triage").joinpath("shipped").joinpath(f"{name}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


_SPACES: Final = re.compile(r"\s+")


def looked_for(word: str) -> str:
    """A rule's word in the form of the texts it is looked for in."""
    return _SPACES.sub(" ", fold(word))
