"""What would have been: two rulings beside each other, and the reasons of every difference."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from shared.i18n import speaking
from shared.i18n.language import Language
from sla_monitor.calendars.chinese import WEEK, ZONE, chinese_days
from sla_monitor.calendars.rules import Calendar, window
from sla_monitor.clocks.rules import Happening
from sla_monitor.clocks.rules.changes import WITHDRAWN, StoredClock, begin
from sla_monitor.policies.rules import Case, Policy, Promise, Waiting, Wall, Working
from sla_monitor.replay import words
from sla_monitor.replay.rules import Compared, Reason, Recorded, Trial, unreproduced
from sla_monitor.replay.tally import Tally, heat, total

CHINA = Calendar(ZONE, WEEK, {each.day: each.windows for each in chinese_days(2026, 2027)[1]})
LATE_SHIFT = Calendar(ZONE, ((window(time(12), time(21)),),) * 5 + ((),) * 2)
TEN = datetime(2026, 11, 20, 10, tzinfo=ZoneInfo(ZONE))  # an ordinary working Friday
HOUR = timedelta(hours=1)
STARTS, STOPS = "dispatch.ticket_assigned", "dispatch.engineer_arrived"


def promise(target: Wall | Working, code: str = "on_site", **more: Any) -> Promise:
    return Promise(
        code=code, about="ticket", per="episode", starts=(STARTS,), stops=(STOPS,),
        cases=(Case(target=target),), **more,
    )  # fmt: skip


def policy(*promises: Promise) -> Policy:
    return Policy(calendar="cn", promises=promises)


def wall(hours: float) -> Wall:
    return Wall(length=hours * HOUR, requirement="R54")


def working(hours: float) -> Working:
    return Working(length=hours * HOUR, requirement="R54")


def ticket(*events: tuple[str, float], number: int = 1, **facts: Any) -> Recorded:
    """A ticket to which things happened so many hours after ten o'clock."""
    told = [
        Happening(UUID(int=at), kind, at, (TEN + hours * HOUR).astimezone(UTC), facts)
        for at, (kind, hours) in enumerate(events, start=1)
    ]
    return Recorded(UUID(int=number), f"T-{number}", told)


def trial(
    base: Policy, tried: Policy, *, until: float = 1000, calendar: Calendar = CHINA, other: Calendar = CHINA
) -> Trial:
    return Trial(lambda *_: (base, calendar), lambda *_: (tried, other), TEN + until * HOUR)


def whys(compared: Compared) -> list[str]:
    return [reason.why for changed in compared.changes for reason in changed.reasons]


ARRIVES_AFTER_AN_HOUR = ticket((STARTS, 0), (STOPS, 1))


def test_the_same_rules_change_nothing() -> None:
    same = policy(promise(wall(2)))
    compared = trial(same, same).compare(ARRIVES_AFTER_AN_HOUR)
    assert compared.changes == ()
    assert compared.base == compared.tried


def test_less_time_makes_a_kept_promise_a_missed_one_and_says_so() -> None:
    compared = trial(policy(promise(wall(2))), policy(promise(wall(0.5)))).compare(ARRIVES_AFTER_AN_HOUR)
    [changed] = compared.changes
    assert [each.why for each in changed.reasons] == ["allowance", "deadline", "outcome"]
    assert changed.reasons[0] == Reason("allowance", 7200.0, 1800.0)
    assert changed.reasons[2] == Reason("outcome", "met", "breached")
    assert (compared.base.whole, compared.tried.whole) == ("met", "breached")
    assert compared.breaches == {"base": {}, "tried": {("on_site", 1): 10}}  # due 10:30


def test_another_measure_is_a_reason() -> None:
    compared = trial(policy(promise(wall(9))), policy(promise(working(9)))).compare(
        ticket((STARTS, 0), (STOPS, 10))  # 20:00; the office closes at 18:00
    )
    assert whys(compared) == ["measure", "deadline", "outcome"]


def test_other_working_hours_are_a_reason() -> None:
    same = policy(promise(working(2)))
    compared = trial(same, same, other=LATE_SHIFT).compare(ARRIVES_AFTER_AN_HOUR)
    assert whys(compared) == ["calendar", "deadline"]  # 14:00 instead of 12:00


def test_a_pause_is_a_reason_and_two_at_once_count_once() -> None:
    waits = [
        Waiting(begins=(f"dispatch.{name}_begins",), ends=(f"dispatch.{name}_ends",), reason=name)
        for name in ("a", "b")
    ]
    history = ticket(
        (STARTS, 0), ("dispatch.a_begins", 1), ("dispatch.b_begins", 2), ("dispatch.a_ends", 3),
        ("dispatch.b_ends", 4), (STOPS, 5),
    )  # fmt: skip
    compared = trial(policy(promise(wall(2))), policy(promise(wall(2), pauses=tuple(waits)))).compare(history)
    assert compared.changes[0].reasons[0] == Reason("pauses", 0.0, 3 * 3600.0)


def test_what_is_promised_only_on_one_side_is_told() -> None:
    one, two = policy(promise(wall(2))), policy(promise(wall(2)), promise(wall(3), "other"))
    assert whys(trial(one, two).compare(ARRIVES_AFTER_AN_HOUR)) == ["promised", "outcome"]
    assert whys(trial(two, one).compare(ARRIVES_AFTER_AN_HOUR)) == ["not_promised", "outcome"]


