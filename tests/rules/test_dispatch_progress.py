"""What a customer is told counts as progress at the times when it is our turn (R62)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dispatch.progress.rules import is_our_turn

TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)


def at(hour: int) -> datetime:
    return TEN.replace(hour=hour)


# The newest first, as the history is read.
TURNS = [
    {"what": what, "at": at(hour)}
    for what, hour in (
        ("ticket_closed", 18), ("ticket_resolved", 16), ("result_rejected", 14), ("ticket_resolved", 12),
        ("ticket_opened", 10),
    )
]  # fmt: skip


@pytest.mark.parametrize(
    ("told_at", "ours"),
    [
        (at(9), False),  # before there was a ticket, and a promise
        (at(10), True),
        (at(11), True),
        (at(12), False),  # the customer tries the result
        (at(13), False),
        (at(14), True),  # who did not accept it
        (at(15), True),  # however late it becomes known, also after the end
        (at(17), False),
        (at(19), False),
    ],
)
def test_it_is_asked_of_the_time_and_not_of_what_has_become_of_the_ticket(
    told_at: datetime, ours: bool
) -> None:
    assert is_our_turn(TURNS, told_at) is ours


def test_without_a_beginning_nothing_is_ours() -> None:
    assert not is_our_turn([], TEN)
