"""R27: what customers read of their request is what happened, in whatever order it became known."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.progress.story import NEXT, NOW, Asked, Happened, Line, Story, tell

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ASKED = Asked(NINE - HOUR, has_ticket=True)
VISIT = {"starts_at": (NINE + 4 * HOUR).isoformat(), "ends_at": (NINE + 6 * HOUR).isoformat()}
LATER = {"starts_at": (NINE + 28 * HOUR).isoformat(), "ends_at": (NINE + 30 * HOUR).isoformat()}

Told = str | tuple[str, dict[str, Any]]


def steps(*told: Told) -> list[Happened]:
    """One thing a minute, from nine on."""
    found = []
    for number, each in enumerate(told, start=1):
        kind, facts = (each, {}) if isinstance(each, str) else each
        found.append(Happened(UUID(int=number), kind, number, NINE + number * MINUTE, facts))
    return found


def story(*told: Told, asked: Asked = ASKED) -> Story:
    return tell(asked, steps(*told), NINE + HOUR)


def kinds(of: Story) -> list[str]:
    return [each.kind for each in of.lines]


JUNIOR, SENIOR = ("ticket_assigned", {"tier": "junior"}), ("ticket_assigned", {"tier": "senior"})
SHORT, RESERVED = ("parts_short", {"requisition": "r"}), ("parts_reserved", {"requisition": "r"})
WORKING = ("ticket_opened", JUNIOR, ("visit_agreed", VISIT), "engineer_departed", "engineer_arrived")

STANDS = [
    ((), "open"),
    (WORKING[:1], "open"),
    (WORKING[:2], "assigned"),
    (WORKING[:3], "visit_agreed"),
    (WORKING[:4], "travelling"),
    (WORKING, "on_site"),
    ((*WORKING, SHORT), "parts"),
    ((*WORKING, SHORT, RESERVED), "on_site"),
    ((*WORKING, SHORT, ("parts_short", {"requisition": "s"}), RESERVED), "parts"),
    ((*WORKING, SHORT, "ticket_resolved"), "resolved"),
    ((*WORKING, "ticket_resolved", "result_rejected"), "assigned"),
    ((*WORKING, "ticket_resolved", "result_accepted"), "ended"),
    ((*WORKING, "ticket_resolved", ("ticket_closed", {"reason": "unconfirmed"})), "ended"),
    ((*WORKING[:2], "assignment_declined"), "open"),
    ((*WORKING[:2], ("ticket_progressed", {"remote": True})), "working"),
    ((*WORKING, ("ticket_paused", {"waiting_for": "parts"})), "parts"),
    ((*WORKING, ("ticket_paused", {"waiting_for": "customer"})), "you"),
    ((*WORKING, SHORT, ("ticket_paused", {"waiting_for": "vendor"})), "others"),
    ((*WORKING, ("ticket_paused", {"waiting_for": "parts"}), "ticket_resumed"), "on_site"),
    ((*WORKING[:2], "ticket_cancelled"), "ended"),
    ((*WORKING[:2], "ticket_cancelled", "ticket_reopened"), "open"),
]


@pytest.mark.parametrize(("told", "state"), STANDS)
def test_it_stands_where_the_last_thing_put_it(told: tuple[Told, ...], state: str) -> None:
    assert story(*told).state == state


def test_every_state_is_told_and_all_but_the_end_say_what_comes_next() -> None:
    assert NOW.keys() - NEXT.keys() == {"ended"}


def test_the_whole_story_in_its_order() -> None:
    found = story(
        *WORKING, "ticket_resolved", "result_accepted", ("ticket_closed", {"reason": "accepted"}),
        asked=Asked(NINE - HOUR, NINE + 90 * timedelta(seconds=1), True, NINE + 8 * MINUTE),
    )  # fmt: skip
    assert kinds(found) == [
        "received", "ticket_opened", "answered", "ticket_assigned", "visit_agreed", "engineer_departed",
        "engineer_arrived", "ticket_resolved", "result_accepted", "ticket_closed",
    ]  # fmt: skip
    assert (found.state, found.next, found.until, found.window) == ("ended", None, None, None)


def test_another_engineer_or_time_takes_the_place_of_what_came_to_nothing() -> None:
    found = story(
        "ticket_opened",
        JUNIOR,
        "assignment_declined",
        SENIOR,
        ("visit_agreed", VISIT),
        ("visit_agreed", LATER),
    )
    assert kinds(found) == ["received", "ticket_opened", "ticket_assigned", "visit_agreed"]
    assert found.lines[2].text == "A senior engineer has it."
    assert found.window == (NINE + 28 * HOUR, NINE + 30 * HOUR) == found.lines[3].window


def test_a_visit_that_is_cancelled_is_ahead_no_more_and_one_that_stays_with_another_engineer_is() -> None:
    off = story(*WORKING[:3], "visit_cancelled")
    assert (off.state, off.window) == ("assigned", None)
    assert kinds(off)[-2:] == ["visit_agreed", "visit_cancelled"]
    kept = story(*WORKING[:3], "assignment_withdrawn", SENIOR, ("visit_agreed", VISIT))
    assert (kept.state, kept.window) == ("visit_agreed", story(*WORKING[:3]).window)


def test_a_second_visit_stands_beside_the_first_that_was_made() -> None:
    found = story(*WORKING, ("visit_agreed", LATER))
    assert kinds(found).count("visit_agreed") == 2
    assert found.window == (NINE + 28 * HOUR, NINE + 30 * HOUR)


def test_a_ticket_that_goes_to_somebody_else_has_no_visit_ahead() -> None:
    found = story(*WORKING[:3], SENIOR)
    assert (found.state, found.window) == ("assigned", None)
    found = story(*WORKING[:3], SENIOR, "engineer_departed")
    assert (found.state, found.window) == ("travelling", None)


def test_what_an_engineer_did_without_a_network_was_when_it_was() -> None:
    """Told last, with the highest version; before the work was done all the same."""
    opened, done = steps("ticket_opened", "ticket_resolved")
    late = Happened(UUID(int=9), "engineer_arrived", 9, NINE + MINUTE * 3 / 2)
    found = tell(ASKED, [opened, done, late], NINE + HOUR)
    assert kinds(found) == ["received", "ticket_opened", "engineer_arrived", "ticket_resolved"]
    assert found.state == "resolved"


def test_by_when_the_customer_hears_again_is_told_until_then_and_while_it_is_our_turn() -> None:
    """R62: the last promise counts; one that is missed, stands or is the customer's turn is not repeated."""
    due = ("progress_promised", {"deadline": (NINE + 3 * HOUR).isoformat()})
    assert story("ticket_opened", due).until == NINE + 3 * HOUR
    assert tell(ASKED, steps("ticket_opened", due), NINE + 3 * HOUR).until is None
    assert story("ticket_opened", due, "progress_paused").until is None
    assert story(*WORKING, due, "ticket_resolved").until is None


