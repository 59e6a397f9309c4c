"""What a figure leaves behind: numbers for programs, a page for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from bench import pages
from bench.figure import Limit, Measured, Ratio
from bench.pages import Told


def tell(
    measured: Measured,
    *,
    at: datetime,
    seconds: float,
    machine: Mapping[str, str],
    versions: Mapping[str, str],
    remarks: Sequence[str],
) -> Told:
    """All there is to know; `remarks` are what a reader must know before believing it."""
    figure = measured.figure
    return {
        "figure": figure.name,
        "claim": figure.claim,
        "remarks": list(remarks),
        "measured": at.isoformat(timespec="seconds"),
        "rounds": max(map(len, measured.rounds.values())),
        "seconds": round(seconds),
        "machine": dict(machine),
        "versions": dict(versions),
        "sides": _sides(measured),
        "ratios": {each.name: _ratio(measured, each) for each in figure.ratios},
        "limits": {each.name: _limit(measured, each) for each in figure.limits},
    }


def write(told: Told, folder: Path) -> None:
    """Write `<figure>.json` and, to be read, `<figure>.md` into the folder, and its index anew."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(told, indent=2, ensure_ascii=False)
    (folder / f"{told['figure']}.json").write_text(text + "\n", encoding="utf-8")
    (folder / f"{told['figure']}.md").write_text(pages.page(told), encoding="utf-8")
    found = [json.loads(each.read_text(encoding="utf-8")) for each in sorted(folder.glob("*.json"))]
    (folder / "README.md").write_text(pages.index(found), encoding="utf-8")


def _sides(measured: Measured) -> Told:
    return {
        side: {
            measure: {**asdict(measured.spread(side, measure)), "rounds": [each[measure] for each in rounds]}
            for measure in rounds[0]
        }
        for side, rounds in measured.rounds.items()
    }


def _ratio(measured: Measured, ratio: Ratio) -> Told:
    spread, bound = measured.ratio(ratio), "at most" if ratio.at_most else "at least"
    targets = [{bound: each, "reached": ratio.reached(spread.median, each)} for each in ratio.targets]
    of = {"of": f"{ratio.side}, {ratio.measure}", "over": ratio.floor}
    return {**asdict(spread), **of, "targets": targets}


def _limit(measured: Measured, limit: Limit) -> Told:
    spread = measured.spread(limit.side, limit.measure)
    target = {"at most": limit.most, "reached": spread.median <= limit.most}
    return {**asdict(spread), "of": limit.side, "unit": limit.measure, "targets": [target]}
