"""Where the processors' time goes: what bounds a figure when all processes share two cores. Linux only."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")


class Meter:
    """CPU seconds so far, by name; each is a process with all its descendants."""

    def __init__(self, **roots: int) -> None:
        self._roots = roots

    def read(self) -> dict[str, float]:
        spent, children = _processes()
        return {
            name: sum(spent.get(each, 0.0) for each in _family(pid, children))
            for name, pid in self._roots.items()
        }


def family(pid: int) -> list[int]:
    """A process and all its descendants that still live."""
    return _family(pid, _processes()[1])


def _family(pid: int, children: Mapping[int, list[int]]) -> list[int]:
    return [pid, *(each for child in children.get(pid, ()) for each in _family(child, children))]


def _processes() -> tuple[dict[int, float], dict[int, list[int]]]:
    spent: dict[int, float] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # After the name, which may hold anything: state, parent, …, user and system time, of its own and
            # of children that have ended.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        spent[int(folder.name)] = sum(map(int, fields[11:15])) * _TICK
        children[int(fields[1])].append(int(folder.name))
    return spent, children


def parent_of(pid: int) -> int:
    """The process that started it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
