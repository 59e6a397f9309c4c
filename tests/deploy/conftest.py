"""The `aftercare` command, run in an empty folder and an environment that names no server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from allinone.cli import app

Aftercare = Callable[..., Awaitable[Result]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and an environment that names no server."""
    for name in [each for each in os.environ if each.startswith("AFTERCARE_") or each == "PORT"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def aftercare(folder: Path) -> Aftercare:
    """`await aftercare("token", "--role", "care", AFTERCARE_SECRET="…")`: how a command ended."""

    async def invoke(*arguments: str, **environment: str) -> Result:
        # In a thread: it has a loop of its own, and asks servers that run in this one.
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke
