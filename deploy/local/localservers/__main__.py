"""`python -m localservers install`: the programs that development and tests need; installs what it may."""

import logging
import sys

from localservers.install import (
    ProgramMissing,
    ensure_chromium,
    ensure_faketime,
    ensure_headless_chromium,
    ensure_rabbitmq,
)
from localservers.postgres_programs import find_programs


def main(arguments: list[str]) -> int:
    """0 when all are here; 1 when one is missing, with the reason and the way out on standard error."""
    if arguments != ["install"]:
        print("usage: python -m localservers install", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    looks = {
        "PostgreSQL": find_programs,
        "RabbitMQ": ensure_rabbitmq,
        "Chromium": ensure_chromium,
        "Chromium without windows": ensure_headless_chromium,
        "faketime": ensure_faketime,
    }
    missing = False
    for title, look in looks.items():
        try:
            print(f"{title}: {look()}")
        except ProgramMissing as error:
            missing = True
            print(error, file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
