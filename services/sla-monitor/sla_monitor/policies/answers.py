"""The forms in which policies are asked about and told over HTTP."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field
from pydantic_core import PydanticCustomError

from shared.events.terms import Code, Note
from shared.http.strict import pointer
from shared.i18n import N_
from shared.i18n.catalogues import load
from shared.sent import Sent
from sla_monitor.clocks.answers import IntervalShown
from sla_monitor.policies.lint import Finding, Level, say
from sla_monitor.policies.preview import Foreseen
from sla_monitor.policies.rules import About, Policy, Role, is_countable
from sla_monitor.policies.store import Version

_CHINESE: Final = load(Path(__file__).parent.parent, "zh-CN").gettext
EXAMPLE: Final = {"severity": "urgent", "same_city": True}


class VersionShown(BaseModel):
    """A version of the policy; what begins from `valid_from` on obeys it."""

    version: int
    valid_from: datetime
    source: str = Field(examples=["shipped"])
    made_by: str | None
    made_at: datetime
    note: str

    @classmethod
    def of(cls, version: Version) -> VersionShown:
        return cls(**{name: getattr(version, name) for name in cls.model_fields})


class PolicyShown(VersionShown):
    """A version with all its promises."""

    policy: Policy

    @classmethod
    def with_policy(cls, version: Version, policy: Policy) -> PolicyShown:
        return cls(policy=policy, **VersionShown.of(version).model_dump())


class Draft(Sent):
    """A policy that nobody has been promised yet."""

    policy: Policy


class Publication(Draft):
    """A policy that is to be the next version."""

    valid_from: AwareDatetime | None = Field(default=None, description="Now, if it is not said.")
    note: Note = Field(default="", description="Why; kept with the version.")
    accept_warnings: bool = Field(default=False, description="That what the linter doubts is meant.")


class Said(BaseModel):
    """A sentence in both languages."""

    en: str
    zh: str = Field(serialization_alias="zh-CN")


class FindingShown(BaseModel):
    """One thing wrong with a policy: an error refuses it, a warning has to be accepted."""

    level: Level
    code: str = Field(examples=["never_starts"])
    pointer: str = Field(description="JSON pointer within the policy.", examples=["/promises/3/starts"])
    sentence: Said
    way_out: Said

    @classmethod
    def of(cls, finding: Finding) -> FindingShown:
        (en, en_out), (zh, zh_out) = say(finding, str), say(finding, _CHINESE)
        return cls(
            level=finding.level,
            code=finding.code,
            pointer=pointer(finding.path),
            sentence=Said(en=en, zh=zh),
            way_out=Said(en=en_out, zh=zh_out),
        )


class Findings(BaseModel):
    """What the linter says, errors first."""

    findings: list[FindingShown]


def _countable(instant: datetime) -> datetime:
    if not is_countable(instant):
        raise PydanticCustomError("uncountable", N_("Nothing is counted from a year so far away"))
    return instant


Countable = Annotated[datetime, AfterValidator(_countable)]


class Trial(Sent):
    """Somebody who might be promised something: what is it about, when does it begin, what is known of it."""

    start: Annotated[AwareDatetime, AfterValidator(_countable)]
    about: About
    facts: dict[Code, str | bool] = Field(default={}, max_length=50, examples=[EXAMPLE])
    policy: Policy | None = Field(default=None, description="The newest version, if it is not said.")


class StepShown(BaseModel):
    """Whom the ladder would tell, and when."""

    at: int = Field(description="Percent of the time; 100 is the breach.")
    minutes_after: int
    instant: datetime
    tell: tuple[Role, ...]


class ForeseenShown(BaseModel):
    """What one promise would give; without a deadline, nothing."""

    promise: str
    requirement: str | None = None
    rule: str | None = None
    measure: str | None = None
    allowance: float | None = Field(default=None, description="Seconds.")
    deadline: datetime | None = None
    intervals: list[IntervalShown] = []
    steps: list[StepShown] = []

    @classmethod
    def of(cls, foreseen: Foreseen) -> ForeseenShown:
        clock = foreseen.clock
        if clock is None:
            return cls(promise=foreseen.promise.code)
        steps = [
            StepShown(at=step.at, minutes_after=step.minutes_after, instant=instant, tell=step.tell)
            for step, instant in foreseen.steps
        ]
        return cls(
            promise=clock.promise,
            requirement=clock.requirement,
            rule=clock.rule,
            measure=clock.measure,
            allowance=clock.allowance.total_seconds(),
            deadline=clock.deadline,
            intervals=[IntervalShown.of(each) for each in foreseen.intervals],
            steps=steps,
        )


class Preview(BaseModel):
    """What would be promised, promise by promise; `covered` says whether anything is, now or later."""

    calendar: str
    covered: bool
    clocks: list[ForeseenShown]
