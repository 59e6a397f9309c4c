"""The two ways a newcomer starts it: what they say, and how Ctrl-C ends them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from localservers.loopback import free_ports
from localservers.postgres import PostgresServer

ROOT = Path(__file__).parents[2]
ENVIRONMENT = Path(sys.prefix)
STOPPED = "Stopped; your data is kept in {} and is there again at the next start."

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


@pytest.fixture
def checkout(folder: Path) -> Path:
    """The parts of the repository that make looks at, with the environment of this test."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "shared", "services"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def test_before_the_long_silence_it_is_announced(checkout: Path) -> None:
    shown = subprocess.run(["make", "--dry-run", "run"], capture_output=True, text=True, check=True).stdout
    assert 0 < shown.index("Preparing the environment") < shown.index("pip install")


def without_make(environment: Mapping[str, str]) -> dict[str, str]:
    """As if no make had started these tests."""
    made = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    return {name: value for name, value in environment.items() if name not in made}


@pytest.mark.parametrize(
    "to_all", [pytest.param(False, id="aftercare", marks=pytest.mark.proof), pytest.param(True, id="make")]
)
async def test_ctrl_c_stops_it_with_a_sentence(checkout: Path, to_all: bool) -> None:
    """In a terminal Ctrl-C goes to make and to what it runs alike."""
    [port] = free_ports(1)
    (checkout / ".venv").symlink_to(ENVIRONMENT)
    make = ("make", "--old-file=.venv/.installed", "run", f"PORT={port}", "DEMO=0")
    started = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
        make if to_all else (sys.executable, "-m", "allinone.cli", "run"),
        env={**without_make(os.environ), "PORT": str(port), "DEMO": "0"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        # What was started in the background ignores Ctrl-C, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        assert started.stdout is not None
        assert any("/asyncapi.json" in line for line in started.stdout)  # the last line of the welcome
        os.killpg(started.pid, signal.SIGINT)
        told, complaints = started.communicate(timeout=60)
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
        server = PostgresServer(checkout / ".aftercare" / "postgres")
        await server.remove()
    kept = ".aftercare/" if server.home == server.folder else f".aftercare/ and {server.home}"
    assert (told.strip(), complaints) == (STOPPED.format(kept), "")
    assert started.returncode == (-signal.SIGINT if to_all else 0)
