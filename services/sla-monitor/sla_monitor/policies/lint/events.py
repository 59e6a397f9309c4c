"""Promises that never begin, never end, or stand for ever."""

from __future__ import annotations

from collections.abc import Iterator

from sla_monitor.policies.lint.finding import Finding, Path, error, warning
from sla_monitor.policies.lint.targets import lint_when
from sla_monitor.policies.rules import AtCustomersWish, Promise, Waiting
from sla_monitor.policies.vocabulary import Vocabulary


def lint_events(number: int, promise: Promise, vocabulary: Vocabulary) -> Iterator[Finding]:
    """What is wrong with the events of the promise at place `number`."""
    here: Path = ("promises", number)
    for path, kind in _named(promise):
        yield from _event((*here, *path), kind, promise, vocabulary)
    yield from _beginning(here, promise, vocabulary)
    yield from _ending(here, promise, vocabulary)
    for place, rule in enumerate(promise.pauses):
        yield from _pause((*here, "pauses", place), rule, promise, vocabulary)


def _named(promise: Promise) -> Iterator[tuple[Path, str]]:
    """Every event a promise names, and where."""
    for name in ("starts", "unless", "stops", "cancels"):
        yield from (((name, place), kind) for place, kind in enumerate(getattr(promise, name)))
    for number, rule in enumerate(promise.pauses):
        match rule:
            case Waiting():
                for name in ("begins", "ends"):
                    for place, kind in enumerate(getattr(rule, name)):
                        yield ("pauses", number, name, place), kind
            case AtCustomersWish():
                yield ("pauses", number, "agreed"), rule.agreed


def _event(path: Path, kind: str, promise: Promise, vocabulary: Vocabulary) -> Iterator[Finding]:
    its = vocabulary.heard.get(kind)
    if kind not in vocabulary.known:
        yield error("unknown_event", *path, event=kind)
    elif its is None:
        yield error("unheard_event", *path, event=kind)
    elif its != promise.about:
        yield error("event_of_another_subject", *path, event=kind, its=its, about=promise.about)


def _beginning(here: Path, promise: Promise, vocabulary: Vocabulary) -> Iterator[Finding]:
    if not vocabulary.may_happen(promise.about, promise.starts) - set(promise.unless):
        yield error("never_starts", *here, "starts", promise=promise.code)


def _ending(here: Path, promise: Promise, vocabulary: Vocabulary) -> Iterator[Finding]:
    starts, stops, cancels = set(promise.starts), set(promise.stops), set(promise.cancels)
    possible = vocabulary.may_happen(promise.about, stops)
    # Of a promise that is made anew with every start, the last one must have an end too.
    if not possible or (promise.per == "start" and possible | cancels <= starts):
        yield error("never_stops", *here, "stops", promise=promise.code)
    elif promise.per != "start" and starts <= stops:
        yield error("stops_with_its_start", *here, "stops", promise=promise.code)
    elif promise.per != "start" and starts & stops:
        yield warning("stops_with_its_start", *here, "stops", promise=promise.code)
    for kind in sorted(stops & cancels):
        place = promise.cancels.index(kind)
        yield warning("keeps_and_cancels", *here, "cancels", place, event=kind)


def _pause(
    path: Path, rule: Waiting | AtCustomersWish, promise: Promise, vocabulary: Vocabulary
) -> Iterator[Finding]:
    begins = rule.begins if isinstance(rule, Waiting) else (rule.agreed,)
    endings = {*promise.stops, *promise.cancels}
    for kind in sorted({*begins} & {*promise.starts}):
        yield error("pause_begins_with_start", *path, event=kind)
    for kind in sorted({*begins} & endings):
        yield warning("pause_after_the_end", *path, event=kind)
    if isinstance(rule, Waiting):
        yield from lint_when((*path, "when"), rule.when, promise.about, vocabulary)
    if isinstance(rule, Waiting) and not vocabulary.may_happen(promise.about, rule.ends) - endings:
        yield error("pause_never_ends", *path, "ends", promise=promise.code)
