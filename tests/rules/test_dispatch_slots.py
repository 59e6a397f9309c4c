"""The times that customers are offered: an oracle walks the minutes and says what can be kept (R58)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from math import asin, cos, radians, sin, sqrt
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatch.assignment.policy import Travel
from dispatch.assignment.ways import Spot
from dispatch.organisation.roster import Interval
from dispatch.visits.rules import Visit, standing, to_be_agreed_anew, wished
from dispatch.visits.slots import GRID, Question, Slot, Stop, visiting_hours
from shared.i18n import ZONE

MONDAY = datetime(2026, 11, 23, tzinfo=ZONE)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TRAVEL = Travel()
PLACES = [Spot((31.23, 121.47), "shanghai"), Spot((31.30, 120.58), "suzhou"), Spot(None, "shanghai")]
PLACES += [Spot(None, None), Spot((31.25, 121.50), "shanghai")]


def at(hours: float, day: int = 0) -> datetime:
    return MONDAY + day * DAY + hours * HOUR


def question(**changes: object) -> Question:
    weekdays = tuple((at(9, day), at(18, day)) for day in range(5))
    asked = Question(
        reach=at(8), since=at(8), until=at(0, 7), length=2 * HOUR, working=weekdays, offered=weekdays,
        away=(), stops=(), spot=PLACES[0], travel=TRAVEL,
    )  # fmt: skip
    return replace(asked, **changes)  # type: ignore[arg-type]


def begins(slots: list[Slot]) -> list[datetime]:
    return [slot.starts_at for slot in slots]


def test_a_free_day_is_offered_one_visit_after_the_other() -> None:
    assert begins(question().next(5)) == [at(9), at(11), at(13), at(15), at(9, 1)]


def test_the_way_from_and_to_the_neighbours_is_left_free() -> None:
    suzhou = Stop(at(11), at(12), PLACES[1])  # 110 km of road: over two hours each way
    assert begins(question(stops=[suzhou]).next(2)) == [at(14.5), at(9, 1)]
    here = Stop(at(11), at(12), PLACES[0])
    assert begins(question(stops=[here]).next(3)) == [at(9), at(12), at(14)]


def test_leave_parts_and_notice_are_heeded() -> None:
    asked = question(away=[(at(8), at(13))], since=at(13, 1) + MINUTE)
    assert begins(asked.next(2)) == [at(13.5, 1), at(15.5, 1)]


def test_a_visit_is_no_longer_than_the_engineer_is_there_in_one_piece() -> None:
    halves = tuple((at(hour, day), at(hour + 4, day)) for day in range(2) for hour in (8, 13))
    found = question(length=30 * HOUR, working=halves, offered=halves).next(2)
    assert [(slot.starts_at, slot.ends_at) for slot in found] == [(at(8), at(12)), (at(13), at(17))]


def test_slots_after_the_promise_are_offered_and_say_so() -> None:
    found = question(deadline=at(12)).next(3)
    assert [slot.after_promise for slot in found] == [False, False, True]


def test_on_call_and_without_a_shift_nobody_is_visited_at_night() -> None:
    on_call = [(at(18), at(9, 1))]
    assert visiting_hours(((at(9), at(18)),), on_call, at(0), at(2, 1)) == (
        (at(9), at(20)),
        (at(8, 1), at(9, 1)),
    )
    assert visiting_hours(None, (), at(5), at(6)) == ((at(8), at(20)),)


# --- What an oracle says that looks at every minute and at every other visit ---


def km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """By the chord through the earth, which is another formula than the service's."""
    points = [
        (
            cos(radians(north)) * cos(radians(east)),
            cos(radians(north)) * sin(radians(east)),
            sin(radians(north)),
        )
        for north, east in (one, other)
    ]
    return 2 * 6371.0 * asin(sqrt(sum((a - b) ** 2 for a, b in zip(*points, strict=True))) / 2)


def minutes_between(one: Spot, other: Spot) -> float:
    if one.place and other.place:
        return km(one.place, other.place) * TRAVEL.road_factor / TRAVEL.km_per_hour * 60
    if one.city and one.city == other.city:
        return TRAVEL.same_city_minutes
    return TRAVEL.other_city_minutes


def possible(asked: Question, starts_at: datetime, length: timedelta) -> bool:
    """Each minute of it is at work, not on leave and nowhere else, and the neighbours can be reached."""
    ends_at = starts_at + length
    for number in range(int(length / MINUTE)):
        minute = starts_at + number * MINUTE
        if not any(since <= minute < until for since, until in asked.offered):
            return False
        if any(since <= minute < until for since, until in asked.away):
            return False
        if any(stop.begins <= minute < stop.ends for stop in asked.stops):
            return False
    before = [stop for stop in asked.stops if stop.ends <= starts_at]
    after = [stop for stop in asked.stops if stop.begins >= ends_at]
    for stop in (each for each in before if each.ends == max(other.ends for other in before)):
        if (starts_at - stop.ends) / MINUTE < minutes_between(stop.spot, asked.spot) - 1e-6:
            return False
    for stop in (each for each in after if each.begins == min(other.begins for other in after)):
        if (stop.begins - ends_at) / MINUTE < minutes_between(asked.spot, stop.spot) - 1e-6:
            return False
    return asked.since <= starts_at <= asked.until


