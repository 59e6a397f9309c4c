"""Telephone systems tell of a call in any order, and some of it twice (R50, R51)."""

from __future__ import annotations

from functools import reduce
from itertools import permutations
from typing import get_args

import pytest

from intake.calls.rules import Event, state_after


def state_of(*told: Event) -> str | None:
    return reduce(state_after, told, None)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (("rang",), "ringing"),
        (("rang", "ended"), "ended"),
        (("rang", "answered", "ended"), "answered"),
        (("rang", "busy", "ended"), "busy"),
        (("rang", "missed", "ended", "returned"), "returned"),
        (("rang", "missed", "answered"), "answered"),  # the desk picked up just when it gave up
        (tuple(get_args(Event)), "returned"),
    ],
)
def test_any_order_of_what_is_told_leads_to_one_state(told: tuple[Event, ...], state: str) -> None:
    assert {state_of(*order) for order in permutations(told)} == {state}


def test_what_is_told_twice_changes_nothing() -> None:
    for event in get_args(Event):
        assert state_of(event, event) == state_of(event)
