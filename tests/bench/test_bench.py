"""The harness measures fairly and its quick form leaves a whole result; no test says how fast it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.__main__ import FIGURES, run
from bench.figure import QUICK_ROUNDS, Figure, Measured, Ratio, Side, Spread, interleave
from bench.stage import Stage
from localservers.rabbitmq import RabbitServer
from toy.stage import password_of

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="the load generator wrk is not installed")
# Those that start the whole suite take half a minute each: `make proof` runs them.
MARKS = {
    "writes": [needs_wrk],
    "intake": [needs_wrk],
    "reaction": [needs_wrk, pytest.mark.proof],
    "memory": [needs_wrk, pytest.mark.proof],
    "starts": [pytest.mark.proof],
}


async def test_sides_take_turns_and_the_first_round_is_not_counted() -> None:
    ran: list[str] = []

    def side(name: str) -> Side:
        async def work() -> dict[str, float]:
            ran.append(name)
            return {"turn": len(ran)}

        return Side(name, work)

    assert await interleave(2, [side("A"), side("B")]) == {
        "A": [{"turn": 3}, {"turn": 5}],
        "B": [{"turn": 4}, {"turn": 6}],
    }
    assert ran == ["A", "B"] * 3


def test_a_ratio_compares_what_ran_in_the_same_round() -> None:
    ratio = Ratio("T0", "events/s", side="A", floor="B")
    rounds = {"A": [{"events/s": 30.0}, {"events/s": 10.0}], "B": [{"events/s": 10.0}, {"events/s": 5.0}]}
    assert Measured(FIGURES[0], rounds).ratio(ratio) == Spread(median=2.5, least=2, most=3)


def test_a_target_is_reached_from_its_own_side() -> None:
    faster, smaller = Ratio("", "", "", ""), Ratio("", "", "", "", at_most=True)
    assert [faster.reached(value, 2) for value in (1, 2, 3)] == [False, True, True]
    assert [smaller.reached(value, 2) for value in (1, 2, 3)] == [True, True, False]


@pytest.mark.parametrize(
    "figure", [pytest.param(each, id=each.name, marks=MARKS.get(each.name, [])) for each in FIGURES]
)
async def test_a_figure_is_measured_beside_its_floor(
    figure: Figure, postgres_url: str, rabbit: RabbitServer, tmp_path: Path
) -> None:
    result = await run(Stage(postgres_url, rabbit, tmp_path, quick=True, password_of=password_of), [figure])
    result.write(tmp_path)

    written = json.loads((tmp_path / "foundation.json").read_text())
    assert written["remarks"][0].startswith("Quick form")
    assert {"Python", "PostgreSQL", "RabbitMQ", "aio-pika"} <= written["versions"].keys()
    measured = written["figures"][figure.name]
    assert {ratio.name for ratio in figure.ratios} == measured["ratios"].keys()
    assert {limit.name for limit in figure.limits} == measured["limits"].keys()
    assert all(ratio["median"] for ratio in measured["ratios"].values())
    for measures in measured["sides"].values():
        assert all(len(each["rounds"]) == QUICK_ROUNDS for each in measures.values())
    table = (tmp_path / "foundation.md").read_text()
    assert all(side in table for side in measured["sides"])
