"""The process that opens a suite: what it hears and answers, and that nobody waits for it in vain."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from allinone.faults import AlreadyTold, OutOfReach
from allinone.opener import opener

NOWHERE = "postgresql://somebody@127.0.0.1:1/postgres"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_it_tells_the_environment_before_it_needs_the_database(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with opener(8000) as opening:
        told = await opening.environment(NOWHERE)
        assert make_url(told["AFTERCARE_INTAKE_DATABASE_URL"]).username == "intake"
        assert told["AFTERCARE_SECRET"] == (folder / ".aftercare/secrets/secret.secret").read_text()
        with pytest.raises(AlreadyTold) as failed:
            await opening.prepared()
    assert failed.value.code == 1
    assert capfd.readouterr().err.startswith("PostgreSQL cannot be used as somebody at 127.0.0.1:1/")


async def test_killed_it_is_missed(folder: Path) -> None:
    async with opener(8000) as opening:
        os.kill(opening.pid, signal.SIGKILL)
        with pytest.raises(OutOfReach, match=r"ended too early \(-9\)"):
            await opening.environment(NOWHERE)
