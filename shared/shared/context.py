"""What a running service has at hand, for its routes, consumers and loops."""

from __future__ import annotations

from dataclasses import dataclass

from shared.db import Database
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class ServiceContext:
    """One service in this process: its name (schema, role, path prefix), database and settings."""

    name: str
    database: Database
    settings: Settings
