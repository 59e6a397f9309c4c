"""What the doors of triage take and give."""

from __future__ import annotations

import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from intake.triage.actions import Change
from intake.triage.ruleset import Draft, RuleSet
from intake.triage.store import Tally
from shared.events.terms import Kind, Severity
from shared.logs import redact
from shared.sent import Sent


class VersionShown(BaseModel):
    """One published version."""

    version: int
    published_at: datetime.datetime
    by: str
    note: str


class RulesShown(RuleSet):
    """The rules of one version, and which versions were published here, the newest first."""

    published: list[VersionShown]


class Trial(Sent):
    """Rules to try on the newest requests; nothing is changed."""

    rules: Draft
    recent: Annotated[int, Field(ge=1, le=500)] = 100


class ChangeShown(BaseModel):
    """A request that would be judged otherwise; no contact data."""

    request_id: UUID
    title: str
    kind: str
    severity: str
    kind_then: Kind
    severity_then: Severity
    reasons_then: list[str]

    @staticmethod
    def of(change: Change) -> ChangeShown:
        told, verdict = change.told, change.verdict
        return ChangeShown(
            request_id=told.request_id,
            title=redact(told.title),
            kind=told.kind,
            severity=told.severity,
            kind_then=verdict.kind,
            severity_then=verdict.severity,
            reasons_then=[f"{each.rule}: {each.word}" for each in verdict.reasons],
        )


class TrialShown(BaseModel):
    """How many requests were judged anew, and what would change."""

    judged: int
    changes: list[ChangeShown]


class TallyShown(BaseModel):
    """How often a rule hit, and what persons made of the judgements it took part in.

    overruled = other_kind, or raised to a graver severity, or lowered to a milder one;
    share = overruled / hits.
    """

    version: int | None
    rule: str
    hits: int
    overruled: int
    raised: int
    lowered: int
    other_kind: int
    share: float

    @staticmethod
    def of(tally: Tally) -> TallyShown:
        counts = {name: getattr(tally, name) for name in Tally.__slots__}
        return TallyShown(**counts, share=round(tally.overruled / tally.hits, 4))


class Report(BaseModel):
    """What the rules did since `since`: per version as a whole, and per version and rule.

    Judgements made before versions were kept have none.
    """

    since: datetime.datetime
    versions: list[TallyShown]
    rules: list[TallyShown]

    @staticmethod
    def of(since: datetime.datetime, tallies: list[Tally]) -> Report:
        shown = [TallyShown.of(each) for each in tallies]
        return Report(
            since=since,
            versions=[each for each in shown if not each.rule],
            rules=[each for each in shown if each.rule],
        )
