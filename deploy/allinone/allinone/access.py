"""How to reach each service's part of the database, as the environment says.

`AFTERCARE_ADMIN_DATABASE_URL`          an administrator; only `aftercare provision` needs it
`AFTERCARE_<SERVICE>_OWNER_DATABASE_URL` the owner of one schema; only `aftercare migrate` needs it
`AFTERCARE_<SERVICE>_DATABASE_URL`       the role that serves

What changes a suite's servers obeys the environment alone; what only works with a running suite also finds
the one that runs in this folder.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from allinone import installation
from allinone.faults import NotAnAddress, NotNamed, OutOfReach, UnknownName
from allinone.packages import NAMES as NAMES
from shared.db.engine import is_database_outage, sqlstate
from shared.db.provision import role_url
from shared.settings import PREFIX

ADMIN_DATABASE: Final = f"{PREFIX}ADMIN_DATABASE_URL"
ADMIN_AMQP: Final = f"{PREFIX}ADMIN_AMQP_URL"

_START: Final = "start it, or correct {variable}; then the same command again goes on"
_WAYS_OUT: Final = {
    "28": "correct user and password in {variable}, or run `aftercare provision`, which sets them",
    "3D": "correct {variable}, or run `aftercare provision` first",
    "3F": "run `aftercare provision` and `aftercare migrate` first",
    "42P01": "run `aftercare migrate` first",
    "42501": "name a user with that right in {variable}",
}
"""By SQLSTATE or its class: what the server says when it is there but not prepared."""


def from_environment(variable: str, environment: Mapping[str, str] = os.environ) -> str:
    """The address in `variable`; `NotNamed` without one, `NotAnAddress` for anything else."""
    value = environment.get(variable)
    if not value:
        raise NotNamed(variable)
    _parsed(variable, value)
    return value


def _parsed(variable: str, value: str) -> tuple[str, str]:
    """The user, and host, port and path; what comes between, the password, is nobody's to read."""
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise NotAnAddress(variable) from None
    port = f":{url.port}" if url.port else ""
    return url.username or "nobody", f"{url.host or 'localhost'}{port}/{url.database or ''}"


def admin_database_url() -> str:
    return from_environment(ADMIN_DATABASE)


def admin_amqp_url() -> str:
    return from_environment(ADMIN_AMQP)


def owner_url(service: str) -> str:
    return from_environment(owner_variable(service))


def service_url(service: str) -> str:
    return from_environment(service_variable(service))


def running_url(service: str) -> str:
    """As `service_url`; where the environment names none, of the suite that runs in this folder."""
    if service not in NAMES:
        raise UnknownName("service", service, NAMES)
    variable = service_variable(service)
    environment = installation.environment()
    if not environment.get(variable):
        raise NotNamed(variable, ", and no suite runs in this folder (`aftercare run`, `aftercare up`)")
    return from_environment(variable, environment)


def owner_variable(service: str) -> str:
    return f"{PREFIX}{service.upper()}_OWNER_DATABASE_URL"


def service_variable(service: str) -> str:
    return f"{PREFIX}{service.upper()}_DATABASE_URL"


@contextmanager
def reaching(server: str, variable: str, url: str) -> Iterator[None]:
    """Turn what a server out of reach raises into `OutOfReach`; any other error passes."""
    try:
        yield
    except (OSError, DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        way_out = _way_out(error)
        if way_out is None:
            raise
        user, place = _parsed(variable, url)
        message = f"{server} cannot be used as {user} at {place}: {_why(error)}; "
        raise OutOfReach(message + way_out.format(variable=variable)) from error


def _way_out(error: BaseException) -> str | None:
    state = sqlstate(error) or ""
    way_out = _WAYS_OUT.get(state) or _WAYS_OUT.get(state[:2])
    if way_out is None and (isinstance(error, OSError) or is_database_outage(error)):
        return _START
    return way_out


def _why(error: BaseException) -> str:
    """What the driver said first, without statements and their values."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.partition("\n")[0]
    return str(error).partition("\n")[0] or "no answer in time"


def database_environment(admin_url: str, database: str, password_of: Mapping[str, str]) -> dict[str, str]:
    """The variables of all services for one database; `password_of` has each service and its `_owner`."""
    environment = {ADMIN_DATABASE: admin_url}
    for name in NAMES:
        environment[service_variable(name)] = role_url(admin_url, name, password_of[name], database)
        owner = f"{name}_owner"
        environment[owner_variable(name)] = role_url(admin_url, owner, password_of[owner], database)
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
