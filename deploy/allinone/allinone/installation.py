"""What runs in this folder, kept on disk for its owner only: how the other commands find it.

`aftercare run` and `aftercare up` write down the environment they gave their processes, and remove it when
they end. After a kill it may outlive them: then nothing answers where it points to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from localservers.folders import write_private
from shared.settings import PREFIX

EMBEDDED: Final = Path(".aftercare")
FULL: Final = EMBEDDED / "up"
RECORD: Final = "running.json"

# Whoever sets one of these means a suite of their own; the servers of another must never be mixed in.
_ENDINGS: Final = ("DATABASE_URL", "SECRET", "SECRET_FILE", "DATABASE_URL_FILE")


@contextmanager
def recorded(folder: Path) -> Iterator[None]:
    """Keep this process's settings in `folder` until the block ends."""
    record = folder / RECORD
    ours = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    write_private(record, json.dumps(ours, indent=1))
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def running() -> Mapping[str, str]:
    """The settings of the suite that was started last in this folder; empty when there is none."""
    records = [folder / RECORD for folder in (EMBEDDED, FULL) if (folder / RECORD).exists()]
    if not records:
        return {}
    kept: dict[str, str] = json.loads(max(records, key=lambda each: each.stat().st_mtime).read_text())
    return kept


def environment() -> Mapping[str, str]:
    """The process's own environment where it names a suite, else that of the suite in this folder."""
    for name in os.environ:
        if name.startswith(PREFIX) and "ADMIN_" not in name and name.endswith(_ENDINGS):
            return os.environ
    return running() or os.environ
