"""The harness measures fairly; nothing here says how fast anything is."""

from __future__ import annotations

from bench.figure import Side, interleave


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
