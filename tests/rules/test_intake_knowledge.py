"""R117, R118: who sees which text of an article, and when somebody must look at it again."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from intake.knowledge.rules import About, Article, asked_for, least_overlap, next_review, shown_to

TODAY = date(2026, 11, 23)


def article(state: Any, latest: int, published: int | None, audience: Any = "public") -> Article:
    about = About("faq", "zh", None, audience, "desk.one", TODAY)
    return Article(UUID(int=1), about, state, latest, published)


def test_readers_see_what_is_published_while_a_newer_draft_is_written() -> None:
    changed = article("published", 3, 2)
    assert changed.is_changed
    for editor in (True, False):
        assert shown_to(changed, editor=editor) == 2


def test_only_editors_see_drafts_and_what_was_retired() -> None:
    for each in (article("draft", 1, None), article("retired", 1, 1)):
        assert shown_to(each, editor=True) == 1
        assert shown_to(each, editor=False) is None
        assert shown_to(each, editor=True, everybody=True) is None


def test_customers_see_only_what_is_public() -> None:
    assert shown_to(article("published", 1, 1), editor=False, everybody=True) == 1
    assert shown_to(article("published", 1, 1, "internal"), editor=False, everybody=True) is None


def test_what_is_published_is_due_on_its_day_and_drafts_never_are() -> None:
    assert article("published", 1, 1).is_due(TODAY)
    assert not article("published", 1, 1).is_due(date(2026, 11, 22))
    assert not article("draft", 1, None).is_due(TODAY)
    assert next_review(TODAY) == date(2027, 5, 22)


def test_two_characters_are_enough_to_search_and_a_complaint_must_share_more_than_one_pair() -> None:
    assert asked_for("漏水") == ["漏水"]
    assert least_overlap(asked_for("漏水")) == 1
    assert least_overlap(asked_for("空调漏水，不制冷")) == 2
