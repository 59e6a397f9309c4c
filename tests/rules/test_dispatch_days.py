"""An engineer's day: what is agreed stands, the ways are kept, and nothing is lost (R25, R54–R58, R60)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import radians
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dispatch.assignment.policy import SHIPPED
from dispatch.assignment.ways import Spot
from dispatch.days.rules import Block, Day, Stop, Worker, bounds, plan_ahead, plan_day, without
from dispatch.organisation.roster import Interval
from shared.i18n import ZONE

TODAY = date(2026, 11, 23)
KM_PER_DEGREE = 6371.0 * radians(1)
HOUR = timedelta(hours=1)


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


def spot(hours: float) -> Spot:
    """So many hours by road to the north of the centre: along a meridian a straight line is easily told."""
    travel = SHIPPED.travel
    return Spot((31 + hours * travel.km_per_hour / travel.road_factor / KM_PER_DEGREE, 121.0), "shanghai")


OFFICE = (at(9), at(18))
WORKER = Worker(UUID(int=99), spot(0), (OFFICE,))


def stop(number: int, *, hours: float = 0, length: float = 1, **more: Any) -> Stop:
    return Stop(UUID(int=number), spot(hours), timedelta(hours=length), **more)


def plan(*stops: Stop, worker: Worker = WORKER) -> Day:
    return plan_day(worker, TODAY, stops, SHIPPED)


def told(day: Day) -> list[str]:
    """`kind 09:00-10:00 number` of everything but what is free or away."""
    return [tell(each) for each in day.blocks if each.ticket_id]


def tell(block: Block) -> str:
    begins, ends = (f"{each.astimezone(ZONE):%H:%M}" for each in (block.starts_at, block.ends_at))
    return f"{block.kind} {begins}-{ends} {block.ticket_id.int if block.ticket_id else ''}".strip()


def test_an_empty_day_is_free_within_the_shift_and_away_around_it() -> None:
    assert [tell(each) for each in plan().blocks] == [
        "away 00:00-09:00", "free 09:00-18:00", "away 18:00-00:00",
    ]  # fmt: skip


def test_who_has_leave_is_away() -> None:
    worker = replace(WORKER, leave=((at(12), at(20)),))
    assert "free 09:00-12:00" in [tell(each) for each in plan(worker=worker).blocks]


def test_the_way_begins_at_the_centre_and_work_as_soon_as_one_is_there() -> None:
    assert told(plan(stop(1, hours=0.5))) == ["travel 09:00-09:30 1", "work 09:30-10:30 1"]


def test_a_visit_stands_where_it_was_agreed_and_one_leaves_just_in_time() -> None:
    assert told(plan(stop(1, hours=0.5, agreed=(at(14), at(16))))) == [
        "travel 13:30-14:00 1", "visit 14:00-16:00 1",
    ]  # fmt: skip


def test_what_is_due_first_comes_first() -> None:
    day = plan(stop(1, length=5, arrive_by=at(17)), stop(2, length=5, done_by=at(15)))
    assert told(day) == ["work 09:00-14:00 2"]
    assert [(each.ticket_id.int, each.because) for each in day.left_over] == [(1, "no_time")]


def test_what_is_due_at_the_same_time_goes_by_distance() -> None:
    day = plan(stop(1, hours=2, length=4), stop(2, hours=1, length=4))
    assert told(day) == ["travel 09:00-10:00 2", "work 10:00-14:00 2"]


def test_work_goes_where_it_costs_the_least_way_unless_it_would_be_late_there() -> None:
    """On from the visit, although the morning is free too: there it would be a way and back."""
    visit = stop(1, hours=1, agreed=(at(15), at(16)))
    assert told(plan(visit, stop(2, hours=2)))[-2:] == ["travel 16:00-17:00 2", "work 17:00-18:00 2"]
    assert told(plan(visit, stop(2, hours=2, arrive_by=at(12))))[:2] == [
        "travel 09:00-11:00 2", "work 11:00-12:00 2",
    ]  # fmt: skip


def test_two_visits_too_far_apart_say_by_how_much_one_comes_late() -> None:
    day = plan(stop(1, agreed=(at(9), at(10))), stop(2, hours=3, agreed=(at(11), at(12))))
    assert told(day)[1:] == ["travel 10:00-11:00 2", "visit 11:00-12:00 2"]
    assert day.blocks[-3].late_by == 2 * HOUR


def test_late_is_told_against_the_promise() -> None:
    day = plan(stop(1, hours=1, arrive_by=at(9, 30)), stop(2, hours=1, done_by=at(18)))
    assert [each.late_by for each in day.blocks if each.kind == "work"] == [timedelta(minutes=30), None]


def test_nothing_new_begins_before_now_and_who_has_not_left_yet_comes_late() -> None:
    worker = replace(WORKER, since=at(11))
    day = plan(stop(1, hours=1, agreed=(at(11, 30), at(12))), stop(2, length=1), worker=worker)
    assert told(day)[:2] == ["travel 11:00-11:30 1", "visit 11:30-12:00 1"]
    assert next(each.late_by for each in day.blocks if each.kind == "visit") == timedelta(minutes=30)
    assert told(day)[-1] == "work 13:00-14:00 2"


def test_what_is_under_way_ends_where_the_next_visit_begins() -> None:
    day = plan(stop(1, taken=(at(9, 40), at(12))), stop(2, agreed=(at(11), at(12))))
    assert told(day) == ["work 09:40-11:00 1", "visit 11:00-12:00 2"]


def test_who_is_on_the_way_arrives_and_nothing_is_put_before() -> None:
    worker = replace(WORKER, since=at(10))
    day = plan(stop(1, hours=2, set_out=at(9, 30)), stop(2, length=1), worker=worker)
    assert told(day)[:2] == ["travel 09:30-11:30 1", "work 11:30-12:30 1"]
    assert told(day)[-1] == "work 14:30-15:30 2"


def test_why_something_is_left_over() -> None:
    day = plan(
        stop(1, waits=True),
        stop(2, length=10),
        stop(3, not_before=at(17, 30)),
        stop(4, agreed=(at(9), at(11))),
        stop(5, agreed=(at(10), at(12))),
    )
    assert {each.ticket_id.int: each.because for each in day.left_over} == {
        1: "waits", 2: "too_long", 3: "parts_come_later", 5: "collides",
    }  # fmt: skip
    assert [each.because for each in plan(stop(1), worker=replace(WORKER, working=())).left_over] == ["away"]


def test_parts_are_waited_for_but_not_at_the_centre() -> None:
    assert told(plan(stop(1, hours=1, not_before=at(11))))[0] == "travel 10:00-11:00 1"


def test_what_is_left_over_is_open_on_the_next_day() -> None:
    tomorrow = replace(WORKER, working=((at(9, day=24), at(18, day=24)),))
    days = [(WORKER, TODAY, [stop(1, length=6), stop(2, length=5)]), (tomorrow, date(2026, 11, 24), [])]
    assert told(plan_ahead(days[:1], SHIPPED)) == ["work 09:00-15:00 1"]
    assert told(plan_ahead(days, SHIPPED)) == ["work 09:00-14:00 2"]


QUARTER = timedelta(minutes=15)
QUARTERS = st.integers(0, 95)
SPANS = st.tuples(QUARTERS, st.integers(1, 20)).map(
    lambda each: (at(0) + each[0] * QUARTER, at(0) + (each[0] + each[1]) * QUARTER)
)
MOMENTS = st.none() | QUARTERS.map(lambda each: at(0) + each * QUARTER)
HOURS = st.sampled_from((0.0, 0.25, 0.5, 1.0, 2.5))


@st.composite
def stops(draw: st.DrawFn) -> list[Stop]:
    """Agreed visits that do not meet, as the database wants it; work; what has begun."""
    found: list[Stop] = []
    for span in draw(st.lists(SPANS, max_size=4)):
        if all(span[0] >= each.agreed[1] or span[1] <= each.agreed[0] for each in found if each.agreed):
            found.append(stop(len(found), hours=draw(HOURS), agreed=span))
    for span in draw(st.lists(SPANS, max_size=2)):
        found.append(stop(len(found), hours=draw(HOURS), taken=span))
    for _ in range(draw(st.integers(0, 6))):
        deadlines = {name: draw(MOMENTS) for name in ("arrive_by", "done_by", "agree_by", "not_before")}
        length = draw(st.integers(1, 20)) / 4
        waits = draw(st.integers(0, 9)) == 0
        found.append(stop(len(found), hours=draw(HOURS), length=length, waits=waits, **deadlines))
    return draw(st.permutations(found))


WORKERS = st.builds(
    lambda working, leave, since: replace(WORKER, working=working, leave=leave, since=since),
    st.none() | st.just((OFFICE,)) | st.just(((at(8), at(12)), (at(13), at(17)))),
    st.just(()) | SPANS.map(lambda each: (each,)),
    MOMENTS,
)


def minutes_of(blocks: list[Block], kinds: set[str]) -> set[datetime]:
    """The minutes, counted one by one, that are in blocks of these kinds."""
    found: set[datetime] = set()
    for each in blocks:
        moment = each.starts_at
        while each.kind in kinds and moment < each.ends_at:
            found.add(moment)
            moment += timedelta(minutes=1)
    return found


@given(WORKERS, stops())
def test_a_day_has_no_gaps_and_nobody_is_at_two_places(worker: Worker, given_stops: list[Stop]) -> None:
    day = plan(*given_stops, worker=worker)
    assert all(one.ends_at == other.starts_at for one, other in zip(day.blocks, day.blocks[1:], strict=False))
    begins, ends = bounds(TODAY)
    assert day.blocks[0].starts_at <= begins
    assert day.blocks[-1].ends_at >= ends
    assert all(each.starts_at < each.ends_at for each in day.blocks)


@given(WORKERS, stops())
def test_everything_is_in_the_day_or_left_over_exactly_once(worker: Worker, given_stops: list[Stop]) -> None:
    day = plan(*given_stops, worker=worker)
    placed = [each.ticket_id for each in day.blocks if each.kind in ("visit", "work")]
    assert sorted([*placed, *(each.ticket_id for each in day.left_over)], key=str) == sorted(
        (each.ticket_id for each in given_stops), key=str
    )


@given(WORKERS, stops())
def test_an_agreed_visit_is_never_moved(worker: Worker, given_stops: list[Stop]) -> None:
    day = plan(*given_stops, worker=worker)
    visits = {each.ticket_id: (each.starts_at, each.ends_at) for each in day.blocks if each.kind == "visit"}
    assert visits == {each.ticket_id: each.agreed for each in given_stops if each.agreed}


@given(WORKERS, stops())
def test_the_way_to_everything_is_kept_or_lateness_is_told(worker: Worker, given_stops: list[Stop]) -> None:
    day, by_id = plan(*given_stops, worker=worker), {each.ticket_id: each for each in given_stops}
    here, left_at = 31.0, None
    for each in [each for each in day.blocks if each.kind in ("visit", "work")]:
        asked = by_id[each.ticket_id or UUID(int=0)]
        assert asked.spot.place is not None
        travel = SHIPPED.travel
        road = abs(asked.spot.place[0] - here) * KM_PER_DEGREE * travel.road_factor
        needed = timedelta(hours=road / travel.km_per_hour)
        ready = [instant for instant in (left_at, worker.since) if instant]
        if asked.taken is None and ready and each.starts_at + timedelta(seconds=1) < max(ready) + needed:
            assert asked.agreed
            assert each.late_by
            assert each.late_by >= max(ready) + needed - each.starts_at - timedelta(seconds=1)
        here, left_at = asked.spot.place[0], each.ends_at


@given(WORKERS, stops())
def test_work_and_its_way_lie_within_working_time(worker: Worker, given_stops: list[Stop]) -> None:
    day, by_id = plan(*given_stops, worker=worker), {each.ticket_id: each for each in given_stops}
    working: list[Interval] = [bounds(TODAY)] if worker.working is None else [*worker.working]
    for each in day.blocks:
        asked = by_id.get(each.ticket_id or UUID(int=10**6))
        if asked is None or not asked.is_open:
            continue
        assert any(begins <= each.starts_at and each.ends_at <= ends for begins, ends in working)
        assert all(each.ends_at <= begins or ends <= each.starts_at for begins, ends in worker.leave)
        assert worker.since is None or each.starts_at >= worker.since
        if each.kind == "work":
            assert each.ends_at - each.starts_at == asked.length
            assert asked.not_before is None or each.starts_at >= asked.not_before
            over = [each.starts_at - asked.arrive_by] if asked.arrive_by else []
            over += [each.ends_at - asked.done_by] if asked.done_by else []
            late = max([timedelta(), *over])
            assert (each.late_by or timedelta()) == late


@given(WORKERS, stops(), st.randoms())
def test_the_same_stops_in_any_order_make_the_same_day(
    worker: Worker, given_stops: list[Stop], chance: Any
) -> None:
    day = plan(*given_stops, worker=worker)
    chance.shuffle(given_stops)
    again = plan(*given_stops, worker=worker)
    assert (again.blocks, set(again.left_over)) == (day.blocks, set(day.left_over))


@given(st.lists(SPANS, max_size=4), st.lists(SPANS, max_size=4))
def test_time_is_taken_away_minute_by_minute(whole: list[Interval], taken: list[Interval]) -> None:
    def minutes(spans: Any) -> set[datetime]:
        return minutes_of([Block("free", *each) for each in spans], {"free"})

    assert minutes(without(whole, taken)) == minutes(whole) - minutes(taken)
