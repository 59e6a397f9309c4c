"""What the linter says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from shared.i18n import N_, gettext
from sla_monitor.policies.words import ABOUT

Level = Literal["error", "warning"]
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one part of a policy; an error refuses it, a warning asks whether it is meant.

    path   of the part, within the policy
    facts  what the sentence names
    """

    level: Level
    code: str
    path: Path
    facts: Mapping[str, Any] = field(default_factory=dict)


def error(code: str, *path: str | int, **facts: Any) -> Finding:
    return Finding("error", code, path, facts)


def warning(code: str, *path: str | int, **facts: Any) -> Finding:
    return Finding("warning", code, path, facts)


def say(finding: Finding, translate: Callable[[str], str] = gettext) -> tuple[str, str]:
    """What is wrong, and the way out."""
    facts = {
        name: translate(ABOUT[value]) if name in ("about", "its") else value
        for name, value in finding.facts.items()
    }
    sentence, way_out = SENTENCES[finding.code]
    return translate(sentence).format(**facts), translate(way_out).format(**facts)


SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    "unknown_event": (
        N_("Nobody publishes an event {event}."),
        N_("Choose one of the events that there are."),
    ),
    "unheard_event": (
        N_("The event {event} is published, but the clocks do not hear of it."),
        N_("Choose an event that is part of the history of tickets, requests or calls."),
    ),
    "event_of_another_subject": (
        N_("{event} happens to {its}; this promise is about {about}."),
        N_("Choose an event of the same subject, or change what the promise is about."),
    ),
    "never_starts": (
        N_("The promise {promise} can never start."),
        N_("Name at least one starting event that can happen and is not excluded by “unless”."),
    ),
    "never_stops": (
        N_("The promise {promise} can never be kept."),
        N_("Name an event that keeps it and is not the one that starts it anew."),
    ),
    "stops_with_its_start": (
        N_("What starts the promise {promise} also keeps it."),
        N_("Take the event out of one of the two, or promise it anew with every start."),
    ),
    "keeps_and_cancels": (
        N_("{event} keeps the promise and cancels it; keeping wins."),
        N_("Take the event out of one of the two."),
    ),
    "pause_never_ends": (
        N_("Once paused, the clock of {promise} stands for ever."),
        N_("Name an event that ends the pause, other than those that end the clock."),
    ),
    "pause_begins_with_start": (
        N_("The pause begins with {event}, which starts the clock."),
        N_("Begin the pause with an event that comes later."),
    ),
    "pause_after_the_end": (
        N_("The pause begins with {event}, which ends the clock."),
        N_("Remove the pause, or begin it with an earlier event."),
    ),
    "promises_nothing": (
        N_("This case promises nothing, neither in working time nor outside of it."),
        N_("Give it a time for one of the two, or remove the case."),
    ),
    "carry_of_nothing": (
        N_("There is nothing to carry over: in working time no span of time is promised."),
        N_("Promise a span of time in working hours, or leave out carrying over."),
    ),
    "unknown_fact": (
        N_("No event about {about} tells {fact}."),
        N_("Ask for one of these: {known}."),
    ),
    "impossible_value": (
        N_("{fact} is never {value}."),
        N_("Choose among these: {known}."),
    ),
    "unreachable_case": (
        N_("This case is never reached: an earlier one fits whatever it fits."),
        N_("Move it before that one, or remove it."),
    ),
    "unreachable_target": (
        N_("The calendar {calendar} has too little working time: {hours} h are not reached within a year."),
        N_("Promise less, by the wall clock, or give the calendar more hours."),
    ),
    "unreachable_step": (
        N_("Of {seconds} seconds, the steps at {before} and {at} percent are less than a second apart."),
        N_("Remove one of the two steps."),
    ),
    "nobody_is_told": (
        N_("Nobody is told when the promise {promise} is broken."),
        N_("Add a step at 100 percent."),
    ),
    "unknown_calendar": (
        N_("There is no calendar {calendar}."),
        N_("Make it first, or name one of these: {known}."),
    ),
    "never_open": (
        N_("The calendar {calendar} has no working time in the coming year."),
        N_("Give at least one day of its week a window."),
    ),
    "overlap": (
        N_("The promises {promise} and {other} promise the same to the same."),
        N_("Switch one of them off, or tell their cases apart."),
    ),
    "uncovered": (
        N_("Nothing is promised to {about} with {facts}."),
        N_("Add a case for it, or say that nothing is promised on purpose."),
    ),
    "uncovered_altogether": (
        N_("Nothing at all is promised to {about}."),
        N_("Add a promise, or say that nothing is promised on purpose."),
    ),
}
