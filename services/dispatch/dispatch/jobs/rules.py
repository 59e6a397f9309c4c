"""What each kind of job asks for: its checklist, how long it takes, how faults are called (R26, R28, R31)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import ConfigDict, Field, StringConstraints

from shared.errors import AftercareError
from shared.events.dispatch import JobKind
from shared.events.terms import Code, Kind
from shared.sent import Sent

JOB_KINDS: Final[tuple[JobKind, ...]] = get_args(JobKind)
JOB_FOR: Final[Mapping[Kind, JobKind]] = {
    "fault": "repair",
    "installation": "installation",
    "maintenance": "maintenance",
    "upgrade": "upgrade",
    "return_exchange": "return_pickup",
}
"""What a request asks for; of the others somebody has to look into it. People plan training by hand."""
OTHERWISE: Final[JobKind] = "inspection"
SHIPPED: Final = Path(__file__).parent / "shipped.json"

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class ChecklistIncomplete(AftercareError):
    """The checklist is not complete: {left}."""

    kind = "conflict"
    shown: ClassVar = ("missing",)


class _Part(Sent):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(_Part):
    """A few words in both languages."""

    zh: Words
    en: Words

    def said(self, language: str) -> str:
        return self.zh if language == "zh" else self.en


class Named(_Part):
    """A code and what it is called."""

    code: Code
    text: Text


class Item(Named):
    """One thing to do, or to make sure of.

    required  before the job is done
    where     it concerns work at the site, work from afar, or both
    """

    required: bool = True
    where: Literal["any", "on_site", "remote"] = "any"


class Job(_Part):
    """A kind of job; `planned_minutes` where the request was not estimated."""

    code: JobKind
    text: Text
    planned_minutes: Annotated[int, Field(ge=1, le=60 * 24 * 30)]
    items: Annotated[tuple[Item, ...], Field(max_length=100)] = ()


class Catalogue(_Part):
    """All kinds of jobs, each once, and the codes of faults and of their causes."""

    kinds: Annotated[tuple[Job, ...], Field(min_length=len(JOB_KINDS), max_length=len(JOB_KINDS))]
    faults: Annotated[tuple[Named, ...], Field(min_length=1, max_length=500)]
    causes: Annotated[tuple[Named, ...], Field(min_length=1, max_length=500)]

    def job(self, kind: JobKind) -> Job:
        return next(job for job in self.kinds if job.code == kind)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a catalogue: where, and what."""

    path: tuple[str | int, ...]
    detail: str
    code: str


def faults_of(catalogue: Catalogue) -> Iterator[Fault]:
    """Every code that stands twice in its list."""
    lists: dict[tuple[str | int, ...], Sequence[Named | Job]] = {
        ("kinds",): catalogue.kinds,
        ("faults",): catalogue.faults,
        ("causes",): catalogue.causes,
    }
    lists |= {("kinds", place, "items"): job.items for place, job in enumerate(catalogue.kinds)}
    for path, named in lists.items():
        seen: Counter[str] = Counter()
        for place, each in enumerate(named):
            seen[each.code] += 1
            if seen[each.code] == 2:
                yield Fault((*path, place, "code"), "this stands twice in the list", "repeated")


@cache
def shipped() -> Catalogue:
    """What every house begins with."""
    return Catalogue.model_validate_json(SHIPPED.read_text())


def job_for(kind: Kind) -> JobKind:
    """The kind of job that a kind of request asks for."""
    return JOB_FOR.get(kind, OTHERWISE)


def items_for(job: Job, *, on_site: bool) -> tuple[Item, ...]:
    """The part of the checklist that concerns work done there, or done from afar."""
    here = "on_site" if on_site else "remote"
    return tuple(item for item in job.items if item.where in ("any", here))


def missing(job: Job, ticked: Collection[str], *, on_site: bool) -> tuple[Item, ...]:
    """What has to be done before the job is (R26)."""
    asked = items_for(job, on_site=on_site)
    return tuple(item for item in asked if item.required and item.code not in ticked)
