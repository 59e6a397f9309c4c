"""What was done when, so that a failed run can be read, and compared with the client's journal."""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Moment:
    """One thing that was done: `at` in seconds since the timeline began, `source` the tool that did it."""

    at: float
    source: str
    what: str
    details: dict[str, object] = field(default_factory=dict)


class Timeline:
    """The moments of one run, in the order they happened."""

    def __init__(self) -> None:
        # The clock that all processes of a host share, and journals use: so the two can be laid side by side.
        self.began = time.monotonic()
        self.moments: list[Moment] = []

    def note(self, source: str, what: str, **details: object) -> None:
        self.moments.append(Moment(time.monotonic() - self.began, source, what, details))

    def write(self, path: Path) -> None:
        """Write JSON: `began` on the host's monotonic clock, then the moments."""
        document = {"began": self.began, "moments": [asdict(moment) for moment in self.moments]}
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
