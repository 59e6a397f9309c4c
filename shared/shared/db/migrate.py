"""Migrations: forward only, one history per service on top of the core's, run by the schema's owner.

Alembic is imported here only, so that a serving process does not carry it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

CORE: Final = Path(__file__).parent / "migrations"
_FILE: Final = re.compile(r"([a-z]+_[0-9]{4})_\w+\.py")


class Migrations:
    """The migration folders of one service: the core's and its own (None when it has no tables yet)."""

    def __init__(self, service: str, folder: Path | None) -> None:
        self.service = service
        self.folders = [CORE] if folder is None else [CORE, folder]

    def heads(self) -> set[str]:
        """The newest revision of each folder, read from the file names: `core_0001_messaging.py`."""
        return {
            max(match[1] for file in folder.iterdir() if (match := _FILE.fullmatch(file.name)))
            for folder in self.folders
        }

    async def at_head(self, connection: AsyncConnection) -> bool:
        """Whether the schema is at least as new as this code; newer is fine, old and new run side by side."""
        if not (await connection.execute(text("SELECT to_regclass('alembic_version') IS NOT NULL"))).scalar():
            return False
        found = await connection.execute(text("SELECT version_num FROM alembic_version"))
        applied = {_branch(name): name for name in found.scalars()}
        return all(applied.get(_branch(head), "") >= head for head in self.heads())

    async def upgrade(self, owner_url: str) -> None:
        """Bring the schema to head, one process at a time; `owner_url` connects as `<service>_owner`."""
        engine = create_async_engine(
            owner_url.replace("postgresql://", "postgresql+asyncpg://", 1),
            connect_args={
                "server_settings": {"search_path": f"{self.service}, public", "lock_timeout": "2s"}
            },
        )
        try:
            async with engine.begin() as connection:
                await connection.run_sync(self._upgrade)
        finally:
            await engine.dispose()

    def _upgrade(self, connection: Connection) -> None:
        from alembic.config import Config
        from alembic.migration import MigrationContext
        from alembic.operations import Operations
        from alembic.script import ScriptDirectory

        key = text("SELECT pg_advisory_xact_lock(hashtext(:name))")
        # Waiting for another migrator is no reason to fail, waiting for a table is.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(key, {"name": f"aftercare migrations of {self.service}"})
        connection.execute(text("SET LOCAL lock_timeout = '2s'"))
        config = Config()
        config.set_main_option("script_location", str(CORE))
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", "\n".join(map(str, self.folders)))
        scripts = ScriptDirectory.from_config(config)
        # The histories do not depend on each other: a revision that another needs loses its own version row.
        for target in ("core@head", "heads"):
            context = MigrationContext.configure(
                connection,
                opts={
                    "fn": lambda applied, _, target=target: scripts._upgrade_revs(target, applied),
                    "script": scripts,
                    "schema": self.service,
                    "version_table_schema": self.service,
                },
            )
            with Operations.context(context):
                context.run_migrations()


def _branch(revision: str) -> str:
    return revision.rpartition("_")[0]
