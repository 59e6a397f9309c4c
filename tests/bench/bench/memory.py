"""T7: what the all-in-one weighs, and what work leaves behind."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from bench.chain import CLIENTS
from bench.cpu import family
from bench.embedded import embedded, forget, serving, settings_of
from bench.figure import Figure, Limit, Numbers, Ratio, Side
from bench.load import post
from bench.stage import Stage, pid_of
from bench.suite import REQUEST, adapter_token, organise
from chaos.processes import Replica

BEFORE, AFTER = "all-in-one without PostgreSQL", "the same after 20 s of work"
RSS, PSS = "RSS MB", "PSS MB"
_LINE: Final = re.compile(r"^(Rss|Pss):\s+(\d+) kB", re.MULTILINE)


def weigh(root: int) -> Numbers:
    """Of a process and what it started, PostgreSQL's aside; PSS counts shared pages once. Linux only."""
    rss = pss = 0
    for pid in family(root):
        if Path(f"/proc/{pid}/comm").read_text().strip() == "postgres":
            continue
        found = dict(_LINE.findall(Path(f"/proc/{pid}/smaps_rollup").read_text()))
        rss, pss = rss + int(found["Rss"]), pss + int(found["Pss"])
    return {RSS: rss / 1024, PSS: pss / 1024}


async def present(replica: Replica) -> Numbers:
    return weigh(pid_of(replica))


async def worked(replica: Replica, token: str, seconds: float) -> Numbers:
    """The whole chain is at work, from intake to the clocks."""
    await post(f"http://127.0.0.1:{replica.port}/intake/requests", CLIENTS, seconds, REQUEST, token)
    return weigh(pid_of(replica))


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    folder, seconds = stage.folder / "memory", 1 if stage.quick else 20
    suite = embedded(stage, folder)
    try:
        async with serving(suite):
            settings = settings_of(suite, folder)
            await organise(settings.public_url, settings)
            yield (
                Side(BEFORE, partial(present, suite)),
                Side(AFTER, partial(worked, suite, adapter_token(settings), seconds)),
            )
    finally:
        await forget(folder)


FIGURE: Final = Figure(
    "memory",
    "Resident memory of the all-in-one's two Python processes together, before and after each round's work: "
    "32 clients post requests, all five services handle them. It is the same process from round to round, so "
    "what is left behind adds up. A soak of 30 minutes this is not.",
    sides,
    (Ratio("T7, growth in a round", RSS, AFTER, BEFORE, targets=(1.05,), at_most=True),),
    (Limit("T7, all-in-one without PostgreSQL", RSS, BEFORE, 260),),
)
