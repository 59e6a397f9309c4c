"""Promises that say the same, and what nothing is promised to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final, get_args

from shared.events.terms import Channel, Severity
from sla_monitor.policies.lint.finding import Finding, warning
from sla_monitor.policies.rules import About, Policy, Promise, When

ABOUT: Final[tuple[About, ...]] = get_args(About)


def lint_coverage(policy: Policy) -> Iterator[Finding]:
    """What is promised twice, and what not at all."""
    numbered = [(number, each) for number, each in enumerate(policy.promises) if each.enabled]
    for (_, first), (number, second) in combinations(numbered, 2):
        if _say_the_same(first, second):
            yield warning("overlap", "promises", number, promise=second.code, other=first.code)
    for about in ABOUT:
        yield from _bare(policy, about)


def _say_the_same(first: Promise, second: Promise) -> bool:
    return (
        first.about == second.about
        and {*first.starts} == {*second.starts}
        and {*first.stops} == {*second.stops}
        and any(_meet(one.when, other.when) for one in first.cases for other in second.cases)
    )


def _meet(one: When, other: When) -> bool:
    """Whether some facts meet both."""
    return all({*one[name]} & {*other[name]} for name in one.keys() & other.keys())


def _bare(policy: Policy, about: About) -> Iterator[Finding]:
    """The kinds of subjects that are left out, each as short as it can be said."""
    kinds = list(_kinds(about))
    left_out = [facts for facts in kinds if not policy.covers(about, facts)]
    if len(left_out) == len(kinds):
        yield warning("uncovered_altogether", "promises", about=about)
        return
    for facts in left_out:
        shorter = {name: value for name, value in facts.items() if name != "same_city"}
        both = [each for each in left_out if {**each, **shorter} == each]
        if len(both) == 1 or facts == both[0]:
            said = facts if len(both) == 1 else shorter
            named = ", ".join(f"{name} {value}" for name, value in said.items())
            yield warning("uncovered", "promises", about=about, facts=named)


def _kinds(about: About) -> Iterator[dict[str, Any]]:
    match about:
        case "ticket":
            for severity in get_args(Severity):
                yield from ({"severity": severity, "same_city": near} for near in (True, False))
        case "request":
            yield from ({"channel": channel} for channel in get_args(Channel))
        case "call":
            yield {}
