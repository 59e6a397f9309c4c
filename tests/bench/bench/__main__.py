"""`python -m bench [--quick] [--only NAME] [--into FOLDER]`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import uvloop

from bench import intake, machine, memory, reaction, starts, timers, transport, writes
from bench.figure import QUICK_ROUNDS, ROUNDS, Figure, measure
from bench.load import find_wrk
from bench.result import Result
from bench.stage import Stage, own_stage, sync_clock

FIGURES: Final[Sequence[Figure]] = (
    transport.FIGURE,
    writes.FIGURE,
    intake.FIGURE,
    reaction.FIGURE,
    memory.FIGURE,
    starts.FIGURE,
    *timers.FIGURES,
)


async def run(stage: Stage, figures: Sequence[Figure] = FIGURES) -> Result:
    """Measure `figures` one after another; raises whatever goes wrong, never a result with a hole."""
    begun, facts = time.monotonic(), machine.facts()
    remarks = []
    if stage.quick:
        remarks.append("Quick form: shows that it works, not how fast it is.")
    if machine.is_busy(facts):
        remarks.append("Provisional: other work was running on the machine.")
    await sync_clock(stage.postgres_url)
    return Result(
        "foundation",
        [await measure(figure, stage) for figure in figures],
        QUICK_ROUNDS if stage.quick else ROUNDS,
        time.monotonic() - begun,
        facts,
        await machine.versions(stage),
        remarks,
    )


async def main(options: argparse.Namespace) -> None:
    """On servers of its own, started for this."""
    find_wrk()  # before minutes have gone by
    chosen = [each for each in FIGURES if options.only in (None, each.name)]
    async with own_stage(options.quick) as stage:
        result = await run(stage, chosen)
    print(result.as_markdown())
    if options.into is not None:
        result.write(options.into)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench", description="Figures, each beside its floor.")
    parser.add_argument("--quick", action="store_true", help="see that it works")
    parser.add_argument("--only", choices=[figure.name for figure in FIGURES], help="one figure")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="write the result there (docs/bench)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    uvloop.run(main(_options(sys.argv[1:])))
