"""What a run leaves behind: numbers for programs, a table for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.figure import Limit, Measured, Ratio, Spread


@dataclass(frozen=True, slots=True)
class Result:
    """Several figures of one run.

    remarks  what a reader must know before believing them
    """

    name: str
    measured: Sequence[Measured]
    rounds: int
    seconds: float
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    remarks: Sequence[str]

    def write(self, folder: Path) -> None:
        """Write `<name>.json` and, to be read, `<name>.md` into the folder (docs/bench)."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.as_json(), indent=2, ensure_ascii=False)
        (folder / f"{self.name}.json").write_text(text + "\n", encoding="utf-8")
        (folder / f"{self.name}.md").write_text(self.as_markdown(), encoding="utf-8")

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "remarks": list(self.remarks),
            "rounds": self.rounds,
            "seconds": round(self.seconds),
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "figures": {each.figure.name: _figure(each) for each in self.measured},
        }

    def as_markdown(self) -> str:
        lines = [f"# Bench: {self.name}", "", *(f"**{remark}**\n" for remark in self.remarks)]
        lines += [
            f"{self.rounds} rounds, the sides in turns, after one to warm up: median [least – most]. "
            "Ratios are taken round by round; only they can be compared between runs.",
            "",
        ]
        for each in self.measured:
            lines += _tables(each)
        facts = {**self.machine, **self.versions, "duration": f"{self.seconds:.0f} s"}
        lines += _table(("machine and versions", ""), ((name, value) for name, value in facts.items()))
        return "\n".join(lines)


def _figure(measured: Measured) -> dict[str, Any]:
    return {
        "claim": measured.figure.claim,
        "sides": {
            side: {
                measure: {
                    **asdict(measured.spread(side, measure)),
                    "rounds": [each[measure] for each in rounds],
                }
                for measure in rounds[0]
            }
            for side, rounds in measured.rounds.items()
        },
        "ratios": {
            ratio.name: {
                **asdict(measured.ratio(ratio)),
                "of": f"{ratio.side}, {ratio.measure}",
                "over": ratio.floor,
                "targets": list(ratio.targets),
                "reached": [
                    target for target in ratio.targets if ratio.reached(measured.ratio(ratio).median, target)
                ],
            }
            for ratio in measured.figure.ratios
        },
        "limits": {
            limit.name: {
                **asdict(measured.spread(limit.side, limit.measure)),
                "of": f"{limit.side}, {limit.measure}",
                "most": limit.most,
                "kept": measured.spread(limit.side, limit.measure).median <= limit.most,
            }
            for limit in measured.figure.limits
        },
    }


def _tables(measured: Measured) -> list[str]:
    figure = measured.figure
    rows = ((side, measure, _spread(spread)) for side, measure, spread in measured.measures())
    ratios = (
        (ratio.name, _spread(measured.ratio(ratio)), _verdict(ratio, measured.ratio(ratio)))
        for ratio in figure.ratios
    )
    limits = (_limit(limit, measured.spread(limit.side, limit.measure)) for limit in figure.limits)
    return [
        *(f"## {figure.name}", "", figure.claim, ""),
        *_table(("what", "measure", "median [least – most]"), rows),
        *_table(("over its floor", "median [least – most]", "target"), ratios),
        *(_table(("by itself", "median [least – most]", "target"), limits) if figure.limits else ()),
    ]


def _verdict(ratio: Ratio, spread: Spread) -> str:
    sign = "≤" if ratio.at_most else "≥"
    return ", then ".join(
        f"{sign} {target:g}: {'reached' if ratio.reached(spread.median, target) else 'not reached'}"
        for target in ratio.targets
    )


def _limit(limit: Limit, spread: Spread) -> tuple[str, str, str]:
    verdict = "reached" if spread.median <= limit.most else "not reached"
    return f"{limit.name} ({limit.measure})", _spread(spread), f"≤ {limit.most:g}: {verdict}"


def _spread(spread: Spread) -> str:
    return f"{_short(spread.median)} [{_short(spread.least)} – {_short(spread.most)}]"


def _short(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    cells = [head, ("---",) * len(head), *rows]
    return [*("| " + " | ".join(row) + " |" for row in cells), ""]
