"""What is wrong with a draft of rules before it judges anybody's request. Pure.

Words are no patterns, so none can be slow; what remains are rules that say nothing, or two things at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, get_args

from intake.triage.ruleset import LIST, Draft, Rule, Words, looked_for
from shared.events.terms import Kind
from shared.i18n import N_, gettext


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and where: `path` leads into the draft; `named` is what the sentence names."""

    code: str
    path: tuple[str | int, ...]
    named: Mapping[str, str] = field(default_factory=dict)

    def say(self) -> str:
        """In the reader's language."""
        return gettext(SENTENCES[self.code]).format(**self.named)


_FIELDS: Final = ("words", "near", "along", "then", "unless")
SENTENCES: Final[Mapping[str, str]] = {
    "kind_missing": N_("Say how long these kinds take: {kinds}."),
    "no_danger": N_("Without a rule for dangers that are urgent nothing keeps people safe."),
    "name_taken": N_("Each rule needs a name of its own, without a dot."),
    "no_effect": N_("This rule decides nothing."),
    "danger_not_urgent": N_("A danger is urgent."),
    "word_twice": N_("“{word}” stands in this list already."),
    "word_too_short": N_("“{word}” would be found in nearly every text."),
    "star_within": N_("In “{word}” a * may only stand in the end."),
    "no_such_list": N_("Nothing is called {word} here; a list holds words only."),
    "contradiction": N_("“{word}” decides otherwise in the rule {rule}."),
}


def lint(draft: Draft) -> list[Finding]:
    """Everything that is wrong; nothing is published that has a finding."""
    return [*_whole(draft), *_lists(draft), *_rules(draft), *_contradictions(draft)]


def _whole(draft: Draft) -> Iterator[Finding]:
    missing = [kind for kind in get_args(Kind) if kind not in draft.base_hours]
    if missing:
        yield Finding("kind_missing", ("base_hours",), {"kinds": ", ".join(missing)})
    if not any(rule.severity == "urgent" and rule.hazard for rule in draft.rules):
        yield Finding("no_danger", ("rules",))


def _lists(draft: Draft) -> Iterator[Finding]:
    for name, words in draft.lists.items():
        yield from _list(words, ("lists", name))
    for path, words in _every_list(draft):
        for number, word in enumerate(words):
            if word.startswith(LIST) and (path[0] == "lists" or word[1:] not in draft.lists):
                yield Finding("no_such_list", (*path, number), {"word": word})


def _every_list(draft: Draft) -> Iterator[tuple[tuple[str | int, ...], Words]]:
    for name, words in draft.lists.items():
        yield ("lists", name), words
    for number, rule in enumerate(draft.rules):
        for field_name in _FIELDS:
            yield ("rules", number, field_name), getattr(rule, field_name)


def _rules(draft: Draft) -> Iterator[Finding]:
    names: set[str] = set()
    for number, rule in enumerate(draft.rules):
        path = ("rules", number)
        if rule.name in names or "." in rule.name:
            yield Finding("name_taken", (*path, "name"))
        names.add(rule.name)
        if not _does_something(rule):
            yield Finding("no_effect", path)
        if rule.hazard and rule.severity != "urgent":
            yield Finding("danger_not_urgent", (*path, "severity"))
        yield from _words(rule, path)


def _does_something(rule: Rule) -> bool:
    return any((rule.severity, rule.kind, rule.skill, rule.part, rule.caps, rule.lifts, rule.settles))


def _words(rule: Rule, path: tuple[str | int, ...]) -> Iterator[Finding]:
    for name in _FIELDS:
        yield from _list(getattr(rule, name), (*path, name))


def _list(words: Words, path: tuple[str | int, ...]) -> Iterator[Finding]:
    seen: set[str] = set()
    for number, word in enumerate(words):
        found, place = looked_for(word), (*path, number)
        if found in seen:
            yield Finding("word_twice", place, {"word": word})
        seen.add(found)
        if not _says_something(found):
            yield Finding("word_too_short", place, {"word": word})
        if "*" in found[:-1]:
            yield Finding("star_within", place, {"word": word})


def _says_something(word: str) -> bool:
    letters = [each for each in word if each.isalnum()]
    return len(letters) >= 2 or any(not each.isascii() for each in letters)


def _contradictions(draft: Draft) -> Iterator[Finding]:
    """A word on its own that means two severities or two kinds; where it needs others it depends on them."""
    first: dict[str, Rule] = {}
    for number, rule in enumerate(draft.rules):
        if rule.near or rule.along or rule.then or rule.last or not (rule.severity or rule.kind):
            continue
        for place, word in enumerate(rule.words):
            other = first.setdefault(looked_for(word), rule)
            if other.name != rule.name and _contradict(other, rule):
                named = {"word": word, "rule": other.name}
                yield Finding("contradiction", ("rules", number, "words", place), named)


def _contradict(one: Rule, other: Rule) -> bool:
    kinds = one.kind and other.kind and one.kind != other.kind
    severities = one.severity and other.severity and one.severity != other.severity
    return bool(kinds or severities)
