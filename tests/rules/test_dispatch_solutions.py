"""Which solutions are major ones, who decides about them and what waits for that (R23, decision 21)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatch.solutions import rules
from dispatch.solutions.rules import Facts, Solution, State, flags_of, governing, minor_units
from dispatch.urgent.policy import Policy, Remote, is_safe_template, shipped
from shared.events.urgent import SolutionFlag

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
CHIEF, DEPUTY, ENGINEER, OTHER = (UUID(int=number) for number in range(1, 5))
LIMIT = 1_000_000
POLICY = shipped().solutions
NOTHING = Facts((), None, "standard", ("electrical",), False)


def solution(number: int = 1, state: State = "proposed", **changes: Any) -> Solution:
    made = Solution(
        id=UUID(int=100 + number), ticket_id=UUID(int=99), episode=1, text="Replace the pump", cost=None,
        currency="CNY", grounds=(), flags=("safety",), policy_version=0, state=state,
        proposed_by=str(ENGINEER), proposer_id=ENGINEER, proposed_at=TEN, leader_ids=(CHIEF,),
    )  # fmt: skip
    return replace(made, **changes)


# Decision 21, written out by hand: (danger ticked, in an incident, VIP, cost) -> flags. The severity is no
# part of it.
TABLE = {
    (False, False, False, 0): (),
    (False, False, False, LIMIT): (),
    (False, False, False, LIMIT + 1): ("cost",),
    (False, False, True, 0): ("vip",),
    (False, False, True, LIMIT + 1): ("vip", "cost"),
    (False, True, False, 0): ("incident",),
    (False, True, False, LIMIT + 1): ("incident", "cost"),
    (False, True, True, 0): ("incident", "vip"),
    (False, True, True, LIMIT + 1): ("incident", "vip", "cost"),
    (True, False, False, 0): ("safety",),
    (True, False, False, LIMIT + 1): ("safety", "cost"),
    (True, False, True, 0): ("safety", "vip"),
    (True, False, True, LIMIT + 1): ("safety", "vip", "cost"),
    (True, True, False, 0): ("safety", "incident"),
    (True, True, False, LIMIT + 1): ("safety", "incident", "cost"),
    (True, True, True, 0): ("safety", "incident", "vip"),
    (True, True, True, LIMIT + 1): ("safety", "incident", "vip", "cost"),
}


@pytest.mark.parametrize("facts", TABLE)
def test_what_makes_a_solution_a_major_one(facts: tuple[bool, bool, bool, int]) -> None:
    danger, incident, vip, cost = facts
    ticked = ("danger",) if danger else ("replacement",)
    said = Facts(ticked, cost, "vip" if vip else "standard", (), incident)
    assert flags_of(said, POLICY) == TABLE[facts]


_FLAGS: tuple[SolutionFlag, ...] = get_args(SolutionFlag)


@given(
    approve=st.sets(st.sampled_from(_FLAGS)),
    limit=st.none() | st.integers(0, 2000),
    ticked=st.sets(st.sampled_from([each.code for each in POLICY.grounds])),
    cost=st.none() | st.integers(0, 4000),
    level=st.sampled_from(["standard", "vip"]),
    skills=st.sets(st.sampled_from(["safety", "electrical"])),
    incident=st.booleans(),
)
def test_any_policy_flags_what_it_names_and_nothing_else(
    approve: set[SolutionFlag], limit: int | None, ticked: set[str], cost: int | None, level: str,
    skills: set[str], incident: bool,
) -> None:  # fmt: skip
    """The oracle asks flag by flag what a person would ask, and knows nothing of the rule's order."""
    policy = POLICY.model_copy(update={"approve": tuple(approve), "cost_above": limit})
    found = flags_of(Facts(ticked, cost, level, skills, incident), policy)
    expected = {
        "safety": "danger" in ticked or "safety" in skills,
        "incident": "many_customers" in ticked or incident,
        "vip": "key_customer" in ticked or level == "vip",
        "cost": limit is not None and (cost or 0) > limit,
    }
    assert set(found) == {flag for flag, holds in expected.items() if holds and flag in approve}
    assert len(set(found)) == len(found)


def test_the_limit_itself_is_not_above_the_limit() -> None:
    assert flags_of(replace(NOTHING, cost=LIMIT), POLICY) == ()
    assert flags_of(replace(NOTHING, cost=LIMIT + 1), POLICY) == ("cost",)
    assert flags_of(NOTHING, POLICY.model_copy(update={"cost_above": None})) == ()


