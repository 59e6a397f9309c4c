"""Installing a Debian package starts no service, and leaves the system's policy as it was, come what may."""

import contextlib
import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from localservers import install
from localservers.install import CHROMIUM, INSTALLATION, RABBITMQ, ChromiumMissing, RabbitmqMissing
from localservers.keeper import started_at

pytestmark = pytest.mark.skipif(not Path("/usr/bin/flock").exists(), reason="Debian's way to install")


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A folder with a lock, a policy and an apt-get of its own, which does what the file `does` says."""
    programs = tmp_path / "bin"
    programs.mkdir()
    write_program(programs / "apt-cache", "exit 0")
    write_program(programs / "apt-get", f'[ "$1" = install ] || exit 0\n. {tmp_path}/does')
    return tmp_path


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(system: Path, apt_get: str) -> int:
    (system / "does").write_text(apt_get)
    with installing(system) as process:
        return process.wait(20)


def installing(system: Path) -> subprocess.Popen[bytes]:
    arguments = ("install", "some-package", system / "lock", system / "policy")
    return subprocess.Popen(
        ("/bin/sh", "-c", INSTALLATION, *arguments),
        env={"PATH": f"{system}/bin:{install.SYSTEM_PATH}"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def verdict(system: Path) -> int:
    """What the policy answers to a package that asks whether it may start its service (101: no)."""
    return subprocess.run([system / "policy", "some-service", "start"]).returncode


def test_services_are_not_started_while_packages_are_installed(system: Path) -> None:
    assert run(system, f"{system}/policy some-service start || echo $? > {system}/verdict") == 0
    assert (system / "verdict").read_text() == "101\n"
    assert not (system / "policy").exists()


@pytest.mark.parametrize("apt_get", ["exit 0", "exit 100", "kill -TERM $PPID"])
def test_a_policy_of_the_administrator_is_put_back(system: Path, apt_get: str) -> None:
    write_program(system / "policy", "exit 7")
    run(system, apt_get)
    assert verdict(system) == 7
    assert not (system / "policy.before-aftercare").exists()


def test_a_policy_left_behind_by_a_kill_forbids_nothing(system: Path) -> None:
    write_program(system / "policy", "exit 7")
    (system / "does").write_text("echo ready; exec sleep 60")
    with installing(system) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert verdict(system) == 101
        os.killpg(process.pid, signal.SIGKILL)
    subprocess.run(["flock", system / "lock", "true"], timeout=20, check=True)  # The last holder is gone.
    assert (system / "policy.before-aftercare").exists()
    assert verdict(system) == 7
    assert run(system, "exit 0") == 0
    assert verdict(system) == 7
    assert not (system / "policy.before-aftercare").exists()


def test_an_epmd_started_on_the_way_is_ended_and_no_other(system: Path) -> None:
    os.mkfifo(system / "never")
    write_program(system / "epmd", f"read -r _ <{system}/never")
    start = "{0}/epmd {1} 9>&- >/dev/null & echo $! >{0}/{2}\n"
    assert run(system, start.format(system, "-daemon", "ended") + start.format(system, "", "kept")) == 0
    ended, kept = (int((system / name).read_text()) for name in ("ended", "kept"))
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(ended)
        assert select.select([descriptor], [], [], 20)[0]
        os.close(descriptor)
    assert started_at(kept) is not None
    os.kill(kept, signal.SIGTERM)


def test_two_installations_take_turns(system: Path) -> None:
    (system / "does").write_text(f"mkdir {system}/busy || exit 1\nsleep 0.2\nrmdir {system}/busy")
    with installing(system) as first, installing(system) as second:
        assert (first.wait(20), second.wait(20)) == (0, 0)


def test_an_outdated_list_of_packages_is_renewed(system: Path) -> None:
    assert run(system, f"[ -e {system}/tried ] || {{ touch {system}/tried; exit 100; }}") == 0


def test_who_may_not_install_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "find_program", lambda *_: None)
    monkeypatch.setattr(install, "_root_shell", lambda: None)
    with pytest.raises(RabbitmqMissing, match=r"may not install it.*`apt-get install rabbitmq-server`"):
        install.ensure_program(RABBITMQ)
    with pytest.raises(ChromiumMissing, match=r"`apt-get install chromium`.*AFTERCARE_CHROMIUM"):
        install.ensure_program(CHROMIUM)


def test_the_end_of_a_failed_installation_is_shown(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (system / "does").write_text("echo 'Unable to fetch some archives'; exit 100")
    monkeypatch.setattr(install, "find_program", lambda *_: None)
    monkeypatch.setattr(install, "_root_shell", lambda: ["/bin/sh"])
    monkeypatch.setattr(install, "SYSTEM_PATH", f"{system}/bin:{install.SYSTEM_PATH}")
    monkeypatch.setattr(install, "LOCK", str(system / "lock"))
    monkeypatch.setattr(install, "POLICY", str(system / "policy"))
    with pytest.raises(RabbitmqMissing, match="Unable to fetch some archives"):
        install.ensure_program(RABBITMQ)


def test_the_program_named_in_the_environment_wins(tmp_path: Path) -> None:
    write_program(tmp_path / "mine", "exit 0")
    named = {"AFTERCARE_RABBITMQ_SERVER": str(tmp_path / "mine")}
    assert install.find_program(RABBITMQ, named) == tmp_path / "mine"
    with pytest.raises(RabbitmqMissing, match="names /nowhere, which is not a program this user can run"):
        install.find_program(RABBITMQ, {"AFTERCARE_RABBITMQ_SERVER": "/nowhere"})
