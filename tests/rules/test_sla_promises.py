"""The shipped policy, promise by promise, with the arithmetic beside each case."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts.stories import CHINA, call, friday, monday, request, shanghai, ticket
from sla_monitor.calendars.chinese import WEEK, ZONE
from sla_monitor.calendars.rules import Calendar
from sla_monitor.clocks.rules import Pause, evaluate, explain
from sla_monitor.policies.rules import ByHours, Case, NextWorkingDay, Policy, Promise, Wall
from sla_monitor.policies.shipped import FIRST_REPLY, SHIPPED

# R50, R51, decisions 11 and 19: the phone.


def test_a_call_answered_after_sixty_seconds_is_in_time_and_after_sixty_one_is_not() -> None:
    for seconds, outcome in ((60, "met"), (61, "breached")):
        story = call().then("call_rang", friday(10))
        story.then("call_answered", friday(10) + timedelta(seconds=seconds))
        assert story.clock("answer_call").outcome == outcome
        assert story.clock("answer_call").deadline == friday(10, 1)


@pytest.mark.parametrize("end", ["call_busy", "call_missed", "call_ended"])
def test_a_caller_who_was_not_reached_is_called_back_within_three_minutes(end: str) -> None:
    story = call().then("call_rang", friday(10)).then(end, friday(10, 0, 30))
    assert story.clock("answer_call").outcome == "cancelled"  # 30 s ≤ 60 s: nothing was missed yet
    assert story.clock("return_call").deadline == friday(10, 3, 30)  # 10:00:30 + 180 s
    story.then("call_returned", friday(10, 3, 30))
    assert story.clock("return_call").outcome == "met"


def test_a_caller_who_gives_up_after_a_minute_was_kept_waiting_too_long() -> None:
    story = call().then("call_rang", friday(10)).then("call_missed", friday(10, 1, 30))
    assert story.clock("answer_call").outcome == "breached"  # 90 s > 60 s
    assert story.clock("return_call").deadline == friday(10, 4, 30)


def test_hanging_up_after_an_answer_is_no_missed_call() -> None:
    story = call().then("call_rang", friday(10)).then("call_answered", friday(10, 0, 9))
    story.then("call_ended", friday(10, 8))
    assert story.promises() == ["answer_call"]


def test_a_busy_signal_and_the_end_of_the_call_are_one_promise() -> None:
    story = call().then("call_busy", friday(10)).then("call_ended", friday(10, 0, 2))
    assert story.clock("return_call").deadline == friday(10, 3)


def test_a_call_outside_service_hours_is_returned_by_nine() -> None:
    story = call().then("call_rang", friday(19)).then("call_missed", friday(19, 0, 40))
    assert story.promises() == ["return_call"]
    assert story.clock("return_call").deadline == monday(9)


# R52, R53, R59, decisions 1, 12, 13, 17 and 20: writing.


@pytest.mark.parametrize("channel", ["email", "web_chat", "web_form", "social", "sms", "webhook"])
def test_a_message_in_working_hours_is_answered_within_the_hour(channel: str) -> None:
    story = request(channel, friday(10, 20)).then("request_answered", friday(11, 20))
    assert story.clock("first_reply").deadline == friday(11, 20)
    assert story.clock("first_reply").outcome == "met"


def test_a_phone_call_that_becomes_a_request_needs_no_written_reply() -> None:
    assert request("phone", friday(10)).promises() == []


def test_a_mail_at_ten_to_six_has_its_hour_by_the_wall_clock() -> None:
    clock = request("email", friday(17, 50)).clock("first_reply")
    assert (clock.deadline, clock.requirement) == (friday(18, 50), "R52")  # decision 1


def test_the_rest_of_the_hour_may_be_carried_over_instead() -> None:
    hour = Wall(length=timedelta(hours=1), requirement="R52")
    late = NextWorkingDay(by=time(9), requirement="R53")
    carried = ByHours(in_hours=hour, out_of_hours=late, carry=True)
    promise = FIRST_REPLY.model_copy(update={"cases": (Case(target=carried),)})
    policy = Policy(calendar="cn", promises=(promise,))
    (clock,) = evaluate(policy, CHINA, request("email", friday(17, 50)).events)
    # 17:50 → 18:00 is 10 min; the other 50 min are Mon 09:00 → 09:50.
    assert (clock.deadline, clock.requirement) == (monday(9, 50), "R52")
    pieces = explain(CHINA, clock.measure, clock.started_at, clock.deadline, clock.pauses)
    assert [(each.counted, each.ends - each.begins) for each in pieces if each.ends] == [
        (True, timedelta(minutes=10)),
        (False, timedelta(hours=63)),  # Fri 18:00 → Mon 09:00
        (True, timedelta(minutes=50)),
    ]
    (night,) = evaluate(policy, CHINA, request("email", friday(19)).events)
    assert (night.deadline, night.requirement) == (monday(9), "R53")  # nothing to carry: it came when closed


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (friday(19, 5), monday(9)),  # not 10:00, as one business hour after opening would be
        (friday(18), monday(9)),  # closed at 18:00 sharp
        (shanghai(11, 21, 23), monday(9)),  # Saturday night
        (monday(2), monday(9)),  # decision 17: the day that is about to begin
        (monday(8), monday(9)),  # 08:00 + 1 h
        (monday(8, 59), monday(9, 59)),  # decision 20: 09:00 < 08:59 + 1 h
        (shanghai(9, 19, 20), shanghai(9, 20, 9)),  # the make-up Sunday before Mid-Autumn (调休)
        (shanghai(9, 30, 20), shanghai(10, 8, 9)),  # 1–7 October are off
    ],
)
def test_a_mail_after_hours_is_due_at_nine_on_the_next_working_day(received: datetime, due: datetime) -> None:
    clock = request("email", received).clock("first_reply")
    assert (clock.deadline, clock.requirement) == (due, "R53")


def test_nine_o_clock_does_not_depend_on_the_opening_time() -> None:
    early = Calendar(ZONE, WEEK, CHINA.days)
    late_opening = tuple(tuple(type(w)(w.opens + 5400, w.closes) for w in day) for day in WEEK)  # 10:30
    for calendar in (early, Calendar(ZONE, late_opening, {})):
        (clock,) = evaluate(SHIPPED, calendar, request("email", friday(19)).events)
        assert clock.deadline == monday(9)


def test_by_the_strict_reading_a_message_at_two_waits_for_the_following_day() -> None:
    strict = NextWorkingDay(by=time(9), strict=True, requirement="R53")
    promise = FIRST_REPLY.model_copy(update={"cases": (Case(target=strict),)})
    (clock,) = evaluate(Policy(calendar="cn", promises=(promise,)), CHINA, request("email", monday(2)).events)
    assert clock.deadline == shanghai(11, 24, 9)


def test_an_automatic_acknowledgement_is_no_reply() -> None:
    story = request("email", friday(10)).then("message_sent", friday(10, 1))  # decision 12
    assert story.clock("first_reply").outcome == "running"


# R54–R58, decisions 3, 4 and 5: the visit.


@pytest.mark.parametrize(
    ("severity", "same_city", "hours", "requirement"),
    [
        ("urgent", True, 2, "R54"),
        ("urgent", False, 24, "R55"),
        ("important", True, 24, "R56"),
        ("important", False, 48, "R57"),
    ],
)
def test_the_engineer_is_on_site_in_time_day_and_night(
    severity: str, same_city: bool, hours: int, requirement: str
) -> None:
    story = ticket(severity, friday(17, 30), same_city=same_city)
    clock = story.clock("on_site")
    assert (clock.deadline, clock.requirement) == (friday(17, 30) + timedelta(hours=hours), requirement)
    story.then("engineer_arrived", clock.deadline)
    assert story.clock("on_site").outcome == "met"


def test_a_general_ticket_has_a_visit_agreed_within_two_days_and_no_arrival_clock() -> None:
    story = ticket("general", friday(17)).then("visit_agreed", shanghai(11, 22, 17), starts_at="x")
    assert story.promises() == ["accept", "resolution", "visit_agreed", "progress"]
    assert story.clock("visit_agreed").deadline == shanghai(11, 22, 17)  # Fri 17:00 + 48 h
    assert story.clock("visit_agreed").outcome == "met"


@pytest.mark.parametrize(("severity", "minutes"), [("urgent", 5), ("important", 30), ("general", 240)])
def test_accepting_has_a_clock_of_its_own(severity: str, minutes: int) -> None:
    story = ticket(severity, friday(10))
    assert story.clock("accept").deadline == friday(10) + timedelta(minutes=minutes)


def test_every_engineer_who_is_asked_has_a_clock() -> None:
    story = ticket("urgent", friday(10)).then("assignment_declined", friday(10, 3))
    story.then("ticket_assigned", friday(10, 4), severity="urgent", same_city=True, episode=1)
    story.then("assignment_accepted", friday(10, 10))
    assert story.clock("accept", 1).outcome == "cancelled"  # declined after 3 min
    assert story.clock("accept", 3).outcome == "breached"  # accepted after 6 min


def test_a_later_visit_at_the_customers_wish_pauses_the_clock_until_it_begins() -> None:
    wish = monday(9)
    story = ticket("urgent", friday(10)).then(
        "visit_agreed", friday(10, 30), starts_at=wish.isoformat(), at_customers_wish=True
    )
    clock = story.clock("on_site")
    assert clock.pauses == (Pause(friday(10, 30), wish, "customers_wish"),)
    assert clock.deadline == monday(10, 30)  # 30 min are gone; 1:30 h are left from Mon 09:00 on
    # 50, 75 and 90 % of 2 h are 60, 90 and 108 min; 30 of them are before the pause.
    assert clock.warnings == ((50, monday(9, 30)), (75, monday(10)), (90, monday(10, 18)))
    assert story.then("engineer_arrived", monday(10, 31)).clock("on_site").outcome == "breached"


@pytest.mark.parametrize(
    ("starts_at", "wished"),
    [(friday(12), True), (monday(9), False)],
    ids=["in time", "not the customer's wish"],
)
def test_any_other_visit_leaves_the_clock_running(starts_at: datetime, wished: bool) -> None:
    story = ticket("urgent", friday(10)).then(
        "visit_agreed", friday(10, 30), starts_at=starts_at.isoformat(), at_customers_wish=wished
    )
    assert story.clock("on_site").deadline == friday(12)


def test_another_agreement_takes_the_place_of_the_one_before() -> None:
    story = ticket("urgent", friday(10))
    story.then("visit_agreed", friday(10, 30), starts_at=monday(9).isoformat(), at_customers_wish=True)
    story.then("visit_agreed", friday(11, 30), starts_at=friday(12).isoformat(), at_customers_wish=False)
    # Paused 10:30–11:30 only: 12:00 + 1 h.
    assert story.clock("on_site").deadline == friday(13)


def test_an_appointment_that_stays_with_another_engineer_stays_at_the_customers_wish() -> None:
    """What dispatch tells when somebody else takes over: assigned, and the same visit with the same wish."""
    wish = {"starts_at": monday(9).isoformat(), "at_customers_wish": True}
    story = ticket("urgent", friday(10)).then("visit_agreed", friday(10, 30), **wish, by="customer")
    deadline = story.clock("on_site").deadline
    story.then("assignment_withdrawn", friday(11))
    story.then("ticket_assigned", friday(11), severity="urgent", same_city=True, episode=1)
    story.then("visit_agreed", friday(11), **wish)
    clock = story.clock("on_site")
    assert (clock.deadline, clock.standing) == (deadline, False)
    moved = story.then("visit_agreed", friday(11, 30), starts_at=friday(13).isoformat(), by="engineer")
    assert moved.clock("on_site").deadline == friday(13)  # by us, so it counts again: one hour had stood


def test_a_wish_after_the_deadline_does_not_undo_the_breach() -> None:
    story = ticket("urgent", friday(10))
    story.then("visit_agreed", friday(12, 1), starts_at=monday(9).isoformat(), at_customers_wish=True)
    assert story.clock("on_site", now=friday(12, 1)).outcome == "breached"


def test_while_the_customer_tries_the_result_nobody_knows_the_deadline() -> None:
    story = ticket("urgent", friday(10)).then("ticket_resolved", friday(11), episode=1)
    assert story.clock("on_site").standing
    assert story.clock("on_site", now=monday(9)).outcome == "running"
    assert story.clock("on_site").warnings == ((50, friday(11)),)  # that hour was over when it began to stand
    story.then("result_rejected", friday(15), episode=1)
    assert story.clock("on_site").deadline == friday(16)  # 1 h was left at 11:00
    story.then("ticket_closed", friday(15, 30), severity="urgent", episode=1)
    assert story.clock("on_site").outcome == "cancelled"


def test_closing_ends_what_is_open_and_does_not_hide_what_was_missed() -> None:
    for hour, outcome in ((11, "cancelled"), (13, "breached")):
        story = ticket("urgent", friday(10)).then("ticket_closed", friday(hour), severity="urgent", episode=1)
        assert story.clock("on_site").outcome == outcome


# Decision 18: another engineer, another severity, another episode.


def test_another_engineer_does_not_restart_the_clock() -> None:
    story = ticket("urgent", friday(10))
    story.then("ticket_assigned", friday(11), severity="urgent", same_city=False, engineer_id="2", episode=1)
    assert story.clock("on_site").deadline == friday(12)


def test_another_severity_counts_from_the_first_assignment() -> None:
    story = ticket("important", friday(10)).then("ticket_regraded", friday(13), severity="urgent")
    clock = story.clock("on_site", now=friday(13))
    assert (clock.deadline, clock.requirement) == (friday(12), "R54")
    assert clock.outcome == "breached"  # to the past too


def test_another_severity_changes_the_judgement_of_an_arrival() -> None:
    story = ticket("important", friday(10)).then("engineer_arrived", friday(13))
    assert story.clock("on_site").outcome == "met"
    story.then("ticket_regraded", friday(14), severity="urgent")
    assert story.clock("on_site").outcome == "breached"


def test_another_severity_leaves_an_acceptance_alone() -> None:
    story = ticket("important", friday(10)).then("assignment_accepted", friday(10, 20))
    story.then("ticket_regraded", friday(10, 30), severity="urgent")
    assert story.clock("accept").outcome == "met"  # 20 min ≤ 30 min, as promised then


def test_a_promise_that_another_severity_does_not_know_is_withdrawn() -> None:
    story = ticket("general", friday(10)).then("ticket_regraded", friday(11), severity="urgent")
    clock = story.clock("visit_agreed")
    assert (clock.outcome, clock.stopped_at, clock.reason) == ("cancelled", friday(11), "regraded")
    assert story.clock("on_site").deadline == friday(12)


def test_a_reopened_ticket_is_promised_anew() -> None:
    story = ticket("urgent", friday(10)).then("engineer_arrived", friday(11))
    story.then("ticket_closed", friday(15), severity="urgent", episode=1)
    story.then("ticket_regraded", friday(16), severity="important")
    story.then("ticket_assigned", friday(17), severity="important", same_city=True, episode=2)
    assert story.clock("on_site", 1).outcome == "met"
    assert story.clock("on_site", 2).deadline == shanghai(11, 21, 17)


def test_an_arrival_told_late_counts_when_it_happened() -> None:
    story = ticket("urgent", friday(10))
    story.then("ticket_assigned", friday(11, 50), severity="urgent", same_city=True, episode=1)
    story.then("engineer_arrived", friday(11, 40))  # synchronised after the other engineer was sent
    assert story.clock("on_site").outcome == "met"


def test_a_promise_knows_who_could_still_stop_it() -> None:
    assert {each.code: each.producers for each in SHIPPED.promises} == {
        "answer_call": ("intake",),
        "return_call": ("intake",),
        "first_reply": ("intake",),
        "accept": ("dispatch",),
        "on_site": ("dispatch",),
        "visit_agreed": ("dispatch",),
        "appointment_kept": ("dispatch",),
        "resolution": ("dispatch",),
        "leadership_acknowledged": ("dispatch",),
        "progress": ("dispatch",),
    }


def test_local_times_are_counted_as_instants() -> None:
    # 25 October 2026, 02:00 comes twice in Berlin: two hours after 01:30 CEST it is 02:30 CET.
    begins = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    clock = ticket("urgent", begins).clock("on_site")
    assert clock.deadline == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def promise_of(code: str) -> Promise:
    found = SHIPPED.promise(code)
    assert found is not None
    return found


def test_every_promise_has_its_row_of_the_requirements() -> None:
    text = SHIPPED.model_dump_json()
    for row in (
        "R23",
        "R50",
        "R51",
        "R52",
        "R53",
        "R54",
        "R55",
        "R56",
        "R57",
        "R58",
        "R59",
        "R60",
        "R61",
        "R62",
    ):
        assert f'"{row}"' in text
    assert not promise_of("accept").is_response  # decision 7
