"""Where the processors' time goes: what bounds a figure when all processes share two cores. Linux only."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")


class Meter:
    """CPU seconds so far, by name; each is a process with all its descendants that still live."""

    def __init__(self, **roots: int) -> None:
        self._roots = roots

    def read(self) -> dict[str, float]:
        spent, children = _processes()
        return {name: _with_descendants(pid, spent, children) for name, pid in self._roots.items()}


def _processes() -> tuple[dict[int, float], dict[int, list[int]]]:
    spent: dict[int, float] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the program's name, which may hold anything: state, parent, …, user and system time.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        spent[int(folder.name)] = (int(fields[11]) + int(fields[12])) * _TICK
        children[int(fields[1])].append(int(folder.name))
    return spent, children


def _with_descendants(pid: int, spent: Mapping[int, float], children: Mapping[int, list[int]]) -> float:
    below = sum(_with_descendants(child, spent, children) for child in children.get(pid, ()))
    return spent.get(pid, 0.0) + below


def parent_of(pid: int) -> int:
    """The process that started it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
