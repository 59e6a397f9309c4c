"""The file a proof leaves behind: what was run, on what, and what came out."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from chaos.checkers import Database, Report

LIBRARIES: Final = ("aio-pika", "asyncpg", "fastapi", "pydantic", "SQLAlchemy", "uvicorn")


@dataclass(frozen=True)
class Result:
    """One proof: `claim` is the sentence it stands for, `counts` what was done, `seconds` how long."""

    name: str
    claim: str
    seeds: Sequence[int]
    versions: Mapping[str, str]
    counts: Mapping[str, int | float]
    seconds: float
    reports: Sequence[Report]

    @property
    def holds(self) -> bool:
        return bool(self.reports) and all(report.clean for report in self.reports)

    def write(self, folder: Path) -> None:
        """Write `<name>.json` and, to be read, `<name>.md` into the folder (docs/proofs)."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self._as_json(), indent=2, sort_keys=True, ensure_ascii=False)
        (folder / f"{self.name}.json").write_text(text + "\n", encoding="utf-8")
        (folder / f"{self.name}.md").write_text(self._as_markdown(), encoding="utf-8")

    def _as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "claim": self.claim,
            "verdict": self._verdict,
            "seeds": list(self.seeds),
            "versions": dict(self.versions),
            "counts": dict(self.counts),
            "seconds": round(self.seconds, 1),
            "checkers": {
                report.checker: {
                    "checked": report.checked,
                    "found": dict(report.found),
                    "violations": list(report.violations),
                }
                for report in self.reports
            },
        }

    def _as_markdown(self) -> str:
        seeds = ", ".join(map(str, self.seeds))
        lines = [f"# {self.name}: {self._verdict}", "", self.claim, ""]
        lines += _table("run", {"seeds": seeds, "seconds": f"{self.seconds:.1f}", **self.counts})
        lines += _table("checker", {report.checker: _outcome(report) for report in self.reports})
        lines += _table("version", self.versions)
        return "\n".join(lines)

    @property
    def _verdict(self) -> str:
        return "holds" if self.holds else "violated"


async def versions(db: Database, rabbitmq: str | None) -> dict[str, str]:
    """Of what a proof ran on; `rabbitmq` None when it ran on the memory bus."""
    (row,) = await db.fetch("SHOW server_version")
    found = {"Python": platform.python_version(), "PostgreSQL": row["server_version"]}
    found |= {"RabbitMQ": rabbitmq or "none: memory bus"}
    return found | {library: version(library) for library in LIBRARIES}


def _outcome(report: Report) -> str:
    found = ", ".join(f"{times} {kind}" for kind, times in sorted(report.found.items()))
    return f"{found or 'no violation'} among {report.checked:,}"


def _table(title: str, rows: Mapping[str, object]) -> list[str]:
    lines = (f"| {name} | {value} |" for name, value in sorted(rows.items()))
    return [f"| {title} | |", "|---|---|", *lines, ""]
