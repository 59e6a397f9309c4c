"""R13: many requests with one cause are noticed, and each customer is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from intake.incidents.rules import (
    Complaint,
    Linked,
    Signature,
    Terms,
    burst,
    candidates,
    is_chinese,
    notices,
    unclaimed,
    wording,
    written,
)

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
LEAK = Signature("cooling", "east", "漏水")


def complaint(
    number: int, *symptoms: str, customer: int | None = None, region: str = "east", ago: int = 5
) -> Complaint:
    at = NOW - timedelta(minutes=ago)
    whose = UUID(int=number if customer is None else customer)
    return Complaint(UUID(int=number), whose, "cooling", region, frozenset(symptoms), at)


def many(count: int, *symptoms: str, first: int = 1) -> list[Complaint]:
    return [complaint(number, *symptoms) for number in range(first, first + count)]


def test_five_customers_with_one_symptom_are_proposed_as_one_cause() -> None:
    [found] = burst(many(5, "漏水", "报错"), {}, NOW)
    assert (found.signature.region, found.customers, len(found.requests)) == ("east", 5, 5)
    assert found.signature.symptom in ("漏水", "报错")


def test_four_are_not_many() -> None:
    assert burst(many(4, "漏水"), {}, NOW) == []


def test_one_customer_who_writes_twenty_times_is_no_outage() -> None:
    assert burst([complaint(number, "漏水", customer=1) for number in range(20)], {}, NOW) == []


def test_what_is_usual_is_no_outage() -> None:
    # 7 days have 336 windows of half an hour: 672 customers are two in each.
    assert burst(many(5, "漏水"), {LEAK: 672, Signature("cooling", "east"): 672}, NOW) == []
    [found] = burst(many(6, "漏水"), {LEAK: 672, Signature("cooling", "east"): 672}, NOW)
    assert found.usual == pytest.approx(2)


def test_what_lies_before_the_window_does_not_count() -> None:
    late = [complaint(9, "漏水", ago=30), complaint(10, "漏水", ago=-1)]
    assert burst([*many(4, "漏水"), *late], {}, NOW) == []
    assert burst([*many(4, "漏水"), complaint(9, "漏水", ago=29)], {}, NOW)


def test_complaints_without_a_known_word_are_counted_by_product_and_region() -> None:
    [found] = burst(many(5), {}, NOW)
    assert found.signature == Signature("cooling", "east", "")


def test_two_causes_are_two_proposals_and_no_request_is_in_both() -> None:
    found = burst([*many(6, "漏水"), *many(5, "报错", first=50)], {}, NOW)
    assert [each.signature.symptom for each in found] == ["漏水", "报错"]
    assert not set(found[0].requests) & set(found[1].requests)


def test_regions_are_not_added_up() -> None:
    elsewhere = [complaint(number, "漏水", region="west") for number in (7, 8, 9)]
    assert burst([*many(3, "漏水"), *elsewhere], {}, NOW) == []


def test_what_a_known_incident_explains_is_not_proposed_again() -> None:
    assert unclaimed(many(9, "漏水"), [LEAK]) == []
    assert unclaimed(many(2, "报错"), [LEAK]) == many(2, "报错")
    assert unclaimed(many(2, "报错"), [Signature("cooling", "east")]) == []


def test_only_what_could_be_a_burst_is_looked_up() -> None:
    assert candidates([*many(5, "漏水"), complaint(99, "报错")]) == [LEAK, Signature("cooling", "east")]
    assert candidates(many(2, "漏水"), Terms(least=2)) == [LEAK, Signature("cooling", "east")]


def test_a_customer_with_two_requests_gets_one_message_where_they_asked_last() -> None:
    mine = [
        Linked(UUID(int=2), UUID(int=1), "phone", "坏了"),
        Linked(UUID(int=1), UUID(int=1), "email", "broken"),
    ]
    other = Linked(UUID(int=3), UUID(int=7), "email", "It leaks")
    [first, second] = notices([*mine, other], told=())
    assert (first.request_id, first.channel, first.chinese) == (UUID(int=2), "phone", True)
    assert (second.customer_id, second.chinese) == (UUID(int=7), False)
    assert notices([*mine, other], told={UUID(int=1)}) == [second]


def test_a_message_names_cause_and_expected_recovery_in_the_customers_language() -> None:
    at = datetime(2026, 11, 20, 18, 30)  # noqa: DTZ001 - on the customer's wall
    chinese = wording("declared", "供水中断", "主管道破裂", written(at, True), "", chinese=True)
    assert "主管道破裂" in chinese
    assert "11月20日 18:30" in chinese
    english = wording("updated", "No water", "", None, "Tankers come.", chinese=False)
    assert english.endswith("Expected to work again: not known yet\nTankers come.")
    assert "预计" not in wording("ended", "供水中断", "主管道破裂", written(at, True), "", chinese=True)
    assert [is_chinese(each) for each in ("水管坏了", "pipe burst", "123")] == [True, False, True]
