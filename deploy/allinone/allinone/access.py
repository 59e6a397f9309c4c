"""How to reach each service's part of the database, as the environment says.

`AFTERCARE_ADMIN_DATABASE_URL`          an administrator; only `aftercare provision` needs it
`AFTERCARE_<SERVICE>_OWNER_DATABASE_URL` the owner of one schema; only `aftercare migrate` needs it
`AFTERCARE_<SERVICE>_DATABASE_URL`       the role that serves
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from allinone.services import SERVICES
from shared.db.provision import role_url
from shared.settings import PREFIX

NAMES = tuple(each.name for each in SERVICES)


class NotNamed(Exception):
    """A variable that this command needs is not in the environment."""

    def __init__(self, variable: str) -> None:
        super().__init__(f"{variable} is not set: it must name the server this command works on")


def from_environment(variable: str) -> str:
    """The value of `variable`, or `NotNamed`."""
    value = os.environ.get(variable)
    if not value:
        raise NotNamed(variable)
    return value


def admin_database_url() -> str:
    return from_environment(f"{PREFIX}ADMIN_DATABASE_URL")


def admin_amqp_url() -> str:
    return from_environment(f"{PREFIX}ADMIN_AMQP_URL")


def owner_url(service: str) -> str:
    return from_environment(f"{PREFIX}{service.upper()}_OWNER_DATABASE_URL")


def service_url(service: str) -> str:
    return from_environment(f"{PREFIX}{service.upper()}_DATABASE_URL")


def database_environment(admin_url: str, database: str, password_of: Mapping[str, str]) -> dict[str, str]:
    """The variables of all services for one database; `password_of` has each service and its `_owner`."""
    environment = {f"{PREFIX}ADMIN_DATABASE_URL": admin_url}
    for name in NAMES:
        for role, variable in ((name, "DATABASE_URL"), (f"{name}_owner", "OWNER_DATABASE_URL")):
            url = role_url(admin_url, role, password_of[role], database)
            environment[f"{PREFIX}{name.upper()}_{variable}"] = url
    return environment


def kept_secrets(folder: Path) -> dict[str, str]:
    """Random passwords and the signing secret, made once and kept in `folder` for its owner only."""
    names = ["secret", *NAMES, *(f"{name}_owner" for name in NAMES)]
    return {name: _kept(folder / f"{name}.secret") for name in names}


def _kept(file: Path) -> str:
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_urlsafe(32))
    return file.read_text()
