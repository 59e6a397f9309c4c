"""What a running service has at hand, for its routes and loops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from shared.db import Database
from shared.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """One service in this process: its name (schema, role, path prefix), database and settings.

    watermarks  by producer: everything it recorded before has been sent; empty unless the service hears them
    """

    name: str
    database: Database
    settings: Settings
    watermarks: dict[str, datetime] = field(default_factory=dict)
    _kept: dict[Any, Any] = field(default_factory=dict, repr=False)

    def keep(self, make: Callable[[ServiceContext], T]) -> T:
        """The one instance of what `make` makes in this process, such as a writer that all requests share."""
        if make not in self._kept:
            self._kept[make] = make(self)
        made: T = self._kept[make]
        return made
