"""What processes load before they serve: a start takes so long, and an idle process weighs so much."""

from __future__ import annotations

import os
import subprocess
import sys

from allinone import schemas
from allinone.packages import NAMES, PACKAGES
from allinone.services import SERVICES
from shared.process.run import EXIT_WRONG_SETTINGS
from shared.settings import PREFIX

AT_FIRST_USE = {
    *("httpx", "pygments", "rich.console", "certifi"),
    *("aiosmtplib", "aiosmtpd", "imap_tools", "lxml", "inscriptis", "apprise"),
    *("opencc", "phonenumbers", "rapidfuzz", "segno", "charset_normalizer"),
    *("holidays", "icalendar", "scipy", "numpy"),
}
NEVER = {"alembic", "typer", "schemathesis", "pytest", "hypothesis"}


def loaded_by(program: str, code: int) -> set[str]:
    """The modules that a process had at its end, which came with that exit code."""
    telling = f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); {program}"
    # Without settings a service ends where it would begin to serve.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    done = subprocess.run([sys.executable, "-c", telling], capture_output=True, text=True, env=environment)
    assert done.returncode == code, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_a_process_that_serves_loads_what_is_seldom_wanted_at_its_first_use() -> None:
    packages = tuple(PACKAGES.values())
    loaded = loaded_by(f"from shared.process.start import start; start(*{packages})", EXIT_WRONG_SETTINGS)
    assert {"intake.app", "sla_monitor.app", "shared.http.app"} <= loaded
    assert loaded & (AT_FIRST_USE | NEVER) == set()


def test_what_opens_a_suite_loads_no_service() -> None:
    # The migrations of promises store what ships of them.
    loaded = loaded_by("import allinone.opening, sla_monitor.policies.store, sla_monitor.calendars.store", 0)
    assert {"alembic.script", "allinone.schemas"} <= loaded
    assert loaded & {"fastapi", "httpx", "aio_pika", *(f"{each}.app" for each in PACKAGES.values())} == set()


def test_what_is_said_of_services_without_loading_them_is_so() -> None:
    assert tuple(each.name for each in SERVICES) == NAMES
    for service in SERVICES:
        assert service.migrations is not None
        assert service.migrations.parent.name == PACKAGES[service.name]
        assert schemas.history(service.name).folders == service.history.folders