STATES: tuple[State, ...] = get_args(State)
# By hand: what stands in the way of finishing the job, with the newest proposal last.
BLOCKS = {"proposed": rules.SolutionNotApproved, "rejected": rules.SolutionRejected}


@pytest.mark.parametrize(("before", "last"), [*product(STATES, STATES)])
def test_the_newest_proposal_that_was_not_taken_back_decides(before: State, last: State) -> None:
    solutions = [solution(2, last), solution(1, before), solution(3, "proposed", episode=2)]
    counts = last if last not in ("withdrawn", "superseded") else before
    found = governing(solutions, 1)
    assert (found.state if found else None) == (counts if counts not in ("withdrawn", "superseded") else None)
    if counts in BLOCKS:
        with pytest.raises(BLOCKS[counts]):
            rules.require_approved(found, "safety")
    else:
        rules.require_approved(found, "safety")


@given(
    by=st.sampled_from([CHIEF, DEPUTY, ENGINEER, OTHER, None]),
    proposer=st.sampled_from([CHIEF, ENGINEER, None]),
    asked=st.sets(st.sampled_from([CHIEF, DEPUTY])),
    leads=st.sets(st.sampled_from([CHIEF, DEPUTY])),
    admin=st.booleans(),
)
def test_only_leaders_decide_and_never_about_their_own(
    by: UUID | None, proposer: UUID | None, asked: set[UUID], leads: set[UUID], admin: bool
) -> None:
    told = solution(
        proposer_id=proposer,
        proposed_by=str(proposer or "an account"),
        leader_ids=rules.asked(tuple(asked), proposer),
    )
    leaders = (asked | leads) - {proposer}
    own = by is not None and by == proposer
    may = not own and (by in leaders or (admin and not leaders))
    try:
        rules.require_may_decide(told, str(by or "somebody"), by, leads, admin=admin)
    except rules.OwnProposal:
        assert own
    except rules.NotAsked:
        assert not own
        assert not may
    else:
        assert may


def test_who_has_no_employee_id_does_not_decide_about_what_they_proposed() -> None:
    told = solution(proposed_by="console", proposer_id=None, leader_ids=())
    with pytest.raises(rules.OwnProposal):
        rules.require_may_decide(told, "console", None, (), admin=True)


@pytest.mark.parametrize(
    ("written", "minor"),
    [("1200", 120000), ("1,200.5", 120050), (" 0.05 ", 5), ("12.345", None), ("-3", None), ("1e9", None)],
)
def test_amounts_are_read_as_people_write_them(written: str, minor: int | None) -> None:
    assert minor_units(written, 2) == minor


# The policy.


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://meet.example.com/{room}", True),
        ("https://meet.example.com:8443/join?room={room}&lang=zh", True),
        ("http://meet.example.com/{room}", False),
        ("https://meet.example.com/room", False),
        ("https://{room}.example.com/", False),
        ("https://meet.example.com/{room}/{room}", False),
        ("https://user:password@meet.example.com/{room}", False),
        ("https:///{room}", False),
        ("javascript:alert('{room}')//https://", False),
        ("//meet.example.com/{room}", False),
        ("https://meet.example.com:port/{room}", False),
    ],
)
def test_a_session_is_held_at_an_https_address_with_a_secret_room(url: str, good: bool) -> None:
    assert is_safe_template(url) is good
    if good:
        Remote(url=url)
    else:
        with pytest.raises(ValidationError):
            Remote(url=url)


def test_what_ships_names_no_provider_and_has_a_plan_for_everything() -> None:
    assert shipped().remote.url == ""
    assert shipped().plans[-1].when.model_dump(exclude_defaults=True) == {}
    assert {flag for each in POLICY.grounds if (flag := each.flag)} == {"safety", "incident", "vip"}


def test_a_policy_without_a_last_plan_or_with_a_code_twice_is_refused() -> None:
    told = shipped().model_dump(mode="json")
    for wrong in (
        told | {"plans": told["plans"][:1]},
        told | {"plans": [*told["plans"], told["plans"][-1]]},
        told | {"solutions": told["solutions"] | {"grounds": [told["solutions"]["grounds"][0]] * 2}},
    ):
        with pytest.raises(ValidationError):
            Policy.model_validate(wrong)
