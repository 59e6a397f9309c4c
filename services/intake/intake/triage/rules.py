"""What a request is about and how much it hurts, by explainable rules; safety words first (R05–R10).

The rules themselves are data: `ruleset` says what they may say, the folder `shipped` what they say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from intake.triage.ruleset import Rule, RuleSet, Words, looked_for, shipped
from intake.triage.search import LONGEST, Index, Place, Word
from intake.triage.text import Reading, Scope, fold
from shared.events.terms import Kind, Severity

RANK: Final[dict[Severity, int]] = {"general": 0, "important": 1, "urgent": 2}
_MOST_HOURS: Final = 80.0
_NEAR: Final = 120  # characters to either side within a clause
GAP: Final = " … "
"""Between two words that decided together; what stands between them in the text is not kept."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's finding: the word that decided as it stands in the folded text, and how it was meant."""

    rule: str
    word: str


@dataclass(frozen=True, slots=True)
class Triage:
    """What the rules decided, by which words, and by which version of the rules.

    difficulty  1 easy … 5 hard
    parts       families of parts that may be needed, such as `belt`: a guess, no stock numbers
    hours       of work, estimated
    """

    kind: Kind
    severity: Severity
    difficulty: int
    skills: tuple[str, ...]
    parts: tuple[str, ...]
    hours: float
    reasons: tuple[Verdict, ...]
    version: int


_Hit = tuple[int, str]
"""Where a word stands, and the word."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A rule in the form in which it is looked for: its lists by number, none where it has none."""

    rule: Rule
    words: int
    near: int | None
    along: int | None
    then: int | None
    unless: int | None


class _Found:
    """What of the rules' words stands in one text."""

    def __init__(self, text: str, rules: Rules) -> None:
        self.reading = Reading(text)
        self._rules = rules
        self._standing = rules.index.standing(text)
        self._lists: dict[int, list[Place]] = {}
        for word, places in self._standing.items():
            for number in rules.lists_of[word]:
                self._lists.setdefault(number, []).extend(places)
        for each in self._lists.values():
            if len(each) > 1:
                each.sort()

    def at_hand(self) -> list[_Compiled]:
        """The rules that have all they need somewhere in the text, in the order of the rules."""
        lists, by_list = self._lists, self._rules.by_list
        numbers = sorted([rule for each in lists if each in by_list for rule in by_list[each]])
        rules = [self._rules.compiled[number] for number in numbers]
        return [
            each
            for each in rules
            if (each.near is None or each.near in lists)
            and (each.then is None or each.then in lists)
            and (each.along is None or each.along in lists)
        ]

    def hits(self, rule: _Compiled) -> list[_Hit]:
        """Where the rule's words stand and mean what the rule means: the first, and of those the longest, first."""
        found: Sequence[Place] = self._lists[rule.words]
        if rule.unless is not None and (others := self._lists.get(rule.unless)):
            found = [each for each in found if not _covered(each[0], others)]
        if rule.near is not None:
            near = self._lists[rule.near]
            found = [each for each in found if self._near(each[0], near)]
        if rule.then is not None:
            return self._followed(_longest(found), self._lists[rule.then], rule.rule.within)
        text = self.reading.text
        return [(place, text[place:end]) for place, end in _longest(found)]

    def _near(self, place: int, near: Sequence[Place]) -> bool:
        start, end = self.reading.clause(place)
        end = min(end, place + _NEAR)
        return any(stop <= end for _, stop in _between(near, max(start, place - _NEAR), end))

    def _followed(self, found: Iterable[Place], then: Sequence[Place], within: int) -> list[_Hit]:
        hits, text = [], self.reading.text
        for place, end in found:
            most = min(end + within, self.reading.clause(place)[1] - 1)
            if after := _between(then, end, most):
                begin, stop = after[0]
                hits.append((place, f"{text[place:end]}{GAP}{text[begin:stop]}"))
        return hits


def _longest(places: Sequence[Place]) -> Sequence[Place]:
    """Of those that begin at the same place the longest first."""
    return sorted(places, key=_by_place) if len(places) > 1 else places


def _by_place(place: Place) -> Place:
    return place[0], -place[1]


def _between(places: Sequence[Place], first: int, last: int) -> Sequence[Place]:
    """Those of the sorted `places` that begin from `first` to `last`."""
    return places[bisect_left(places, (first, 0)) : bisect_left(places, (last + 1, 0))]


def _covered(place: int, others: Sequence[Place]) -> bool:
    return any(place < end for _, end in _between(others, place - 2 * LONGEST, place))


class _Finding(NamedTuple):
    """A rule that matched: where, by which word, and how that was meant."""

    rule: Rule
    place: int
    word: str
    scope: Scope


@dataclass(frozen=True)
class Rules:
    """One version of the rules, ready to judge.

    lists_of  by the number of a word: the lists of words, by number, it is in
    by_list   by the number of a list: the rules, by number, that look for its words
    """

    version: int
    base_hours: Mapping[Kind, float]
    compiled: Sequence[_Compiled]
    index: Index
    lists_of: Sequence[Sequence[int]]
    by_list: Mapping[int, Sequence[int]]

    @staticmethod
    def of(rules: RuleSet) -> Rules:
        words: dict[Word, int] = {}
        lists: dict[frozenset[int], int] = {}

        def numbered(said: Words) -> int | None:
            numbers = {words.setdefault(_word(each), len(words)) for each in rules.words_of(said)}
            return lists.setdefault(frozenset(numbers), len(lists)) if said else None

        compiled: list[_Compiled] = []
        by_list: dict[int, tuple[int, ...]] = {}
        for number, rule in enumerate(rules.rules):
            own = numbered(rule.words) or 0
            others = map(numbered, (rule.near, rule.along, rule.then, rule.unless))
            compiled.append(_Compiled(rule, own, *others))
            by_list[own] = (*by_list.get(own, ()), number)
        lists_of: list[list[int]] = [[] for _ in words]
        for members, each in lists.items():
            for word in members:
                lists_of[word].append(each)
        return Rules(rules.version, rules.base_hours, compiled, Index.of(words), lists_of, by_list)


