"""What a request is about and how much it hurts, by explainable rules; safety words first (R05–R10).

The rules themselves are data: `ruleset` says what they may say, `shipped.toml` what they say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from intake.triage.ruleset import Rule, RuleSet, looked_for, shipped
from intake.triage.text import Reading, Scope, fold
from shared.events.terms import Kind, Severity

RANK: Final[dict[Severity, int]] = {"general": 0, "important": 1, "urgent": 2}
_MOST_HITS: Final = 100  # of one word in one text; whoever writes it more often means nothing else by it
_MOST_HOURS: Final = 80.0
_GRAM: Final = 3
_PHRASE: Final = 60  # characters a phrase may have
_NEAR: Final = 120  # characters to either side within a clause


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


@dataclass(frozen=True, slots=True)
class _Word:
    """A word to look for: `text` as it stands, whether it has to begin and end where an English word does."""

    text: str
    open: bool
    """Any ending of the word will do."""

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        place, found = -1, 0
        while found < _MOST_HITS and (place := text.find(self.text, place + 1)) >= 0:
            found += 1
            end = place + len(self.text)
            if _latin(self.text[0]) and place and _latin(text[place - 1]):
                continue
            if self.open:
                while end < len(text) and end - place < 60 and _latin(text[end]):
                    end += 1
            elif _latin(self.text[-1]) and end < len(text) and _latin(text[end]):
                continue
            yield place, end


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A rule in the form in which it is looked for."""

    rule: Rule
    words: tuple[_Word, ...]
    near: tuple[_Word, ...]
    unless: tuple[_Word, ...]

    def hits(self, reading: Reading, words: Iterable[_Word]) -> Iterator[tuple[int, str]]:
        """Where one of these words of the rule stands and means what the rule means, with the word."""
        text = reading.text
        for word in words:
            for place, end in word.places(text):
                if not self._otherwise(text, place, end) and self._accompanied(reading, place):
                    yield place, text[place:end]

    def _otherwise(self, text: str, place: int, end: int) -> bool:
        """Whether it is part of a phrase in which it means something else."""
        around = text[max(0, place - _PHRASE) : end + _PHRASE]
        shift = place - max(0, place - _PHRASE)
        return any(
            begins <= shift and shift < ends
            for phrase in self.unless
            if phrase.text in around
            for begins, ends in phrase.places(around)
        )

    def _accompanied(self, reading: Reading, place: int) -> bool:
        if not self.near:
            return True
        start, end = reading.clause(place)
        clause = reading.text[max(start, place - _NEAR) : min(end, place + _NEAR)]
        return any(each.text in clause and any(True for _ in each.places(clause)) for each in self.near)


@dataclass(frozen=True, slots=True)
class _Finding:
    """A rule that matched: where, by which word, and how that was meant."""

    rule: Rule
    place: int
    word: str
    scope: Scope


@dataclass(frozen=True)
class Rules:
    """One version of the rules, ready to judge."""

    version: int
    base_hours: Mapping[Kind, float]
    compiled: Sequence[_Compiled]
    index: Mapping[str, Sequence[tuple[int, _Word]]]
    """By the first characters of a word, at most three: the rules, by number, that look for it."""

    @staticmethod
    def of(rules: RuleSet) -> Rules:
        compiled = [
            _Compiled(each, _words(each.words), _words(each.near), _words(each.unless))
            for each in rules.rules
        ]
        index: dict[str, list[tuple[int, _Word]]] = {}
        for number, each in enumerate(compiled):
            for word in each.words:
                index.setdefault(word.text[:_GRAM], []).append((number, word))
        return Rules(rules.version, rules.base_hours, compiled, index)

    def at_hand(self, text: str) -> list[tuple[_Compiled, list[_Word]]]:
        """The rules with those of their words that stand somewhere in the text, in the order of the rules.

        A few words in a thousand are looked for: those whose first characters are there.
        """
        grams = {text[place : place + size] for size in range(1, _GRAM + 1) for place in range(len(text))}
        here: dict[int, list[_Word]] = {}
        for gram in self.index.keys() & grams:
            for number, word in self.index[gram]:
                if word.text in text:
                    here.setdefault(number, []).append(word)
        return [(self.compiled[number], here[number]) for number in sorted(here)]


@cache
def shipped_rules() -> Rules:
    """Those that came with the software, made once."""
    return Rules.of(shipped())


def _words(words: Iterable[str]) -> tuple[_Word, ...]:
    folded = (looked_for(each) for each in words)
    return tuple(_Word(each.rstrip("*"), each.endswith("*")) for each in folded)


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def judge(text: str, rules: Rules | None = None) -> Triage:
    """Kind, severity, difficulty, skills, parts and hours of a request; the shipped rules unless others are given.

    Dangers come first; else the gravest severity wins that nothing softens. The first kind in the order of the
    rules; trouble without a kind of its own is a fault, nothing at all an enquiry. Without a word of trouble a
    request is general (R07). It never raises.
    """
    rules = rules or shipped_rules()
    reading = Reading(fold(text))
    findings = _findings(reading, rules)
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


def gravest(severities: Iterable[Severity | None]) -> Severity:
    return max((each for each in severities if each), key=RANK.__getitem__, default="general")


def _deciding(stated: Sequence[Rule], severity: Severity) -> Rule | None:
    """The rule that says what is wanted: the first; where there is trouble, the first that stays in spite of it."""
    trouble = severity != "general"
    return next((each for each in stated if each.kind and (each.over_fault or not trouble)), None)


def _only_kind(rule: Rule) -> bool:
    """Whether nothing but the kind follows from it: of those one decides, the others are no reasons."""
    return bool(rule.kind) and not (rule.severity or rule.settles or rule.skill or rule.part)


def _first_and_longest(hit: tuple[int, str]) -> tuple[int, int]:
    place, word = hit
    return place, -len(word)


def _told(finding: _Finding) -> str:
    name = finding.rule.name
    return name if finding.scope == "stated" else f"{name}.{finding.scope}"


def _findings(reading: Reading, rules: Rules) -> list[_Finding]:
    """One finding of each rule at most: where it is meant, or a danger that is not; in the order of the rules."""
    at_hand = rules.at_hand(reading.text)
    settled = max((_settled(reading, *each) for each in at_hand if each[0].rule.settles), default=0)
    found = (_finding(reading, *each, settled) for each in at_hand)
    return [each for each in found if each]


def _settled(reading: Reading, rule: _Compiled, words: Sequence[_Word]) -> int:
    """Until where what is said is over."""
    places = (place for place, _ in rule.hits(reading, words) if reading.scope(place) == "stated")
    return max((reading.clause(place)[1] for place in places), default=0)


def _finding(reading: Reading, compiled: _Compiled, words: Sequence[_Word], settled: int) -> _Finding | None:
    rule, otherwise = compiled.rule, None
    for place, word in sorted(compiled.hits(reading, words), key=_first_and_longest):
        scope: Scope = "stated" if rule.anywhere else reading.scope(place)
        if scope == "stated" and rule.severity not in (None, "general") and place < settled:
            scope = "past"
        if scope == "stated" or (rule.kind and rule.severity is None and scope != "denied"):
            return _Finding(rule, place, word, "stated")
        otherwise = otherwise or _Finding(rule, place, word, scope)
    return otherwise if rule.hazard else None
