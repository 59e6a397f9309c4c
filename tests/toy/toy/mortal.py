"""`python -m toy.mortal`: replicas of a stage, without doors, each of which dies at a crash point.

`TOY_SETTINGS` holds the settings of each service as JSON, `TOY_CRASHES` the `AFTERCARE_CRASH_AT` of each
replica. They are forked from one, because importing everything takes long. Exits with 0 when all died so.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys

from shared import crash
from shared.process.assembly import Process
from shared.settings import Settings
from toy.stage import SERVICES, TOPOLOGY


async def live() -> None:
    stated = json.loads(os.environ["TOY_SETTINGS"])
    settings = {name: Settings.model_validate(each) for name, each in stated.items()}
    process = Process(SERVICES, settings, TOPOLOGY)
    process.start()
    await asyncio.Event().wait()


def fork(crash_at: str) -> int:
    """The process number of a replica that dies there."""
    pid = os.fork()
    if pid == 0:
        os.environ["AFTERCARE_CRASH_AT"] = crash_at
        importlib.reload(crash)
        asyncio.run(live())
    return pid


if __name__ == "__main__":
    replicas = [fork(crash_at) for crash_at in os.environ["TOY_CRASHES"].split()]
    codes = {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in replicas}
    sys.exit(0 if codes == {crash.EXIT_CODE} else f"the replicas ended with {codes}")
