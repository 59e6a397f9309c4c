"""`python -m bench [--quick] [--only NAME] [--into FOLDER]`."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from bench import (
    assignment,
    channels,
    growth,
    intake,
    machine,
    memory,
    reaction,
    rivals,
    soak,
    starts,
    timers,
    transport,
    triage,
    writes,
)
from bench.figure import Figure, NotMeasured, measure
from bench.load import find_wrk
from bench.pages import Told, page
from bench.result import tell, write
from bench.stage import Stage, own_stage, sync_clock
from shared.clock import clock

FIGURES: Final[Sequence[Figure]] = (
    transport.FIGURE,
    writes.FIGURE,
    intake.FIGURE,
    channels.FIGURE,
    reaction.FIGURE,
    rivals.FIGURE,
    memory.FIGURE,
    starts.FIGURE,
    *timers.FIGURES,
    triage.FIGURE,
    assignment.FIGURE,
    *growth.FIGURES,
)
ON_REQUEST: Final[Sequence[Figure]] = (soak.FIGURE,)
"""Too long for every run."""


class FiguresFailed(Exception):
    """Some figures went wrong, as told above; the others are measured and written."""

    def __init__(self, figures: Sequence[str]) -> None:
        super().__init__(f"{', '.join(figures)} went wrong; what was written for them before is still there")


async def measured(figure: Figure, stage: Stage) -> Told:
    """Measure one figure; raises whatever goes wrong, never a result with a hole."""
    begun, facts = time.monotonic(), await machine.facts(machine.QUICK_LOOK if stage.quick else machine.LOOK)
    remarks = []
    if stage.quick:
        remarks.append("Quick form: shows that it works, not how fast it is.")
    if machine.is_busy(facts):
        remarks.append("Provisional: other work was running on the machine.")
    await sync_clock(stage.postgres_url)
    found, versions = await measure(figure, stage), await machine.versions(stage)
    seconds = time.monotonic() - begun
    return tell(found, at=clock.now(), seconds=seconds, machine=facts, versions=versions, remarks=remarks)


async def run(stage: Stage, figures: Sequence[Figure], into: Path | None) -> None:
    """Measure one after another, write each as soon as it is there; raises `FiguresFailed` in the end."""
    failed = []
    for figure in figures:
        begun, outcome = time.monotonic(), "measured"
        try:
            told = await measured(figure, stage)
        except NotMeasured as reason:
            outcome = f"not measured: {reason}"
        except Exception:
            traceback.print_exc()
            failed.append(figure.name)
            outcome = "FAILED"
        else:
            print(page(told))
            if into is not None:
                write(told, into)
        print(f"{figure.name}: {time.monotonic() - begun:.0f} s, {outcome}", file=sys.stderr, flush=True)
    if failed:
        raise FiguresFailed(failed)


async def main(options: argparse.Namespace) -> None:
    """On servers of its own, started for this."""
    find_wrk()  # before minutes have gone by
    chosen = [each for each in (*FIGURES, *ON_REQUEST) if each.name == options.only] or FIGURES
    async with own_stage(options.quick) as stage:
        await run(stage, chosen, options.into)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    names = [each.name for each in (*FIGURES, *ON_REQUEST)]
    parser = argparse.ArgumentParser("bench", description="Figures, each beside its floor.")
    parser.add_argument("--quick", action="store_true", help="see that it works")
    parser.add_argument("--only", choices=names, help="one figure")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="write what is found there (docs/bench)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    uvloop.run(main(_options(sys.argv[1:])))
