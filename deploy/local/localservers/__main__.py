"""`python -m localservers install`: the programs that development and tests need and no wheel carries."""

import os
import sys

from localservers.install import CHROMIUM, RABBITMQ, ProgramMissing, ensure_program, find_program
from localservers.postgres_programs import find_programs

USAGE = "usage: python -m localservers install"


def main(arguments: list[str]) -> int:
    if arguments != ["install"]:
        print(USAGE, file=sys.stderr)
        return 2
    missing = False
    try:
        print(f"PostgreSQL: {find_programs(os.environ)}")
    except ProgramMissing as error:
        missing = True
        print(error, file=sys.stderr)
    for program in (RABBITMQ, CHROMIUM):
        try:
            present = find_program(program)
            print(f"{program.title}: {present or ensure_program(program)}{'' if present else ' (installed now)'}")
        except ProgramMissing as error:
            missing = True
            print(error, file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
