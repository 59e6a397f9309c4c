"""What is wrong with a policy, before it is promised to anybody: pure, and in both languages.

finding   what the linter says, and of which part
events    promises that never begin, never end or stand for ever
targets   cases that nobody meets, times that cannot be had, ladders that lead nowhere
coverage  promises that say the same, and what nothing is promised to
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sla_monitor.calendars.rules import Calendar
from sla_monitor.policies.lint.coverage import lint_coverage
from sla_monitor.policies.lint.events import lint_events
from sla_monitor.policies.lint.finding import Finding, Level, say
from sla_monitor.policies.lint.targets import lint_calendars, lint_targets, lint_when
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.vocabulary import Vocabulary

__all__ = ["Finding", "Level", "lint", "say"]


def lint(
    policy: Policy, vocabulary: Vocabulary, calendars: Mapping[str, Calendar], now: datetime
) -> tuple[Finding, ...]:
    """The findings, errors first; `calendars` are those that would count from `now` on."""
    findings = [*lint_calendars(policy, calendars, now)]
    for number, promise in enumerate(policy.promises):
        findings += lint_events(number, promise, vocabulary)
        findings += lint_targets(number, promise, vocabulary, _counting(policy, calendars), now)
    for number, left_out in enumerate(policy.exempt):
        findings += lint_when(("exempt", number, "when"), left_out.when, left_out.about, vocabulary)
    findings += lint_coverage(policy)
    return tuple(sorted(findings, key=lambda each: each.level))


def _counting(policy: Policy, calendars: Mapping[str, Calendar]) -> Mapping[str, Calendar]:
    named = {policy.calendar, *policy.regional.values()}
    return {name: calendar for name, calendar in calendars.items() if name in named}
