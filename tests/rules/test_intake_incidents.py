"""R13: many requests with one cause are noticed, and each customer is told once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intake.incidents.rules import (
    Complaint,
    Delivery,
    Fate,
    Linked,
    Reach,
    Signature,
    Terms,
    burst,
    candidates,
    is_chinese,
    is_over,
    notices,
    reach,
    unclaimed,
    wording,
    written,
)

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
LEAK = Signature("cooling", "east", "漏水")


def complaint(
    number: int,
    *symptoms: str,
    customer: int | None = None,
    region: str = "east",
    ago: int = 5,
    line: str | None = "cooling",
) -> Complaint:
    at = NOW - timedelta(minutes=ago)
    whose = UUID(int=number if customer is None else customer)
    return Complaint(UUID(int=number), whose, line, region, frozenset(symptoms), at)


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
    assert burst(many(5, "漏水"), {LEAK: 672}, NOW) == []
    [found] = burst(many(6, "漏水"), {LEAK: 672}, NOW)
    assert found.usual == pytest.approx(2)


def test_what_lies_before_the_window_does_not_count() -> None:
    late = [complaint(9, "漏水", ago=30), complaint(10, "漏水", ago=-1)]
    assert burst([*many(4, "漏水"), *late], {}, NOW) == []
    assert burst([*many(4, "漏水"), complaint(9, "漏水", ago=29)], {}, NOW)


def test_what_shares_no_symptom_is_no_cause_however_many_complain() -> None:
    words = ["漏水", "报错", "冒烟", "异响", "不制冷", "跳闸", "断电"]
    assert burst(many(50), {}, NOW) == []
    assert burst([complaint(number, word) for number, word in enumerate(words)], {}, NOW) == []
    [found] = burst([*many(5, "漏水"), *many(50, first=100)], {}, NOW)
    assert (found.signature, found.customers) == (LEAK, 5)


@pytest.mark.parametrize(
    ("line", "region", "proposed"),
    [("cooling", "east", 1), ("cooling", "unknown", 1), (None, "east", 1), (None, "unknown", 0)],
)
def test_a_symptom_alone_is_no_cause(line: str | None, region: str, proposed: int) -> None:
    those = [complaint(number, "漏水", line=line, region=region) for number in range(9)]
    found = burst(those, {}, NOW)
    assert [each.signature for each in found] == [Signature(line, region, "漏水")] * proposed
    assert len(candidates(those)) == proposed


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 8),
            st.sampled_from([None, "cooling"]),
            st.sampled_from(["unknown", "east"]),
            st.sets(st.sampled_from(["漏水", "报错"])),
        ),
        max_size=60,
    )
)
def test_what_is_proposed_is_alike_and_nothing_alike_is_left(
    told: list[tuple[int, str | None, str, set[str]]],
) -> None:
    left = {
        UUID(int=number): complaint(number, *words, customer=whose, line=line, region=region)
        for number, (whose, line, region, words) in enumerate(told)
    }
    for found in burst(list(left.values()), {}, NOW):
        its = found.signature
        held = [left.pop(each) for each in found.requests]
        assert {(each.product_line, each.region) for each in held} == {(its.product_line, its.region)}
        assert all(its.symptom in each.symptoms for each in held)
        assert (its.product_line, its.region) != (None, "unknown")
        assert len({each.customer_id for each in held}) == found.customers >= 5
    alike = {
        (each.product_line, each.region, word, each.customer_id)
        for each in left.values()
        for word in each.symptoms
        if (each.product_line, each.region) != (None, "unknown")
    }
    assert all(count < 5 for count in Counter(key[:3] for key in alike).values())


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
    assert candidates([*many(5, "漏水"), complaint(99, "报错")]) == [LEAK]
    assert candidates(many(2, "漏水"), Terms(least=2)) == [LEAK]


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


def test_a_recovery_in_the_past_is_over_after_a_minute() -> None:
    assert is_over(NOW - timedelta(seconds=61), NOW)
    assert not is_over(NOW - timedelta(seconds=60), NOW)
    assert not is_over(NOW + timedelta(days=1), NOW)
    assert not is_over(None, NOW)


def test_only_whom_a_message_left_for_was_told() -> None:
    none: frozenset[str] = frozenset()
    found = reach(
        [
            Delivery("waiting", False, None, none, 1),
            Delivery("sending", False, None, none, 1),
            Delivery("waiting", True, "no_address", none, 8),
            Delivery("waiting", True, "no_account", none, 1),
            Delivery("waiting", False, "busy", none, 1),
            Delivery("sent", False, None, none, 4),
            Delivery("sent", False, None, frozenset({"delivered"}), 2),
            Delivery("sent", False, None, frozenset({"sent", "failed"}), 3),
            Delivery("unknown", False, "uncertain", none, 1),
            Delivery("unknown", False, "uncertain", frozenset({"read"}), 1),
            Delivery("failed", False, "unwanted", none, 2),
        ]
    )
    reasons: tuple[tuple[Fate, str, int], ...] = (
        ("failed", "refused", 3),
        ("failed", "unwanted", 2),
        ("unreachable", "no_account", 1),
        ("unreachable", "no_address", 8),
    )
    assert found == Reach(told=7, waiting=3, unreachable=9, failed=5, uncertain=1, reasons=reasons)
    assert found.all == 25
