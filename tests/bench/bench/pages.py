"""The figures for people: a page for each, and one table of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

HEAD: Final = """# Bench

`make bench` measures each figure beside its floor, in turns on the same machine, and writes a page and a
JSON file for each; `make bench ONLY=intake` measures one. `make bench ONLY=soak` takes half an hour and is
no part of `make bench`. Each value is the median of its rounds [least – most]. Ratios are taken round by
round; only they can be compared between runs. [Gaps](gaps.md) says where the time goes for targets not met.
"""

Told = Mapping[str, Any]
"""A figure, or a part of it, as its JSON file has it."""


def page(told: Told) -> str:
    """One figure: what was measured, what it comes to, and on what."""
    sides = (
        (side, measure, _spread(spread))
        for side, measures in told["sides"].items()
        for measure, spread in measures.items()
    )
    often = "{} rounds, the sides in turns, after one to warm up." if told["rounds"] > 1 else "Measured once."
    when = {"measured": _when(told), "duration": f"{told['seconds']} s"}
    lines = [
        *(f"# Bench: {told['figure']}", ""),
        *(f"**{remark}**\n" for remark in told["remarks"]),
        *(told["claim"], "", often.format(told["rounds"]), ""),
        *_table(("what", "measure", "median [least – most]"), sides),
        *_table(("over its floor", "median [least – most]", "target", "reached"), _verdicts(told["ratios"])),
        *_table(("by itself", "median [least – most]", "target", "reached"), _verdicts(told["limits"])),
        *_table(("machine and versions", ""), {**told["machine"], **told["versions"], **when}.items()),
    ]
    return "\n".join(lines)


def index(figures: Iterable[Told]) -> str:
    """All figures that there are, one line for each of their ratios and limits."""
    rows = (
        (f"[{told['figure']}]({told['figure']}.md)", *verdict, _when(told))
        for told in figures
        for verdict in (*_verdicts(told["ratios"]), *_verdicts(told["limits"]))
    )
    head = ("figure", "what", "median [least – most]", "target", "reached", "measured")
    return "\n".join([HEAD, *_table(head, rows)])


def _verdicts(found: Mapping[str, Told]) -> Iterator[tuple[str, ...]]:
    for name, each in found.items():
        what = f"{name} ({each['unit']})" if "unit" in each else name
        answers = ("yes" if target["reached"] else "no" for target in each["targets"])
        yield what, _spread(each), ", then ".join(map(_bound, each["targets"])), ", then ".join(answers)


def _bound(target: Told) -> str:
    return f"≥ {target['at least']:g}" if "at least" in target else f"≤ {target['at most']:g}"


def _when(told: Told) -> str:
    """`2026-11-22 13:50 UTC, provisional`: with what its remarks begin with."""
    at = f"{datetime.fromisoformat(told['measured']):%Y-%m-%d %H:%M} UTC"
    return ", ".join([at, *(remark.partition(":")[0].lower() for remark in told["remarks"])])


def _spread(spread: Told) -> str:
    return f"{_short(spread['median'])} [{_short(spread['least'])} – {_short(spread['most'])}]"


def _short(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """With an empty line after it; nothing without rows."""
    cells = [" | ".join(row) for row in rows]
    rule = " | ".join(["---"] * len(head))
    return [*(f"| {row} |" for row in (" | ".join(head), rule, *cells)), ""] if cells else []
