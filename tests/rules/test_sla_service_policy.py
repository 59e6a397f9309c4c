"""What customers read is what they are promised, and nothing of what is not for them (R63, R135)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from contracts.stories import CHINA, shanghai
from shared.i18n.catalogues import load
from shared.i18n.language import Language, speaking
from sla_monitor.app import HERE
from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import (
    ExceptionalDay,
    Window,
    add_working,
    instant_on,
    is_open,
    next_working_day,
)
from sla_monitor.calendars.versions import Content
from sla_monitor.clocks.rules import Happening, evaluate
from sla_monitor.policies.rules import ByHours, Case, NextWorkingDay, Policy, Promise, Simple, Wall, Working
from sla_monitor.policies.shipped import FIRST_REPLY, SHIPPED
from sla_monitor.service_policy import words
from sla_monitor.service_policy.rules import CHANNELS, SEVERITIES, Free, Reply, office, promised

NINE_TO_SIX = (Window(9 * 3600, 18 * 3600),)
ENGLISH, CHINESE = Language("en"), Language("zh-CN", load(HERE, "zh-CN"))


def test_the_shipped_promises_as_customers_read_them() -> None:
    told = promised(SHIPPED)
    with speaking(ENGLISH):
        assert told.picked_up is not None
        assert told.picked_up.inside is not None
        assert (words.within(told.picked_up.inside), told.picked_up.outside) == ("within 1 minute", None)
        (reply,) = told.replies  # R52 and R59 say the same
        assert words.channels(reply.channels) == "E-mail, online chat, web form, social media, and SMS"
        assert reply.times.inside is not None
        assert reply.times.outside is not None
        assert words.within(reply.times.inside) == "within 1 hour"
        assert words.within(reply.times.outside).startswith(
            "by 09:00 on the next working day, or within 1 hour"
        )
        shown = {
            (grade.severity, name): words.within(times.inside)
            for grade in told.grades
            for name in ("near", "far", "visit", "progress", "solved")
            if (times := getattr(grade, name)) and times.inside
        }
    assert shown == {
        ("urgent", "near"): "within 2 hours",
        ("urgent", "far"): "within 24 hours",
        ("urgent", "progress"): "within 2 hours",
        ("urgent", "solved"): "within 24 hours",
        ("important", "near"): "within 24 hours",
        ("important", "far"): "within 48 hours",
        ("important", "progress"): "within 8 hours",
        ("important", "solved"): "within 72 hours",
        ("general", "visit"): "within 48 hours",
        ("general", "progress"): "within 24 hours",
        ("general", "solved"): "within 7 days",
    }


def test_lengths_in_both_languages() -> None:
    spans = [timedelta(seconds=90), timedelta(minutes=3), timedelta(hours=48), timedelta(days=7)]
    with speaking(ENGLISH):
        assert [words.length(each) for each in spans] == ["90 seconds", "3 minutes", "48 hours", "7 days"]
    with speaking(CHINESE):
        assert [words.length(each) for each in spans] == ["90秒", "3分钟", "48小时", "7天"]


def test_what_a_house_promises_to_itself_or_to_some_is_not_told() -> None:
    vip = Case(when={"customer_level": ("vip",)}, target=Wall(length=timedelta(minutes=7), requirement="H1"))
    secret = FIRST_REPLY.model_copy(update={"code": "board_member", "cases": (vip,)})
    everybody = Case(target=Wall(length=timedelta(hours=3), requirement="H2"))
    policy = Policy(
        calendar="cn",
        promises=(FIRST_REPLY.model_copy(update={"cases": (vip, everybody)}), secret, *SHIPPED.promises[3:4]),
    )
    told = promised(policy)
    assert [each.times.inside.length for each in told.replies if isinstance(each.times.inside, Wall)] == [
        timedelta(hours=3)
    ]
    assert (told.grades, told.picked_up, told.grace) == ((), None, None)
    assert not any(secret in repr(told) for secret in ("H1", "H2", "vip", "board_member", "accept"))


def test_what_is_switched_off_is_not_promised() -> None:
    off = tuple(each.model_copy(update={"enabled": False}) for each in SHIPPED.promises)
    told = promised(Policy(calendar="cn", promises=off))
    assert (told.replies, told.grades, told.called_back, told.wishes) == ((), (), None, False)


# A customer who acts on what the page says is right: the clock has the same deadline.

lengths = st.integers(1, 400).map(lambda minutes: timedelta(minutes=minutes))
wall = st.builds(Wall, length=lengths, requirement=st.just("A"))
simple = st.one_of(
    wall,
    st.builds(Working, length=lengths, requirement=st.just("B")),
    st.builds(
        NextWorkingDay, by=st.sampled_from([time(9), time(8, 30)]), at_least=lengths, requirement=st.just("C")
    ),
)
targets = st.one_of(
    simple,
    st.builds(ByHours, in_hours=st.none() | simple, out_of_hours=st.none() | simple, carry=st.booleans()),
    st.builds(ByHours, in_hours=wall, out_of_hours=simple, carry=st.just(True)),
)


def some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True).map(tuple)


whens = st.fixed_dictionaries(
    {},
    optional={
        "channel": some((*CHANNELS, "webhook")),
        "severity": some(SEVERITIES),
        "customer_level": st.just(("vip",)),
    },
)
cases = st.lists(st.builds(Case, when=whens, target=targets), min_size=1, max_size=4).map(tuple)
# From the middle of September to the end of October: with holidays and make-up working days; half of them
# in the last hours before closing, where it matters how the time is counted.
moments = st.builds(
    lambda day, seconds: shanghai(9, 15, 0) + timedelta(days=day, seconds=seconds),
    st.integers(0, 44),
    st.integers(0, 24 * 3600 - 1) | st.integers(15 * 3600, 18 * 3600),
)


STARTS, STOPS = ("intake.request_registered",), ("intake.request_answered",)


def read(reply: Reply, at: datetime) -> datetime | None:
    """The deadline as a customer reckons it who has the page and a calendar on the wall."""
    times: Simple | None = reply.times.inside if is_open(CHINA, at) else reply.times.outside
    match times:
        case Wall():
            return at + times.length
        case Working():
            return add_working(CHINA, at, times.length)
        case NextWorkingDay():
            day = next_working_day(CHINA, at)
            if instant_on(CHINA, day, times.by) <= at:
                day = next_working_day(CHINA, at, strict=True)
            return max(instant_on(CHINA, day, times.by), at + times.at_least)
        case None:
            return None


@given(cases, moments)
def test_the_page_and_the_clock_agree_for_everybody(made: tuple[Case, ...], at: datetime) -> None:
    promise = Promise(
        code="first_reply", about="request", per="subject", starts=STARTS, stops=STOPS, cases=made
    )
    told = promised(Policy(calendar="cn", promises=(promise,)))
    for channel, severity in product(CHANNELS, SEVERITIES):
        facts: dict[str, Any] = {"channel": channel, "severity": severity, "customer_level": "standard"}
        asked = Happening(UUID(int=1), "intake.request_registered", 1, at, facts)
        clocks = evaluate(Policy(calendar="cn", promises=(promise,)), CHINA, [asked])
        expected = clocks[0].deadline if clocks else None
        lines = [
            each
            for each in told.replies
            if channel in each.channels and (not each.severities or severity in each.severities)
        ]
        assert len(lines) <= 1
        assert (read(lines[0], at) if lines else None) == expected


# Hours and free days.


def content(*days: ExceptionalDay) -> Content:
    return Content(ZONE, WEEK, days, "test")


def test_free_days_are_told_as_the_authorities_announce_them() -> None:
    """2026: 1–3 January, 15–23 February, 4–6 April, 1–5 May, 19–21 June, 25–27 September, 1–7 October."""
    found = office(content(*chinese_days(2025, 2027)[1]), (), date(2026, 1, 2))
    assert [(each.first, each.last, each.names) for each in found.free if each.first.year == 2026] == [
        (date(2026, 1, 1), date(2026, 1, 3), ("元旦",)),  # began before today
        (date(2026, 2, 15), date(2026, 2, 23), ("农历除夕", "春节")),
        (date(2026, 4, 4), date(2026, 4, 6), ("清明节",)),
        (date(2026, 5, 1), date(2026, 5, 5), ("劳动节",)),
        (date(2026, 6, 19), date(2026, 6, 21), ("端午节",)),
        (date(2026, 9, 25), date(2026, 9, 27), ("中秋节",)),
        (date(2026, 10, 1), date(2026, 10, 7), ("国庆节",)),
    ]
    assert [each.day.isoformat() for each in found.make_up] == [
        "2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10",
    ]  # fmt: skip
    assert [(each.first, each.last) for each in found.week] == [(0, 4), (5, 6)]
    assert found.uncertain == (2027,)


def test_what_a_person_called_a_day_is_the_houses_own() -> None:
    closed = ExceptionalDay(date(2026, 11, 25), (), "Layoff meeting", "entered")
    short = ExceptionalDay(date(2026, 12, 24), (Window(9 * 3600, 12 * 3600),), "Party", "imported")
    same = ExceptionalDay(date(2026, 12, 28), NINE_TO_SIX, "Audit", "entered")
    found = office(content(closed, short, same), ("north",), date(2026, 11, 20))
    assert found.free == (Free(date(2026, 11, 25), date(2026, 11, 25), ()),)
    assert [each.day for each in found.shorter] == [short.day]
    assert not any(name in repr(found) for name in ("Layoff", "Party", "Audit"))


def test_a_week_that_never_changes_has_no_free_days() -> None:
    found = office(Content("UTC", (NINE_TO_SIX,) * 7, (), "test"), (), shanghai(11, 20, 9).date())
    assert (found.free, found.make_up, len(found.week), found.uncertain) == ((), (), 1, ())
