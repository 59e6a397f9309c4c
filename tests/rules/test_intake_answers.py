"""Answer templates are filled with what is known of a request; what is not known is refused when saved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.answers.rules import (
    PLACEHOLDERS,
    Facts,
    Unknown,
    filled,
    promise_that_holds,
    unknown_placeholders,
)

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
UNTIL = datetime(2026, 11, 23, 10, 50, tzinfo=UTC)
PLAIN = Facts("王女士", "42", "水泵{漏}水", "https://x.example/p", UNTIL)


def test_every_placeholder_stands_for_something_in_the_templates_language() -> None:
    body = "{name} {number} {title} {promised} {link}"
    assert filled(body, "zh", PLAIN) == "王女士 42 水泵{漏}水 将在11月23日 周一 18:50前 https://x.example/p"
    assert filled(body, "en", PLAIN) == "王女士 42 水泵{漏}水 by Mon 23 Nov, 18:50 https://x.example/p"


@pytest.mark.parametrize(("language", "words"), [("zh", "客户，会尽快"), ("en", "there，as soon as we can")])
def test_who_is_nameless_and_what_is_not_promised_reads_well(language: str, words: str) -> None:
    facts = Facts("—", "42", "", "", None)
    assert filled("{name}，{promised}", language, facts) == words  # type: ignore[arg-type]


def test_a_promise_is_told_only_while_it_can_be_kept() -> None:
    assert promise_that_holds(UNTIL, False, NOW) == UNTIL
    assert promise_that_holds(UNTIL, True, NOW) is None
    assert promise_that_holds(UNTIL, False, UNTIL) is None
    assert promise_that_holds(None, False, NOW - timedelta(days=1)) is None


def test_what_is_not_known_is_told_with_its_place() -> None:
    assert [*unknown_placeholders("Hello {name},\nby {date} {\n")] == [
        Unknown("{date}", 2, 4),
        Unknown("{", 2, 11),
    ]


@given(st.lists(st.sampled_from(["{", "}", "\n", "x", "{name}", "{nam", "{number}", "{link}", "{ name }"])))
def test_a_body_is_refused_just_when_a_brace_would_be_left(parts: list[str]) -> None:
    body = "".join(parts)
    rest = body
    for name in PLACEHOLDERS:
        rest = rest.replace(f"{{{name}}}", "\0")
    assert bool([*unknown_placeholders(body)]) == ("{" in rest or "}" in rest)
    for each in unknown_placeholders(body):
        line = body.split("\n")[each.line - 1 :]
        assert "\n".join(line)[each.column - 1 :].startswith(each.written)
