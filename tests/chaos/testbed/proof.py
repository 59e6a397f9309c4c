"""One proof from its claim to its file."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from chaos.checkers import Report
from chaos.result import Result, versions
from chaos.schedule import Plan
from chaos.timeline import Timeline
from testbed.ground import Ground

PUBLISHED: Final = Path(__file__).parents[3] / "docs" / "proofs"


@dataclass
class Proof:
    """What is claimed, what was done, what came out; a long one is published, a short one is not.

    `folder` keeps journal, logs, plans and timeline, to look into what went wrong.
    """

    name: str
    claim: str
    seed: int
    folder: Path
    published: bool = False
    timeline: Timeline = field(default_factory=Timeline)
    counts: dict[str, int | float] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began = time.monotonic()
        print(f"logs and timeline: {self.folder}")

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def follow(self, plan: Plan) -> Plan:
        """Keep a plan beside the result, for who wants to know what was done without running it."""
        self.plans.append(plan)
        return plan

    async def conclude(self, ground: Ground, reports: Sequence[Report]) -> None:
        """Write the result; raises ProofFailed with the first report that is not clean."""
        db = await asyncpg.connect(ground.database_url("postgres"))
        try:
            broker = None if ground.rabbit is None else (await ground.rabbit.ctl("version")).strip()
            found = await versions(db, broker)
        finally:
            await db.close()
        seconds = time.monotonic() - self._began
        result = Result(self.name, self.claim, [self.seed], found, self.counts, seconds, reports)
        self.timeline.write(self.folder / "timeline.json")
        place = PUBLISHED if self.published else self.folder
        result.write(place)
        for number, plan in enumerate(self.plans, 1):
            plan.write(place / f"{self.name}.plan-{number}.json")
        print((place / f"{self.name}.md").read_text(encoding="utf-8"))
        for report in reports:
            report.assert_clean()