def test_another_severity_or_start_or_ending_is_a_reason() -> None:
    base = policy(promise(wall(2)))
    other = policy(promise(wall(2)).model_copy(update={"starts": ("dispatch.ticket_opened",)}))
    history = ticket(("dispatch.ticket_opened", -1), (STARTS, 0), (STOPS, 1.5))
    assert whys(trial(base, other).compare(history)) == ["start", "deadline", "outcome"]
    ends = policy(promise(wall(2), cancels=("dispatch.ticket_closed",)))
    history = ticket((STARTS, 0), ("dispatch.ticket_closed", 0.5), (STOPS, 1))
    assert whys(trial(base, ends).compare(history)) == ["ending", "outcome"]


def test_only_what_differs_is_folded_twice_and_the_result_is_the_same() -> None:
    base = policy(promise(wall(2)), promise(wall(1), "quick"))
    other = policy(promise(wall(3)), promise(wall(1), "quick"))
    quick = trial(base, other).compare(ARRIVES_AFTER_AN_HOUR)
    # Another value of the same calendar cannot be told to be the same: everything is folded.
    twin = Calendar(CHINA.zone, CHINA.week, CHINA.days)
    whole = trial(base, other, other=twin).compare(ARRIVES_AFTER_AN_HOUR)
    assert quick == whole


def test_what_is_not_over_at_the_end_is_pending() -> None:
    same = policy(promise(wall(2)))
    assert trial(same, same, until=1).compare(ticket((STARTS, 0))).base.whole == "running"
    assert trial(same, same, until=3).compare(ticket((STARTS, 0))).base.whole == "breached"


def test_a_ticket_is_kept_when_all_its_response_clocks_are() -> None:
    """Decision 7: per ticket all of them, and the others do not count."""
    responses = (promise(wall(2)), promise(wall(0.5), "quick"))
    others = (promise(wall(2)), promise(wall(0.5), "quick", is_response=False))
    compared = trial(policy(*responses), policy(*others)).compare(ARRIVES_AFTER_AN_HOUR)
    assert (compared.base.whole, compared.tried.whole) == ("breached", "met")


def test_figures_add_up_and_travel_as_json() -> None:
    run = trial(policy(promise(wall(2))), policy(promise(wall(0.5))))
    compared = [
        run.compare(ticket((STARTS, 0), (STOPS, 1), number=n, centre="North", region="east"))
        for n in range(1, 6)
    ]
    halves, other = total(compared[:2]), total(compared[2:])
    halves.merge(other)
    assert halves == total(compared)
    assert Tally.read(json.loads(json.dumps(halves.plain()))) == halves
    assert halves.whole("base").share == 1.0
    assert halves.whole("tried").share == 0.0
    assert halves.of("tried", "on_site").breached == 5
    [row] = heat(halves.teams)
    assert (row.name, row.base, row.tried, row.hours[10]) == ("North", 0, 5, 5)


def test_nothing_decided_has_no_share() -> None:
    assert Tally().whole("base").share is None


def stored(recorded: Recorded, rules: Policy) -> list[StoredClock]:
    """The clocks of a history as a live service would have stored them."""
    clocks = trial(rules, rules).compare(recorded).base.clocks
    return [begin(UUID(int=9), recorded.id, each, (1, 1), TEN).clock for each in clocks]


def test_a_stored_clock_that_differs_in_anything_is_noticed() -> None:
    rules = policy(promise(wall(2)))
    [known] = stored(ARRIVES_AFTER_AN_HOUR, rules)
    folded = trial(rules, rules).compare(ARRIVES_AFTER_AN_HOUR).base.clocks
    assert unreproduced([known], folded) == []
    assert unreproduced([], folded) == unreproduced([known], []) == [("on_site", 1)]
    for change in (
        {"deadline": known.deadline + timedelta(microseconds=1)},
        {"started_at": TEN - HOUR},
        {"outcome": "breached"},
        {"stopped_at": None},
        {"requirement": "R55"},
        {"severity": "urgent"},
        {"reason": None},
        {"standing": True},
    ):
        different = replace(known, **change)
        assert unreproduced([different], folded) == [("on_site", 1)], change
    assert unreproduced([replace(known, reason=WITHDRAWN)], []) == []


def test_a_clock_whose_timer_was_not_judged_yet_is_no_difference() -> None:
    rules = policy(promise(wall(2)))
    alone = ticket((STARTS, 0))
    [known] = stored(alone, rules)
    running = replace(known, outcome="running")
    assert unreproduced([running], trial(rules, rules).compare(alone).base.clocks) == []


@pytest.mark.parametrize(
    ("reason", "english"),
    [
        (Reason("allowance", 7200.0, 1800.0), "30 min allowed instead of 2 hr"),
        (Reason("pauses", 0.0, None), "paused for … instead of 0 sec"),
        (Reason("measure", "wall", "working"), "counted in working time instead of by the wall clock"),
        (Reason("outcome", "met", None), "kept becomes not promised"),
        (Reason("ending", STOPS, None), "ended by “—” instead of “engineer on site”"),
        (Reason("severity", None, "urgent"), "taken as Urgent instead of —"),
        (Reason("deadline", TEN.isoformat(), (TEN + HOUR).isoformat()),
         "due 2026-11-20 11:00 instead of 2026-11-20 10:00"),
        (Reason("calendar"), "other working hours"),
        (Reason("promised", None, "R54"), "promised only there (R54)"),
    ],
)  # fmt: skip
def test_a_reason_is_told_in_words(reason: Reason, english: str) -> None:
    with speaking(Language("en")):
        assert words.told(reason, CHINA.tz) == english