@cache
def shipped_rules() -> Rules:
    """Those that came with the software, made once."""
    return Rules.of(shipped())


def _word(word: str) -> Word:
    folded = looked_for(word)
    return Word(folded.rstrip("*"), folded.endswith("*"))


def judge(text: str, rules: Rules | None = None) -> Triage:
    """Kind, severity, difficulty, skills, parts and hours of a request; the shipped rules unless others are given.

    Dangers come first; else the gravest severity wins that nothing softens. The first kind in the order of the
    rules; trouble without a kind of its own is a fault, nothing at all an enquiry. Without a word of trouble a
    request is general (R07). It never raises.
    """
    rules = rules or shipped_rules()
    folded = fold(text)
    findings = _without_last(_findings(_Found(folded, rules)), asks="?" in folded)
    stated = [each for each in findings if each.scope == "stated"]
    severity = severity_of([each.rule for each in stated])
    deciding = _deciding([each.rule for each in stated], severity)
    kind: Kind = (deciding and deciding.kind) or ("enquiry" if severity == "general" else "fault")
    skills = tuple(sorted({each.rule.skill for each in stated if each.rule.skill}))
    parts = tuple(sorted({each.rule.part for each in stated if each.rule.part}))
    hours = rules.base_hours.get(kind, 0) + sum(each.rule.hours or 0 for each in stated)
    told = [each for each in findings if each.rule is deciding or not _only_kind(each.rule)]
    reasons = tuple(Verdict(_told(each), each.word) for each in told) or (Verdict("nothing_found", ""),)
    difficulty = 1 + RANK[severity] + min(2, len(skills))
    return Triage(kind, severity, difficulty, skills, parts, min(hours, _MOST_HOURS), reasons, rules.version)


def severity_of(stated: Sequence[Rule]) -> Severity:
    """The gravest, dangers whatever is said beside them; what softens and what urges speak for the rest."""
    danger = gravest(each.severity for each in stated if each.hazard)
    trouble = gravest(each.severity for each in stated if not each.hazard)
    caps = [each.caps for each in stated if each.caps]
    if caps:
        trouble = min(trouble, *caps, key=RANK.__getitem__)
    elif trouble == "important" and any(each.lifts for each in stated):
        trouble = "urgent"
    return gravest((danger, trouble))


def _without_last(findings: list[_Finding], asks: bool) -> list[_Finding]:
    """Without the rules that count for want of anything better, where there is something or the text `asks`."""
    others = [each for each in findings if not each.rule.last]
    if asks or any(_decides(each.rule) for each in others if each.scope == "stated"):
        return others
    return findings


def _decides(rule: Rule) -> bool:
    return bool(rule.kind or rule.severity or rule.settles or rule.caps == "general")


def gravest(severities: Iterable[Severity | None]) -> Severity:
    return max((each for each in severities if each), key=RANK.__getitem__, default="general")


def _deciding(stated: Sequence[Rule], severity: Severity) -> Rule | None:
    """The rule that says what is wanted: the first; where there is trouble, the first that stays in spite of it."""
    trouble = severity != "general"
    return next((each for each in stated if each.kind and (each.over_fault or not trouble)), None)


def _only_kind(rule: Rule) -> bool:
    """Whether nothing but the kind follows from it: of those one decides, the others are no reasons."""
    return bool(rule.kind) and not (rule.severity or rule.settles or rule.skill or rule.part)


def _told(finding: _Finding) -> str:
    name = finding.rule.name
    return name if finding.scope == "stated" else f"{name}.{finding.scope}"


def _findings(found: _Found) -> list[_Finding]:
    """One finding of each rule at most: where it is meant, or a danger that is not; in the order of the rules."""
    at_hand = found.at_hand()
    settled = max((_settled(found, each) for each in at_hand if each.rule.settles), default=0)
    findings = (_finding(found, each, settled) for each in at_hand)
    return [each for each in findings if each]


def _settled(found: _Found, rule: _Compiled) -> int:
    """Until where what is said is over."""
    reading = found.reading
    places = (place for place, _ in found.hits(rule) if reading.scope(place) == "stated")
    return max((reading.clause(place)[1] for place in places), default=0)


def _finding(found: _Found, compiled: _Compiled, settled: int) -> _Finding | None:
    rule, otherwise = compiled.rule, None
    for place, word in found.hits(compiled):
        scope: Scope = "stated" if rule.anywhere else found.reading.scope(place)
        if scope == "stated" and rule.severity not in (None, "general") and place < settled:
            scope = "past"
        if scope == "stated" or (rule.kind and rule.severity is None and scope != "denied"):
            return _Finding(rule, place, word, "stated")
        otherwise = otherwise or _Finding(rule, place, word, scope)
    return otherwise if rule.hazard else None
