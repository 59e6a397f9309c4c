"""When a visit can be, and in words why it cannot (R54–R60, R73)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.promises.rules import Clock, Deadlines
from dispatch.visits.window import WORDS, Fight, Limits, NoWindow, Window, fights_of, limits_of, window_of

NOON = datetime(2026, 11, 23, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
SPAN: Final = 12
"""Minutes of the small world that the oracle looks at one by one."""
ALL: Final = frozenset(range(-1, SPAN + 2))  # one beyond each end stands for all that is beyond


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


Minutes = tuple[int | None, int | None, tuple[int, int] | None, int | None]
minute = st.none() | st.integers(0, SPAN)
visit = st.none() | st.tuples(st.integers(0, SPAN), st.integers(0, SPAN)).filter(
    lambda each: each[0] < each[1]
)


def limits(told: Minutes) -> Limits:
    now, parts, visited, due = told
    return Limits(
        now=None if now is None else at(now),
        parts_at=None if parts is None else at(parts),
        appointment=None if visited is None else (at(visited[0]), at(visited[1])),
        due_at=None if due is None else at(due),
        promise="on_site",
    )


def allowed(told: Minutes) -> Iterator[tuple[str, frozenset[int]]]:
    """The oracle: each limit is the set of the minutes that it allows."""
    now, parts, visited, due = told
    if now is not None:
        yield "now", frozenset(each for each in ALL if each >= now)
    if parts is not None:
        yield "parts", frozenset(each for each in ALL if each >= parts)
    if visited is not None:
        yield "visit", frozenset(each for each in ALL if visited[0] <= each <= visited[1])
    if due is not None:
        yield "promise", frozenset(each for each in ALL if each <= due)


@given(st.tuples(minute, minute, visit, minute))
def test_a_window_is_what_all_limits_allow(told: Minutes) -> None:
    """R54, R60, R73: minute by minute."""
    sets = dict(allowed(told))
    common = ALL.intersection(*sets.values())
    found = window_of(limits(told))
    if not common:
        assert isinstance(found, NoWindow)
        return
    assert isinstance(found, Window)
    assert found.since == (None if min(common) == -1 else at(min(common)))
    assert found.until == (None if max(common) == SPAN + 1 else at(max(common)))


@given(st.tuples(minute, minute, visit, minute))
def test_those_limits_are_named_that_leave_nothing_between_them_and_no_others(told: Minutes) -> None:
    """R73: and where nothing is left at all there is such a pair."""
    sets = dict(allowed(told))
    expected = {frozenset((a, b)) for a in sets for b in sets if a < b and not sets[a] & sets[b]}
    found = list(fights_of(limits(told)))
    assert {frozenset((each.earliest, each.latest)) for each in found} == expected
    assert len(found) == len(expected)
    assert bool(expected) == (not ALL.intersection(*sets.values()))


@pytest.mark.parametrize("pair", WORDS)
def test_every_pair_has_words_with_its_instants(pair: tuple[str, str]) -> None:
    """R73."""
    said = Fight(pair[0], NOON, pair[1], NOON - HOUR, "on_site").said()  # type: ignore[arg-type]
    assert "11:00" in said
    assert ("12:00" in said) == (pair[0] != "now")
    assert ("Arrive on site" in said) == (pair[1] == "promise")


def test_on_site_limits_before_resolution_does_and_what_stands_still_does_not() -> None:
    """R54, R60, R58."""
    on_site, solved = Clock("on_site", NOON), Clock("resolution", NOON + HOUR)
    stands = Clock("on_site", NOON, stands=True)
    for clocks, due, promise in (
        ((on_site, solved), NOON, "on_site"),
        ((solved,), NOON + HOUR, "resolution"),
        ((stands, solved), NOON + HOUR, "resolution"),
        ((stands,), None, "resolution"),
    ):
        found = limits_of(Deadlines(clocks), None, None)
        assert (found.due_at, found.promise) == (due, promise)
