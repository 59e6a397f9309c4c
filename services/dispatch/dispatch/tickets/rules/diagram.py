"""The table of states as a picture and in words, for the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dispatch.tickets.rules.states import (
    ALLOWED,
    AT_WORK,
    AUTOMATIC,
    BEFORE_WORK,
    ENDED,
    MOVES,
    STATES,
    UNRESOLVED,
    WORKING,
    Move,
)

# One line for a whole box instead of one from each state in it.
_BOXES: Final = {
    frozenset(AT_WORK): "at_work",
    WORKING: "with_an_engineer",
    frozenset(UNRESOLVED): "unresolved",
}


def diagram() -> str:
    """In Mermaid's language."""
    lines = [
        "stateDiagram-v2",
        "    [*] --> opened: somebody can do it",
        "    [*] --> needs_decision: nobody can",
        "    state unresolved {",
        *(f"        {state}" for state in UNRESOLVED if state not in WORKING),
        "        state with_an_engineer {",
        *(f"            {state}" for state in UNRESOLVED if state in WORKING and state not in AT_WORK),
        "            state at_work {",
        *(f"                {state}" for state in AT_WORK),
        "            }",
        "        }",
        "    }",
        *(f"    {line}" for line in _lines()),
        *(f"    {state} --> [*]" for state in sorted(ENDED)),
    ]
    return "\n".join(lines)


def _lines() -> Iterator[str]:
    for name, move in (*MOVES.items(), *AUTOMATIC.items()):
        targets = ("at_work",) if move.back else move.to
        for source in _sources(move):
            yield from (f"{source} --> {target}: {name}" for target in targets)


def _sources(move: Move) -> list[str]:
    if box := _BOXES.get(move.within):
        return [box]
    return [state for state in STATES if state in move.within]


def table() -> str:
    """Each state with what may be done in it, in Markdown."""
    rows = [
        f"| `{state}` | {_engineer(state)} | {', '.join(f'`{each}`' for each in sorted(ALLOWED[state]))} |"
        for state in STATES
    ]
    return "\n".join(["| state | engineer | possible commands |", "|---|---|---|", *rows])


def _engineer(state: str) -> str:
    if state == "cancelled":
        return "if one had it"
    return "asked" if state == "assigned" else "none yet" if state in BEFORE_WORK else "has it"
