"""What speaks against somebody whom a person wants to choose, and that it is known before they are chosen.

The same jury that chooses by the rules says it. Nobody is kept from choosing somebody else: who does so names
what speaks against it, and it stands in the explanation, the history and the event (R20–R22, R38).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from dispatch.assignment.decisions import Candidate
from dispatch.assignment.judging import TIERS, Jury, needed_tier
from dispatch.assignment.staff import Job, Loads, Staff
from dispatch.assignment.words import Finding, said
from dispatch.organisation.rules import Person, Region
from shared.errors import AftercareError
from shared.i18n import gettext


class SpeaksAgainst(AftercareError):
    """This speaks against them: {said}. Name the codes of all that in `despite` to choose them anyway."""

    kind = "conflict"
    shown: ClassVar = ("objections", "version")


def objections(job: Job, person: Person, staff: Staff, loads: Loads) -> tuple[Finding, ...]:
    """Everything that speaks against giving `job` to `person`, which the rules would not do."""
    region = staff.answering(job.region)
    candidate = Jury(job, region, staff, loads).verdict(person)
    return against(job, person, candidate, region, staff)


def against(
    job: Job, person: Person, candidate: Candidate, region: Region, staff: Staff
) -> tuple[Finding, ...]:
    """The same of a verdict that is known."""
    found = candidate.findings if candidate.cost is None else ()
    if job.severity == "urgent" and _is_no_expert(person, region, staff):
        return (*found, Finding("below_tier"))
    return found


def _is_no_expert(person: Person, region: Region, staff: Staff) -> bool:
    """R22: the rules ask the group alone, so that the jury never meets anybody of a lower tier."""
    policy = staff.situation.policy
    if person.tier is None or "below_tier" in policy.softened:
        return False
    in_group = person.id in (region.emergency_leader, *region.emergency_experts)
    return not in_group and TIERS.index(person.tier) < TIERS.index(needed_tier("urgent", policy))


def require_known(found: Sequence[Finding], despite: Collection[str], version: int) -> None:
    """`SpeaksAgainst` unless whoever chooses named every objection there is now."""
    if all(each.rule in despite for each in found):
        return
    told = [{"code": each.rule, "detail": said(each.rule, each.facts, gettext)} for each in found]
    words = gettext("; ").join(each["detail"] for each in told)
    raise SpeaksAgainst(said=words, objections=told, version=version)
