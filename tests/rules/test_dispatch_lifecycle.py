"""The life of a ticket: what is possible when, and that each step is one version with one owner (R24–R30)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from contracts.ticket_lives import (
    ASKED,
    DO,
    DUTY_LEAD,
    ENGINEER,
    LEADER,
    NO_VISIT,
    NOW,
    OTHER,
    VISIT,
    after,
    assigned,
    kept,
    names,
    nobody,
    opened,
    regraded,
)
from dispatch.acceptance.rules import CLOSE_AFTER, REMIND_AFTER, Acceptance, due, next_at
from dispatch.progress.rules import INFORMED
from dispatch.tickets import rules
from dispatch.tickets.rules import (
    ALLOWED,
    AT_WORK,
    MOVES,
    STATES,
    Command,
    State,
    Steps,
    Ticket,
    TicketNotReady,
)
from dispatch.tickets.rules.diagram import diagram, table
from dispatch.visits.rules import fault_of_visit, is_plausible
from shared.events.dispatch import (
    CustomerInformed,
    TicketProgressed,
    TicketReopened,
    TicketResolved,
)


def test_every_state_says_what_is_possible() -> None:
    assert set(ALLOWED) == set(STATES)
    assert set(DO) == frozenset().union(*ALLOWED.values())


@pytest.mark.parametrize("state", STATES)
def test_what_is_not_in_the_table_is_refused_with_what_is(state: rules.State) -> None:
    ticket = replace(opened(), state=state)
    for command in set(DO) - ALLOWED[state]:
        with pytest.raises(TicketNotReady) as refused:
            rules.require(ticket, command)
        assert refused.value.data["allowed"] == sorted(ALLOWED[state])


def test_the_straight_way_ends_accepted() -> None:
    done = after("accept", "agree_visit", "depart", "arrive", "request_parts", "resolve", "accept_result")
    assert (done.state, done.owner_id, done.ended_as) == ("closed", ENGINEER, "accepted")
    assert done.allowed == {"reopen"}


def test_an_appointment_outlives_its_engineer_r24() -> None:
    """Who has to accept yet still has to; then it is agreed as it was."""
    given = rules.place(rules.take_away(after("accept", "agree_visit"), "ill")[-1].ticket, assigned(OTHER))
    kept_for_them = rules.choose_visit(given[-1].ticket, VISIT)[-1].ticket
    assert kept_for_them.state == "assigned"
    assert rules.accept(kept_for_them, visit_agreed=True)[-1].ticket.state == "visit_agreed"


@pytest.mark.parametrize(
    ("waiting_for", "state", "paused_in"),
    [("parts", "waiting", "visit_agreed"), ("customer", "visit_agreed", None)],
)
def test_a_customer_who_chooses_a_time_ends_the_waiting_for_them_alone(
    waiting_for: str, state: str, paused_in: str | None
) -> None:
    waiting = rules.pause(after("accept"), waiting_for, "", None, ENGINEER)[-1].ticket  # type: ignore[arg-type]
    chosen = rules.choose_visit(waiting, VISIT)[-1].ticket
    assert (chosen.state, chosen.paused_in) == (state, paused_in)


def test_who_waits_goes_on_waiting_though_the_visit_is_cancelled() -> None:
    waiting = rules.cancel_visit(after("accept", "agree_visit", "pause"), NO_VISIT)[-1].ticket
    assert (waiting.state, waiting.paused_in) == ("waiting", "accepted")


def test_nothing_is_resolved_before_somebody_came_or_worked_from_afar_r26() -> None:
    for state in set(STATES) - {"on_site", "working"}:
        assert "resolve" not in ALLOWED[state]
    [step] = rules.begin_work(after("accept"))
    assert step.payload == TicketProgressed(engineer_id=ENGINEER, to="working", remote=True)
    [step] = rules.begin_work(after("accept", "depart", "arrive"))
    assert step.payload == TicketProgressed(engineer_id=ENGINEER, to="working", remote=False)


def test_every_change_is_one_version_and_one_event() -> None:
    types = {"open": rules.open_ticket(ASKED, assigned())}
    types |= {
        "left": rules.take_away(after("accept", "pause"), "on leave"),
        "amended": rules.amend(opened(), kind="maintenance"),
        "supervised": (rules.change_supervisor(opened(severity="important"), OTHER),),
    }
    for steps in types.values():
        assert all(step.payload.type.startswith("dispatch.") for step in steps)
        assert [step.ticket.version for step in steps] == sorted({step.ticket.version for step in steps})


@pytest.mark.parametrize("state", AT_WORK)
def test_what_waits_goes_on_where_it_was(state: State) -> None:
    ticket = replace(after("accept"), state=state)
    waiting = after("pause", ticket=ticket)
    assert (waiting.state, waiting.waiting_for, waiting.paused_in) == ("waiting", "customer", state)
    again = after("resume", ticket=waiting)
    assert (again.state, again.waiting_for, again.paused_in) == (state, None, None)


@pytest.mark.parametrize("command", ["assign", "agree_visit", "take_away"])
def test_whatever_ends_the_waiting_says_so(command: str) -> None:
    waiting = after("accept", "pause")
    how: dict[str, Callable[[Ticket], Steps]] = {"take_away": lambda ticket: rules.take_away(ticket, "ill")}
    steps = (how | {**DO})[command](waiting)
    assert steps[0].what == "ticket_resumed"
    assert (steps[-1].ticket.waiting_for, steps[-1].ticket.paused_in) == (None, None)


@pytest.mark.parametrize("ends", [("cancel",), ("accept", "depart", "arrive", "resolve", "accept_result")])
def test_a_reopened_ticket_begins_anew_decision_14(ends: tuple[Command, ...]) -> None:
    urgent = opened(severity="urgent")
    first = after("decline", "assign", *ends, ticket=urgent)
    steps = DO["reopen"](first)
    assert names(steps) == ["ticket_reopened", "group_formed", "leadership_informed", "ticket_assigned"]
    again = steps[-1].ticket
    assert (again.episode, again.arrivals, again.declined_ids) == (2, 0, ())
    assert (again.ended_as, again.state) == (None, "assigned")
    payload = steps[0].payload
    assert isinstance(payload, TicketReopened)
    assert (payload.was, payload.episode) == (first.ended_as, 2)


def test_a_reopened_ticket_that_nobody_can_do_needs_a_decision() -> None:
    steps = rules.reopen(after("cancel"), nobody(), "again", "customer")
    assert [step.ticket.state for step in steps] == ["needs_decision"]
    assert steps[-1].ticket.owner_id == DUTY_LEAD


def test_the_diagram_shows_every_move() -> None:
    drawn = diagram()
    for command, move in MOVES.items():
        assert (f": {command}\n" in f"{drawn}\n") == bool(move.to or move.back), command
    assert all(f"`{state}`" in table() for state in STATES)


def test_opening_owns_assigns_and_counts_versions() -> None:
    steps = rules.open_ticket(replace(ASKED, severity="urgent"), assigned(severity="urgent"))
    assert names(steps) == ["ticket_opened", "group_formed", "leadership_informed", "ticket_assigned"]
    assert [step.ticket.version for step in steps] == [1, 2, 3, 4]
    assert {step.ticket.owner_id for step in steps} == {LEADER}


def test_opening_without_anybody_needs_a_decision_of_its_owner() -> None:
    [step] = rules.open_ticket(ASKED, nobody())
    assert (step.ticket.state, step.ticket.owner_id) == ("needs_decision", DUTY_LEAD)


def test_who_declined_is_remembered_and_has_it_no_more() -> None:
    declined = after("decline")
    assert (declined.engineer_id, declined.declined_ids) == (None, (ENGINEER,))
    assert declined.job.declined == {ENGINEER}


def test_another_owner_is_told_before_another_engineer() -> None:
    steps = rules.place(after("decline"), assigned(OTHER))
    assert names(steps) == ["owner_changed", "ticket_assigned"]


def test_a_rejection_goes_on_in_the_same_episode_with_the_same_engineer_r29() -> None:
    rejected = after("accept", "depart", "arrive", "resolve", "reject_result")
    assert (rejected.state, rejected.episode, rejected.engineer_id) == ("accepted", 1, ENGINEER)


@pytest.mark.parametrize(
    ("visits", "claimed", "first"), [(1, True, True), (1, False, False), (2, True, False)]
)
def test_a_first_visit_is_one_only_if_nobody_came_twice_r113(visits: int, claimed: bool, first: bool) -> None:
    ticket = after("accept", *(("depart", "arrive", "agree_visit") * visits)[:-1])
    [step] = rules.resolve(ticket, None, "done", claimed)
    assert isinstance(step.payload, TicketResolved)
    assert step.payload.first_visit == first


def test_telling_the_customer_changes_nothing_but_the_version_and_keeps_its_time_r62() -> None:
    ticket = after("accept", "depart")
    earlier = NOW - timedelta(minutes=20)
    [step] = rules.inform_customer(ticket, OTHER, earlier, {"text": "On the way"})
    assert (step.what, step.at, step.payload) == (INFORMED, earlier, CustomerInformed(by=OTHER))
    assert (step.ticket.state, step.ticket.version) == ("travelling", ticket.version + 1)
    assert (step.ticket.engineer_id, step.notes) == (ENGINEER, {"text": "On the way"})


def test_the_three_ends_differ_decision_10() -> None:
    resolved = after("accept", "depart", "arrive", "resolve")
    assert names(rules.accept_result(resolved)) == ["result_accepted", "ticket_closed"]
    assert names(rules.reject_result(resolved, "it leaks")) == ["result_rejected"]
    assert names(rules.close_unconfirmed(resolved)) == ["result_unconfirmed", "ticket_closed"]
    assert rules.close_unconfirmed(resolved)[-1].ticket.ended_as == "unconfirmed"


def test_before_work_a_graver_ticket_goes_to_others() -> None:
    steps = regraded(opened(), "urgent", assigned(OTHER, "urgent"))
    assert names(steps) == [
        "ticket_regraded", "group_formed", "leadership_informed", "owner_changed", "ticket_assigned",
    ]  # fmt: skip


def test_at_work_the_engineer_stays_and_the_group_owns_decision_18() -> None:
    steps = regraded(after("accept", "depart"), "urgent", kept("urgent"))
    assert names(steps) == ["ticket_regraded", "group_formed", "leadership_informed", "owner_changed"]
    assert (steps[-1].ticket.state, steps[-1].ticket.engineer_id) == ("travelling", ENGINEER)


def test_what_was_urgent_and_is_not_any_more_belongs_to_its_engineer() -> None:
    urgent = after("accept", ticket=opened(severity="urgent"))
    steps = regraded(urgent, "general", kept("general"))
    assert (steps[-1].ticket.group_ids, steps[-1].ticket.owner_id) == ((), ENGINEER)


def test_every_command_leads_where_the_table_says_from_wherever_it_is_possible() -> None:
    """All there is: whatever can be reached, with every command that is possible there."""
    seen: set[tuple[State, State | None]] = set()
    ahead = [opened()]
    while ahead:
        ticket = ahead.pop()
        if (ticket.state, ticket.paused_in) in seen:
            continue
        seen.add((ticket.state, ticket.paused_in))
        for command in sorted(ticket.allowed):
            now = DO[command](ticket)[-1].ticket
            move = MOVES[command]
            assert now.state in ({ticket.paused_in} if move.back else set(move.to) or {ticket.state}), command
            ahead.append(now)
    assert {state for state, _ in seen} == set(STATES) - {"opened"}
    assert {back for _, back in seen} == {None, *AT_WORK}


def question(reminders: int = 0, *, asked_at: datetime = NOW) -> Acceptance:
    return Acceptance(
        UUID(int=1), UUID(int=2), 1, asked_at, reminders, next_at(asked_at, reminders), None, None, None
    )


def test_silence_is_reminded_of_three_times_in_seven_days_and_then_closed() -> None:
    assert (len(REMIND_AFTER), CLOSE_AFTER) == (3, timedelta(days=7))
    for reminders, length in enumerate((*REMIND_AFTER, CLOSE_AFTER)):
        before, at = NOW + length - timedelta(seconds=1), NOW + length
        assert due(question(reminders), before) == "wait"
        assert due(question(reminders), at) == ("remind" if reminders < 3 else "close")


def test_an_answer_ends_the_waiting() -> None:
    assert due(replace(question(), outcome="accepted", answered_at=NOW), NOW + timedelta(days=30)) == "wait"


@pytest.mark.parametrize(
    ("begins", "length", "field"),
    [
        (timedelta(hours=1), timedelta(hours=2), None),
        (timedelta(minutes=-50), timedelta(hours=2), None),
        (timedelta(hours=-2), timedelta(hours=3), "starts_at"),
        (timedelta(days=91), timedelta(hours=1), "starts_at"),
        (timedelta(hours=1), timedelta(0), "ends_at"),
        (timedelta(hours=1), timedelta(hours=25), "ends_at"),
    ],
)
def test_a_visit_is_soon_and_not_endless(begins: timedelta, length: timedelta, field: str | None) -> None:
    fault = fault_of_visit(NOW + begins, NOW + begins + length, NOW)
    assert (fault and fault[0]) == field


@pytest.mark.parametrize(
    ("off", "plausible"),
    [
        (timedelta(days=-7), True),
        (timedelta(seconds=60), True),
        (timedelta(days=-8), False),
        (timedelta(minutes=2), False),
    ],
)
def test_the_clock_of_a_phone_is_believed_within_bounds(off: timedelta, plausible: bool) -> None:
    assert is_plausible(NOW + off, NOW) == plausible
