"""The harness measures fairly and its quick form leaves a whole result; no test says how fast it is."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from bench.__main__ import FIGURES, ON_REQUEST, FiguresFailed, measured, run
from bench.desk.served import installed
from bench.figure import QUICK_ROUNDS, Figure, Limit, Measured, NotMeasured, Ratio, Side, Spread, interleave
from bench.result import write
from bench.stage import Stage
from chaos.databases import password_of
from localservers.rabbitmq import RabbitServer

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason="the load generator wrk is not installed")
# Those that take ten seconds and more: `make proof` runs them.
MARKS = {
    "writes": [needs_wrk, pytest.mark.proof],
    "intake": [needs_wrk, pytest.mark.proof],
    "channels": [needs_wrk, pytest.mark.proof],
    "reaction": [needs_wrk, pytest.mark.proof],
    "timers": [pytest.mark.proof],
    "rivals": [needs_wrk, pytest.mark.proof],
    "memory": [needs_wrk, pytest.mark.proof],
    "starts": [pytest.mark.proof],
    "growth": [needs_wrk, pytest.mark.proof],
    "growth-of-a-conversation": [needs_wrk, pytest.mark.proof],
    "soak": [pytest.mark.proof],
    "assignment": [pytest.mark.proof],
}


@pytest.fixture
def stage(postgres_url: str, rabbit: RabbitServer, tmp_path: Path) -> Stage:
    return Stage(postgres_url, rabbit, tmp_path, quick=True, password_of=password_of)


def counting(name: str, outcome: float | Exception) -> Figure:
    """A figure whose one side is so many times its floor, or goes wrong."""

    @asynccontextmanager
    async def sides(_stage: Stage) -> AsyncIterator[Sequence[Side]]:
        async def work(value: float) -> dict[str, float]:
            return {"n": value}

        if isinstance(outcome, Exception):
            raise outcome
        yield Side("side", partial(work, outcome)), Side("floor", partial(work, 1))

    ratios = (Ratio("T0", "n", "side", "floor", targets=(2, 4)),)
    return Figure(name, "Counts.", sides, ratios, (Limit("T0, by itself", "n", "side", 2),))


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


async def test_the_index_has_every_figure_written_so_far(stage: Stage, tmp_path: Path) -> None:
    await run(stage, [counting("b", 3)], tmp_path)
    await run(stage, [counting("a", 1), counting("b", 5)], tmp_path)

    rows = [line for line in (tmp_path / "README.md").read_text().splitlines() if line.startswith("| [")]
    assert [row.split(" | ")[:5] for row in rows] == [
        ["| [a](a.md)", "T0", "1 [1 – 1]", "≥ 2, then ≥ 4", "no, then no"],
        ["| [a](a.md)", "T0, by itself (n)", "1 [1 – 1]", "≤ 2", "yes"],
        ["| [b](b.md)", "T0", "5 [5 – 5]", "≥ 2, then ≥ 4", "yes, then yes"],
        ["| [b](b.md)", "T0, by itself (n)", "5 [5 – 5]", "≤ 2", "no"],
    ]
    assert all("UTC, quick form" in row for row in rows)


async def test_a_figure_that_goes_wrong_costs_only_itself(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await run(stage, [counting("broken", 3), counting("lonely", 3)], tmp_path)
    before = (tmp_path / "broken.json").read_text()
    lonely = counting("lonely", NotMeasured("no floor here"))

    with pytest.raises(FiguresFailed, match="broken went wrong"):
        await run(stage, [counting("broken", OSError()), lonely, counting("c", 3)], tmp_path)

    assert (tmp_path / "broken.json").read_text() == before
    assert json.loads((tmp_path / "c.json").read_text())["sides"]["side"]["n"]["rounds"] == [3]
    told = re.findall(r"^\w+: \d+ s, (.+)$", capsys.readouterr().err, re.MULTILINE)
    assert told[2:] == ["FAILED", "not measured: no floor here", "measured"]


async def test_without_a_rival_there_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(NotMeasured, match="cannot be installed here: nothing to compare with"):
        await installed(tmp_path / "desk")


@pytest.mark.parametrize(
    "figure",
    [pytest.param(each, id=each.name, marks=MARKS.get(each.name, [])) for each in (*FIGURES, *ON_REQUEST)],
)
async def test_a_figure_is_measured_beside_its_floor(figure: Figure, stage: Stage, tmp_path: Path) -> None:
    try:
        write(await measured(figure, stage), tmp_path)
    except NotMeasured as reason:
        pytest.skip(str(reason))

    written = json.loads((tmp_path / f"{figure.name}.json").read_text())
    assert written["remarks"][0].startswith("Quick form")
    assert {"Python", "PostgreSQL", "RabbitMQ", "aio-pika"} <= written["versions"].keys()
    assert {ratio.name for ratio in figure.ratios} == written["ratios"].keys()
    assert {limit.name for limit in figure.limits} == written["limits"].keys()
    assert all(ratio["median"] for ratio in written["ratios"].values())
    for measures in written["sides"].values():
        assert all(len(each["rounds"]) == QUICK_ROUNDS for each in measures.values())
    page = (tmp_path / f"{figure.name}.md").read_text()
    assert all(side in page for side in written["sides"])