def test_what_was_opened_before_its_story_was_kept_is_told_as_far_as_it_is_known() -> None:
    found = tell(ASKED, [], NINE)
    assert found.lines[1] == Line("ticket_opened", "A ticket is open, and one person answers for it.", None)
    ended = tell(Asked(NINE - HOUR, None, True, NINE), [], NINE + HOUR)
    assert (kinds(ended), ended.state) == (["received", "ticket_opened", "ticket_closed"], "ended")


ANY: list[Told] = [
    *WORKING, SENIOR, ("visit_agreed", LATER), SHORT, RESERVED, "assignment_declined", "ticket_resolved",
    "result_rejected", "result_accepted", ("ticket_closed", {"reason": "accepted"}), "progress_paused",
    "ticket_cancelled", "ticket_reopened", ("ticket_paused", {"waiting_for": "customer"}), "ticket_resumed",
    ("progress_promised", {"deadline": (NINE + 9 * HOUR).isoformat()}), "a_kind_of_next_year",
]  # fmt: skip


@given(st.lists(st.sampled_from(ANY), max_size=14), st.randoms(use_true_random=False))
def test_order_and_repetition_of_what_is_heard_change_nothing(
    told: list[Told], shuffled: random.Random
) -> None:
    heard = steps(*told)
    again = [*heard, *heard[::2]]
    shuffled.shuffle(again)
    found = tell(ASKED, again, NINE + HOUR)
    assert found == tell(ASKED, heard, NINE + HOUR)
    times = [each.at for each in found.lines if each.at]
    assert times == sorted(times)
    # Each thing that people did is there, or one of its kind that came later in its place.
    told_kinds = {each if isinstance(each, str) else each[0] for each in told}
    silent = {
        "ticket_paused",
        "ticket_resumed",
        "assignment_declined",
        "progress_paused",
        "progress_promised",
        "a_kind_of_next_year",
    }
    silent |= {kind for kind in told_kinds if kind.startswith("parts_")}
    assert set(kinds(found)) == (told_kinds - silent) | {"received", "ticket_opened"}
