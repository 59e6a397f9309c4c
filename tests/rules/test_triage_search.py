"""What the rules find in one pass is what looking for each word by itself would find (R06, R09)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from intake.triage.rules import GAP, Rules, _Found, shipped_rules
from intake.triage.ruleset import Rule, RuleSet, Words, looked_for, shipped
from intake.triage.search import Index, Word
from intake.triage.text import Reading, fold

LISTS = [word for words in shipped().lists.values() for word in words]
WORDS = [*LISTS, *(word for rule in shipped().rules for word in (*rule.words, *rule.near, *rule.unless))]
JOINTS = st.sampled_from(
    [" ", ", ", "。", "? ", ". ", "但", " but ", "not ", "x", "没", "的", "last year, ", "如果", "3456"]
)


def texts(words: list[str]) -> st.SearchStrategy[str]:
    pieces = st.one_of(st.sampled_from([word.rstrip("*") for word in words]), JOINTS)
    return st.lists(pieces, max_size=25).map("".join)


TEXTS = st.one_of(texts(WORDS[::5]), st.text(max_size=120))


def plainly(word: str, text: str) -> Iterator[tuple[int, int]]:
    """Every place of a word in the form it is looked for, by a pattern of its own."""
    letters = word.rstrip("*")
    if letters not in text:
        return
    begin = "(?<![0-9a-zA-Z])" if re.match(r"[0-9a-zA-Z]", word) else ""
    end = "[0-9a-zA-Z]*" if word.endswith("*") else ""
    if not end and re.search(r"[0-9a-zA-Z]$", word):
        end = "(?![0-9a-zA-Z])"
    for match in re.finditer(f"(?={begin}({re.escape(letters)}{end}))", text):
        yield match.start(1), match.end(1)


def hits(rule: Rule, rules: RuleSet, reading: Reading) -> list[tuple[int, str]]:
    """What a rule finds, as its fields are described, one condition after the other."""

    def places(words: Words) -> list[tuple[int, int]]:
        return sorted(
            {each for word in rules.words_of(words) for each in plainly(looked_for(word), reading.text)}
        )

    near, along, then, unless = (places(each) for each in (rule.near, rule.along, rule.then, rule.unless))
    found = []
    for place, end in sorted(places(rule.words), key=lambda each: (each[0], -each[1])):
        start, stop = reading.clause(place)
        after = [each for each in then if end <= each[0] <= end + rule.within and each[0] < stop]
        beside = [
            each for each in near if max(start, place - 120) <= each[0] and each[1] <= min(stop, place + 120)
        ]
        told_otherwise = any(begin <= place < over for begin, over in unless)
        if told_otherwise or (rule.along and not along) or (rule.near and not beside):
            continue
        if rule.then and after:
            found.append((place, reading.text[place:end] + GAP + reading.text[slice(*after[0])]))
        elif not rule.then:
            found.append((place, reading.text[place:end]))
    return found


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_one_pass_finds_what_looking_for_every_word_finds(text: str) -> None:
    folded = fold(text)
    index = shipped_rules().index
    standing = index.standing(folded)
    for number, word in enumerate(index.words):
        said = word.text + "*" * word.open
        assert standing.get(number, []) == list(plainly(said, folded)), said


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(shipped().rules), min_size=1, max_size=4, unique=True), st.data())
def test_every_rule_hits_where_its_fields_say(chosen: list[Rule], data: st.DataObject) -> None:
    rules = shipped().model_copy(update={"rules": tuple(chosen)})
    own = [[*each.words, *each.near, *each.along, *each.then, *each.unless] for each in chosen]
    text = data.draw(texts([word for words in own for word in rules.words_of(tuple(words))]))
    found = _Found(fold(text), Rules.of(rules))
    fast = {each.rule.name: list(found.hits(each)) for each in found.at_hand()}
    for rule in chosen:
        assert fast.get(rule.name, []) == hits(rule, rules, Reading(fold(text))), rule.name


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_a_place_is_meant_the_same_whatever_was_asked_before(text: str) -> None:
    folded = fold(text)
    all_at_once = Reading(folded)
    backwards = {place: all_at_once.scope(place) for place in reversed(range(len(folded)))}
    for place in range(0, len(folded), 7):
        assert Reading(folded).scope(place) == backwards[place]


def test_a_word_of_any_form_is_found_by_its_key() -> None:
    said = ["go*", "a b c*", "x-ray*", "12 v", "报e", "机*", "!", ", so", "no. 1*", "é", "停", "停机了", "ab"]
    words = [Word(each.rstrip("*"), each.endswith("*")) for each in said]
    for word in words:
        assert Index.of(words).standing(f" {word.text} ")[words.index(word)], word
