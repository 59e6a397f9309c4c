"""Requests that seem to be one are suggested to people: same customer, same product, like words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from intake.duplicates.rules import Told, suggest

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


def told(
    number: int, text: str, *, customer: int = 1, product: str | None = "cooling", hours: float = 0
) -> Told:
    at = NOW + timedelta(hours=hours)
    return Told(UUID(int=number), UUID(int=customer), product, at, text[:20], text)


MINE = told(1, "空调漏水，不制冷，请尽快派人来")


@pytest.mark.parametrize(
    "other",
    [
        told(2, "空调漏水，不制冷，什么时候派人来？"),
        told(2, "空調漏水不制冷"),
        told(2, "昨天说过空调漏水，不制冷，请尽快派人来，急", hours=72),
        told(2, "空调漏水，不制冷，请尽快派人来", hours=-72),
    ],
)
def test_what_says_the_same_is_suggested(other: Told) -> None:
    [found] = suggest(MINE, [MINE, other])
    assert found.told is other
    assert found.alike >= 60


@pytest.mark.parametrize(
    "other",
    [
        told(2, "请问发票怎么开"),
        told(2, "热水器不出热水，显示故障代码"),
        told(2, "空调漏水，不制冷，请尽快派人来", hours=72.1),
        told(2, "空调漏水，不制冷，请尽快派人来", customer=2),
        told(2, "空调漏水，不制冷，请尽快派人来", product="heating"),
        told(2, "空调漏水，不制冷，请尽快派人来", product=None),
    ],
)
def test_another_matter_time_customer_or_product_is_not(other: Told) -> None:
    assert suggest(MINE, [other]) == []


def test_english_is_compared_by_words() -> None:
    mine = told(1, "The pump is leaking and does not start")
    yes = told(2, "My pump is still leaking, it does not start. When do you come?")
    no = told(3, "How do I change the filter of the boiler?")
    assert [each.told for each in suggest(mine, [yes, no])] == [yes]


def test_what_a_person_kept_apart_is_not_suggested_again() -> None:
    other = told(2, "空调漏水，不制冷，请尽快派人来")
    assert suggest(MINE, [other], apart={other.id}) == []
