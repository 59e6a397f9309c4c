"""Which answers count, and what they add up to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from feedback.dashboard.rules import Satisfaction, together
from feedback.dashboard.scope import sees, sees_all
from feedback.surveys import rules
from shared.http.auth import Principal

TOKEN = "a-secret-link-of-thirty-two-chars"
SHOWN = datetime(2026, 11, 20, 10, tzinfo=UTC)
PROOF = rules.proof_of(TOKEN, SHOWN)


@pytest.mark.parametrize(
    ("later", "suspect"),
    [
        (timedelta(seconds=-1), True),
        (timedelta(seconds=1.9), True),
        (timedelta(seconds=2), False),
        (timedelta(days=29), False),
        (timedelta(days=31), True),
    ],
)
def test_an_answer_counts_if_it_comes_as_late_as_people_do(later: timedelta, suspect: bool) -> None:
    assert rules.is_suspect(TOKEN, PROOF, SHOWN + later) is suspect


@pytest.mark.parametrize(
    "proof",
    [
        "",
        ".",
        "x.y",
        PROOF[:-1],
        PROOF + "0",
        PROOF.replace(".", ".0", 1),
        "１" + PROOF[1:],
        "9" * 15 + PROOF[13:],
    ],
)
def test_an_answer_whose_page_was_never_shown_does_not_count(proof: str) -> None:
    assert rules.is_suspect(TOKEN, proof, SHOWN + timedelta(minutes=1))


def test_the_proof_of_one_link_proves_nothing_for_another() -> None:
    assert rules.is_suspect("another-link", PROOF, SHOWN + timedelta(minutes=1))


def test_what_is_kept_of_a_link_does_not_tell_the_link() -> None:
    assert len(rules.token_hash(TOKEN)) == 32
    assert TOKEN.encode() not in rules.token_hash(TOKEN)


def test_satisfied_is_who_gave_four_or_five_of_those_who_answered() -> None:
    east = Satisfaction(sent=40, counts=(1, 1, 1, 7, 15))  # R112
    assert (east.answered, east.csat, east.mean) == (25, 22 / 25, 109 / 25)


@pytest.mark.parametrize(("counts", "mean"), [((0, 0, 0, 0, 2), None), ((0, 0, 0, 1, 2), 14 / 3)])
def test_of_fewer_than_three_answers_no_mean_is_told(counts: tuple[int, ...], mean: float | None) -> None:
    region = Satisfaction(9, counts)  # type: ignore[arg-type]
    assert region.mean == mean
    assert (region.csat is None) == (mean is None)


def test_regions_are_added_up_by_their_answers_and_not_by_their_means() -> None:
    house = together([Satisfaction(1, (1, 0, 0, 0, 0)), Satisfaction(5, (0, 0, 0, 0, 3))])
    assert (house.sent, house.answered, house.mean) == (6, 4, 4.0)


def test_who_is_limited_to_a_region_sees_no_other_and_no_whole() -> None:
    limited = Principal("care.east", frozenset({"care"}), regions=frozenset({"east"}))
    assert (sees(limited, "east"), sees(limited, "west"), sees_all(limited)) == (True, False, False)


def test_who_is_limited_by_what_a_survey_does_not_know_sees_nothing() -> None:
    limited = Principal("care.vip", frozenset({"care"}), customer_levels=frozenset({"vip"}))
    assert not sees(limited, "east")
