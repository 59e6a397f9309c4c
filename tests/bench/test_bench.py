"""The quick form runs to the end and leaves a whole result; nothing here says how fast anything is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.__main__ import FIGURES, run
from bench.figure import QUICK_ROUNDS, Side, interleave
from bench.stage import Stage
from localservers.rabbitmq import RabbitServer


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


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
async def test_a_figure_is_measured_beside_its_floor(
    figure: Figure, postgres_url: str, rabbit: RabbitServer, tmp_path: Path
) -> None:
    stage = Stage(postgres_url, rabbit, tmp_path, quick=True, password_of=password_of)
    result = await run(stage, [figure])
    result.write(tmp_path)
    written = json.loads((tmp_path / "foundation.json").read_text())
    ...
