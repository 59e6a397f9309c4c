"""What a running service has at hand, for its routes and loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from shared.clock import clock
from shared.db import Database
from shared.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """One service in this process: its name (schema, role, path prefix), database and settings.

    watermarks  by producer: everything it recorded before has been sent; empty unless the service hears them
    taken       tells when what had been recorded before, and came here, has had its effect
    on_heard    called with each new watermark
    """

    name: str
    database: Database
    settings: Settings
    watermarks: dict[str, datetime] = field(default_factory=dict)
    taken: Callable[[], datetime] = clock.now
    on_heard: list[Callable[[], None]] = field(default_factory=list)
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    def heard(self) -> dict[str, datetime]:
        """By producer: what it recorded before has been sent, and what came of it here has had its effect.

        It may go back: what another process did not finish is delivered again, here.
        """
        taken = self.taken()
        return {producer: min(until, taken) for producer, until in self.watermarks.items()}

    def keep(self, make: Callable[[ServiceContext], T]) -> T:
        """The one instance of what `make` makes in this process, such as a writer that all requests share."""
        if make not in self._kept:
            self._kept[make] = make(self)
        made: T = self._kept[make]
        return made
