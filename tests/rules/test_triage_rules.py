"""Rules as data: what may be published, and that no text is too much for them (R05–R10)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from intake.triage.lint import lint
from intake.triage.rules import GAP, Rules, judge, shipped_rules
from intake.triage.ruleset import Draft, RuleSet, shipped
from intake.triage.text import fold

WORDS = [word for rule in shipped().rules for word in (*rule.words, *rule.unless)]
PIECES = st.sampled_from(
    [*WORDS[::7], "not ", "没有", "如果", "last year, ", "?", "。", " but ", "> ", "\n", "ﷺ"]
)
HOSTILE = [
    "a",
    "停",
    "停了",
    "not ",
    "没有和",
    "(",
    "\u0300",
    "won't start ",
    "人等着",
    "tap tingles socket leak ",
    "no smoke, ",
    "> x\n",
    "on x wrote:\n",
    "如果",
    "。",
]
DANGER: dict[str, Any] = {"name": "danger", "words": ["fire"], "severity": "urgent", "hazard": True}


def draft(*rules: dict[str, Any]) -> Draft:
    return Draft.model_validate({"base_hours": shipped().base_hours, "rules": [DANGER, *rules]})


def findings(*rules: dict[str, Any]) -> list[str]:
    return [each.code for each in lint(draft(*rules))]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=30).map("".join)))
def test_whatever_is_written_is_judged_and_each_reason_stands_in_the_text(text: str) -> None:
    folded = fold(text)
    for reason in judge(text).reasons:
        assert all(word in folded for word in reason.word.split(GAP)), reason


def seconds(text: str) -> float:
    began = time.perf_counter()
    judge(text)
    return time.perf_counter() - began


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hundred_thousand_characters_cost_no_more_than_what_is_read_of_them(piece: str) -> None:
    judge(piece)
    text = piece * (100_000 // len(piece))
    short, long = min(seconds(text[:5_000]) for _ in range(2)), min(seconds(text) for _ in range(2))
    assert long < 12 * short + 0.1, (short, long)  # four times as much is read, at most
    assert long < 1


def test_the_shipped_rules_have_no_finding() -> None:
    assert lint(shipped()) == []


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"name": "x", "words": ["smoke"], "severity": "general"}, "contradiction"),
        ({"name": "x", "words": ["SMOKE"], "kind": "complaint"}, None),
        ({"name": "x", "words": ["water", "ＷＡＴＥＲ"], "skill": "water"}, "word_twice"),
        ({"name": "x", "words": ["a"], "skill": "water"}, "word_too_short"),
        ({"name": "x", "words": ["w*r"], "skill": "water"}, "star_within"),
        ({"name": "x", "words": ["water"]}, "no_effect"),
        ({"name": "danger", "words": ["water"], "skill": "water"}, "name_taken"),
        ({"name": "x", "words": ["water"], "severity": "general", "hazard": True}, "danger_not_urgent"),
        ({"name": "x", "words": ["fire"], "severity": "important", "near": ["wall"]}, None),
    ],
    ids=str,
)
def test_what_contradicts_itself_or_says_nothing_is_found(rule: dict[str, Any], code: str | None) -> None:
    smoke = {"name": "smoke", "words": ["smoke"], "severity": "urgent"}
    assert findings(smoke, rule) == ([code] if code else [])


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "x", "words": []},
        {"name": "x", "words": [" "]},
        {"name": "x", "words": ["w"], "kind": "wish"},
        {"name": "x", "words": ["w"], "severity": "grave"},
        {"name": "x", "words": ["w"], "pattern": "(a+)+$"},
    ],
    ids=str,
)
def test_what_is_no_rule_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        draft(rule)


def test_words_are_no_patterns() -> None:
    rules = RuleSet.of(draft({"name": "x", "words": [".+"], "skill": "water"}), 1000, shipped().date)
    assert judge("whatever", Rules.of(rules)).skills == ()


def test_a_version_that_has_no_dangers_is_no_version() -> None:
    nothing = {"name": "x", "words": ["fire"], "severity": "urgent"}
    found = lint(Draft.model_validate({"base_hours": {}, "rules": [nothing]}))
    assert {each.code for each in found} == {"kind_missing", "no_danger"}


def test_what_it_takes_is_estimated() -> None:
    judged = judge("The conveyor belt tore, production is down.")
    assert ("belt" in judged.parts, "mechanics" in judged.skills) == (True, True)
    assert judged.hours > shipped().base_hours["fault"]
    assert judge("Where is my order?").hours == shipped().base_hours["order_query"]
    assert judged.version == shipped_rules().version


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("it won't spin", "urgent"),
        ("it won't ab spin", "urgent"),
        ("it won't abc spin", "general"),
        ("it won't, spin", "general"),
        ("spin it won't", "general"),
        ("it won't spin, but the lamp is on", "general"),
    ],
)
def test_what_follows_follows_closely_and_in_the_same_clause(text: str, severity: str) -> None:
    rule = {"name": "x", "words": ["@cannot"], "then": ["spin"], "within": 4, "severity": "urgent"}
    soft = {"name": "y", "words": ["lamp"], "along": ["won't"], "caps": "general"}
    made = draft(rule, soft).model_copy(update={"lists": {"cannot": ("won't",)}})
    assert lint(made) == []
    assert judge(text, Rules.of(RuleSet.of(made, 1000, shipped().date))).severity == severity


def test_a_list_that_is_not_there_is_told() -> None:
    assert findings({"name": "x", "words": ["@nothing"], "severity": "urgent"}) == ["no_such_list"]


@pytest.mark.parametrize(("text", "kind"), [("my lathe is sad", "fault"), ("my lathe, sad?", "enquiry")])
def test_a_last_rule_counts_where_nothing_else_does_and_nobody_asks(text: str, kind: str) -> None:
    assert judge(text).kind == kind
