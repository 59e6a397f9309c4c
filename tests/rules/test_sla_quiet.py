"""Quiet rules put breaches together and never leave one out; retries double, and end after a day."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sla_monitor.sinks.rules import (
    KEEP_TRYING,
    MOST_LISTED,
    Aspect,
    Terms,
    Waiting,
    What,
    gather,
    key_of,
    quiet_over,
    resume_at,
    retry_at,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def notice(
    number: int,
    at: datetime,
    what: What = "breach",
    owner: str = "a",
    region: str = "east",
    promise: str = "p",
) -> Waiting:
    return Waiting(UUID(int=number), UUID(int=1000 + number), what, owner, region, promise, at)


def run(notices: list[Waiting], terms: Terms, until: datetime) -> list[tuple[datetime, tuple[Waiting, ...]]]:
    """The messages that a lane makes: it looks when a notice comes and when `gather` says so."""
    made: list[tuple[datetime, tuple[Waiting, ...]]] = []
    latest: dict[str, datetime] = {}
    told: set[UUID] = set()
    now = min((each.raised_at for each in notices), default=until)
    while now <= until:
        waiting = [each for each in notices if each.raised_at <= now and each.id not in told]
        found = gather(waiting, latest, terms, now)
        for group in found.groups:
            made.append((now, group.notices))
            latest[group.key] = now
            told |= {each.id for each in group.notices}
        to_come = [each.raised_at for each in notices if each.raised_at > now]
        now = min([*to_come, *([found.again] if found.again else []), until + SECOND])
    return made


ASPECTS: tuple[Aspect, ...] = ("owner", "region", "promise")
TERMS = st.builds(
    Terms,
    group_by=st.lists(st.sampled_from(ASPECTS), unique=True).map(tuple),
    window=st.integers(0, 600),
    gather=st.integers(0, 300),
    quiet_from=st.just(time(20)),
    quiet_until=st.just(time(7)),
)
NOTICES = st.lists(
    st.tuples(
        st.integers(0, 3600), st.sampled_from("ab"), st.sampled_from(["east", "west"]), st.sampled_from("pq")
    ),
    max_size=40,
)


@given(NOTICES, TERMS)
@settings(max_examples=150, deadline=None)
def test_every_breach_is_told_once_and_in_time(drawn: list[tuple[int, str, str, str]], terms: Terms) -> None:
    raised = [notice(n, NOON + at * SECOND, "breach", *facts) for n, (at, *facts) in enumerate(drawn)]
    made = run(raised, terms, NOON + timedelta(hours=3))
    told = [each for _, listed in made for each in listed]
    assert sorted(each.id for each in told) == sorted(each.id for each in raised)
    for at, listed in made:
        assert len({key_of(each, terms) for each in listed}) == 1
        assert all(at - each.raised_at <= terms.gather * SECOND for each in listed)


def test_the_first_goes_out_at_once_and_those_soon_after_it_together() -> None:
    raised = [notice(n, NOON + n * 10 * SECOND) for n in range(5)]
    made = run(raised, Terms(window=300, gather=60), NOON + 10 * MINUTE)
    assert [(at - NOON, len(listed)) for at, listed in made] == [(0 * SECOND, 1), (70 * SECOND, 4)]


def test_another_owner_does_not_wait() -> None:
    raised = [notice(1, NOON), notice(2, NOON + SECOND, "breach", "b"), notice(3, NOON + SECOND)]
    made = run(raised, Terms(window=300, gather=60), NOON + 10 * MINUTE)
    assert [at - NOON for at, _ in made] == [0 * SECOND, SECOND, 61 * SECOND]


def test_a_window_that_ends_ends_the_waiting() -> None:
    raised = [notice(1, NOON), notice(2, NOON + 5 * SECOND)]
    made = run(raised, Terms(window=10, gather=60), NOON + MINUTE)
    assert [at - NOON for at, _ in made] == [0 * SECOND, 10 * SECOND]


def test_more_than_a_message_holds_becomes_several() -> None:
    found = gather([notice(n, NOON) for n in range(MOST_LISTED + 1)], {}, Terms(), NOON)
    assert [len(group.notices) for group in found.groups] == [MOST_LISTED, 1]


NIGHT = Terms(quiet_from=time(20), quiet_until=time(7), zone="Asia/Shanghai")


def test_in_quiet_hours_warnings_wait_and_breaches_do_not() -> None:
    at_night = datetime(2026, 11, 20, 23, tzinfo=SHANGHAI).astimezone(UTC)
    found = gather([notice(1, at_night, "warning"), notice(2, at_night)], {}, NIGHT, at_night)
    assert [group.what for group in found.groups] == ["breach"]
    assert found.again == datetime(2026, 11, 21, 7, tzinfo=SHANGHAI)


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=SHANGHAI)


LUNCH = Terms(quiet_from=time(12), quiet_until=time(13))


@pytest.mark.parametrize(
    ("terms", "now", "over"),
    [
        (NIGHT, local(20, 19, 59), None),
        (NIGHT, local(20, 20), local(21, 7)),
        (NIGHT, local(21, 6, 59), local(21, 7)),
        (NIGHT, local(21, 7), None),
        (LUNCH, local(20, 12, 30), local(20, 13)),
        (Terms(), local(20, 3), None),
    ],
)
def test_when_quiet_hours_end(terms: Terms, now: datetime, over: datetime | None) -> None:
    assert quiet_over(terms, now.astimezone(UTC)) == over


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet_from": "20:00"},
        {"zone": "Atlantis/Capital"},
        {"roles": []},
        {"gather": 901},
        {"window": -1},
        {"quiet_from": "20:00+08:00", "quiet_until": "07:00"},
        {"group_by": ["weather"]},
    ],
)
def test_terms_that_cannot_be_kept_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(wrong)


def test_pauses_double_up_to_a_quarter_of_an_hour_and_end_after_a_day() -> None:
    until = NOON + KEEP_TRYING
    pauses = [retry_at(n, NOON, until, 0.0) for n in (1, 2, 3, 4, 20)]
    assert [at - NOON for at in pauses if at] == [
        5 * SECOND,
        10 * SECOND,
        20 * SECOND,
        40 * SECOND,
        15 * MINUTE,
    ]
    assert retry_at(1, NOON, until, 1.0) == NOON + 2.5 * SECOND  # half of it is chance
    assert retry_at(90, until - SECOND, until, 0.0) == until  # once more at the very end
    assert retry_at(91, until, until, 0.0) is None


def test_a_sink_that_fails_rests_a_minute_at_most() -> None:
    assert [resume_at(n, NOON, 0.0) - NOON for n in (1, 2, 7, 60)] == [SECOND, 2 * SECOND, MINUTE, MINUTE]