@st.composite
def questions(draw: st.DrawFn) -> Question:
    quarters = st.integers(0, 4 * 24 * 3)

    def intervals(most: int, longest: int) -> list[Interval]:
        drawn = draw(st.lists(st.tuples(quarters, st.integers(1, longest)), max_size=most))
        found: list[Interval] = []
        for begin, length in sorted(drawn):
            since, until = at(begin / 4), at((begin + length) / 4)
            if not found or found[-1][1] < since:
                found.append((since, until))
        return found

    stops = [Stop(*each, draw(st.sampled_from(PLACES))) for each in intervals(5, 12)]
    since = at(draw(quarters) / 4) + draw(st.integers(0, 40)) * MINUTE
    offered = intervals(5, 60)
    return question(
        since=since,
        until=at(72),
        length=draw(st.sampled_from([30, 45, 60, 120, 200])) * MINUTE,
        working=offered,
        offered=offered,
        away=intervals(3, 40),
        stops=stops,
        spot=draw(st.sampled_from(PLACES)),
        deadline=draw(st.none() | st.builds(lambda each: at(each / 4), quarters)),
    )


@given(questions(), st.integers(1, 6))
@example(question(stops=[Stop(at(11), at(12), PLACES[1])]), 3)
@settings(max_examples=150, deadline=None)
def test_every_slot_can_be_kept_and_the_first_that_can_be_is_the_first(asked: Question, limit: int) -> None:
    found = asked.next(limit)
    assert len(found) <= limit
    for slot in found:
        assert possible(asked, slot.starts_at, slot.ends_at - slot.starts_at)
        assert asked.slot_at(slot.starts_at) == slot
        assert slot.after_promise == (asked.deadline is not None and slot.starts_at > asked.deadline)
    assert all(one.ends_at <= other.starts_at for one, other in pairwise(found))
    longest = max((ends - begins for begins, ends in asked.offered), default=asked.length)
    length = min(asked.length, longest)
    grid = datetime(2026, 11, 1, tzinfo=UTC) + GRID * (
        (asked.since - datetime(2026, 11, 1, tzinfo=UTC)) // GRID
    )
    places = [grid + number * GRID for number in range(int((asked.until - grid) / GRID) + 2)]
    can = [each for each in places if possible(asked, each, length)]
    assert begins(asked.next(1)) == can[:1]
    assert all(
        (asked.slot_at(each) is not None) == (each in can) for each in places[:: max(1, len(places) // 12)]
    )


# --- Whose wish it is, and what a link is for ---


NUMBERS = count(10)


def visit(starts_at: datetime, state: str = "agreed", *, wish: bool = False) -> Visit:
    ids = UUID(int=next(NUMBERS)), UUID(int=1), UUID(int=2)
    return Visit(*ids, starts_at, starts_at + 2 * HOUR, wish, state)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "chosen", "held", "wish"),
    [
        ({"deadline": at(12)}, at(11), None, False),
        ({"deadline": at(12)}, at(13), None, True),  # 11:00 was there to be had
        ({"deadline": at(10), "since": at(12)}, at(13), None, False),  # nobody was free in time
        ({"deadline": at(10), "since": at(12)}, at(13, 1), None, False),
        ({"deadline": at(12), "since": at(12)}, at(9, 1), visit(at(11)), True),  # they had it in time
        ({"deadline": at(12), "since": at(13)}, at(9, 1), visit(at(14)), False),
        ({"deadline": at(12), "since": at(13)}, at(9, 1), visit(at(14), wish=True), True),
        ({}, at(9), None, False),
        ({}, at(16, 4), None, True),  # beyond everything that was offered at first
        ({}, at(9, 1), visit(at(9)), True),
        ({}, at(9), visit(at(9, 1)), False),
    ],
)
def test_a_later_time_is_the_customers_wish_only_if_they_could_have_had_an_earlier_one_r58(
    changes: dict[str, object], chosen: datetime, held: Visit | None, wish: bool
) -> None:
    asked = question(**changes)
    late = asked.deadline is not None and chosen > asked.deadline
    assert wished(Slot(chosen, chosen + 2 * HOUR, late), held, asked) == wish


def test_a_link_is_for_its_own_episode() -> None:
    assert standing("accepted", same_episode=True) == "open"
    assert standing("accepted", same_episode=False) == "ended"
    found = {state: standing(state, same_episode=True) for state in ("needs_decision", "on_site", "resolved")}
    assert found == {"needs_decision": "nobody", "on_site": "coming", "resolved": "ended"}


def test_what_lapsed_is_to_be_agreed_anew_until_something_is() -> None:
    lapsed, later = visit(at(9), "lapsed"), visit(at(9))
    assert to_be_agreed_anew([lapsed])
    assert not to_be_agreed_anew([later, lapsed])
    assert not to_be_agreed_anew([])
