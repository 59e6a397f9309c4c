"""Who gets which parts (R73)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from parts.requisitions import rules
from parts.requisitions.rules import Held, Requisition, Short
from parts.stock.rules import Balance, Shelf, together

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
PUMP, SEAL = Shelf("SH-1", "PUMP-7"), Shelf("SH-1", "SEAL-2")
TICKET = UUID(int=7)


def asking(number: int = 1, *, at: int = 3, warehouse: str | None = "SH-1", **lines: int) -> Requisition:
    named = {part.replace("_", "-").upper(): quantity for part, quantity in lines.items()}
    return Requisition(UUID(int=number), TICKET, at, UUID(int=99), warehouse, named)


def test_what_is_there_is_held_for_a_week() -> None:
    (held,) = rules.reserve([asking(pump_7=2)], {PUMP: 2}, NOW)
    assert isinstance(held, Held)
    assert held.requisition.held_until == NOW + timedelta(days=7)


def test_one_part_missing_means_that_nothing_is_held() -> None:
    (short,) = rules.reserve([asking(pump_7=2, seal_2=1)], {PUMP: 1, SEAL: 9}, NOW)
    assert isinstance(short, Short)
    assert (short.missing, short.requisition.held_until) == ({"PUMP-7": 1}, None)


def test_the_first_takes_before_the_second_and_a_smaller_third_still_fits() -> None:
    decisions = rules.reserve([asking(1, pump_7=3), asking(2, pump_7=3), asking(3, pump_7=2)], {PUMP: 5}, NOW)
    assert [type(each) for each in decisions] == [Held, Short, Held]


def test_a_part_nobody_knows_and_a_centre_without_a_warehouse_are_short() -> None:
    decisions = rules.reserve([asking(1, nope=1), asking(2, warehouse=None, pump_7=1)], {PUMP: 5}, NOW)
    assert [each.missing for each in decisions if isinstance(each, Short)] == [{"NOPE": 1}, {"PUMP-7": 1}]


def test_who_asked_first_comes_first_in_whatever_order_it_is_told() -> None:
    assert [each.id.int for each in rules.in_order([asking(3), asking(1), asking(2)])] == [1, 2, 3]


def test_a_close_ends_what_was_asked_before_it_and_nothing_after_it() -> None:
    before, after = asking(at=3), asking(at=8)
    assert rules.is_over(before, {TICKET: 5})
    assert not rules.is_over(after, {TICKET: 5})
    assert not rules.is_over(before, {})


def test_each_step_is_one_version_further_and_only_a_hold_has_an_end() -> None:
    (held,) = rules.reserve([asking(pump_7=1)], {PUMP: 1}, NOW)
    used = rules.use(held.requisition)
    assert (held.requisition.version, used.version, used.state, used.held_until) == (1, 2, "used", None)


def test_pieces_of_one_shelf_are_added_up() -> None:
    assert together([{PUMP: 2}, {PUMP: 3, SEAL: 1}]) == {PUMP: 5, SEAL: 1}


def test_what_is_held_is_not_available() -> None:
    assert Balance("SH-1", "PUMP-7", "Pump", "泵", on_hand=20, reserved=3).available == 17


PARTS = st.sampled_from(["PUMP-7", "SEAL-2", "LAMP-1"])
LINES = st.dictionaries(PARTS, st.integers(1, 9), max_size=3)
SHELVES = st.dictionaries(PARTS.map(lambda part: Shelf("SH-1", part)), st.integers(0, 20))


@given(st.lists(LINES, max_size=12), SHELVES)
def test_never_more_is_held_than_there_is_and_short_means_short(
    wanted: list[dict[str, int]], available: dict[Shelf, int]
) -> None:
    asked = [Requisition(UUID(int=at), TICKET, 1, TICKET, "SH-1", lines) for at, lines in enumerate(wanted)]
    left = dict(available)
    for decision in rules.reserve(asked, available, NOW):
        pieces = decision.requisition.pieces()
        fits = all(left.get(shelf, 0) >= quantity for shelf, quantity in pieces.items())
        assert fits == isinstance(decision, Held)
        if fits:
            left |= {shelf: left[shelf] - quantity for shelf, quantity in pieces.items()}
    assert min(left.values(), default=0) >= 0
