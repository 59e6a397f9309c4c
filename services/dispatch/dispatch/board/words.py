"""Verdicts in words that a dispatcher understands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from dispatch.assignment.words import Finding, said
from dispatch.board.fit import Fit, Verdict
from dispatch.organisation.roster import day_of
from shared.i18n import gettext
from shared.i18n.language import current_language

TONES: Final[Mapping[Verdict, str]] = {
    "fits": "good",
    "late": "important",
    "lacks_parts": "important",
    "refused": "urgent",
    "holds": "plain",
}


def at(instant: datetime, now: datetime) -> str:
    """The time, with its day where that is another one."""
    language = current_language()
    return language.time(instant) if day_of(instant) == day_of(now) else language.moment(instant)


def told(fit: Fit, now: datetime) -> str:
    """The verdict on somebody in a few words."""
    there = at(fit.arrives_at, now) if fit.arrives_at else ""
    match fit.verdict:
        case "fits":
            return gettext("Fits, there {at}").format(at=there)
        case "late":
            assert fit.late_by is not None
            return gettext("{late} late, there {at}").format(late=_length(fit), at=there)
        case "lacks_parts":
            if fit.lacking and fit.lacking.until:
                return gettext("Lacks parts until {at}").format(at=at(fit.lacking.until, now))
            return gettext("Lacks parts; nobody knows until when")
        case "refused":
            first, *more = fit.objections
            more_said = f" (+{len(more)})" if more else ""
            return gettext("Refused: {said}").format(said=phrase(first)) + more_said
    return gettext("Has it already")


def _length(fit: Fit) -> str:
    assert fit.late_by is not None
    return current_language().duration(fit.late_by)


def phrase(finding: Finding) -> str:
    """One thing that was found."""
    return said(finding.rule, finding.facts, gettext)


def reason(fit: Fit, now: datetime) -> str:
    """What is offered as the reason for choosing somebody."""
    if fit.objections:
        return gettext("Chosen on the board all the same")
    return gettext("Chosen on the board: {verdict}").format(verdict=told(fit, now))[:500]
