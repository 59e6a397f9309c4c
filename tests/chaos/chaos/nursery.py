"""Where replicas are born quickly: forked from a process that has imported everything they need.

To import all of it takes a process two seconds, and a proof lets dozens die. A forked replica is a process
like any other: its own group, memory and connections, ended by signals and crash points alike.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from shared import crash

_PR_SET_PDEATHSIG: Final = 1


@dataclass
class Newborn:
    """A process that somebody else is the parent of; as much of `asyncio.subprocess.Process` as is needed."""

    pid: int
    returncode: int | None = None
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> int:
        await self._gone.wait()
        assert self.returncode is not None
        return self.returncode

    def ended(self, code: int) -> None:
        self.returncode = code
        self._gone.set()


class Nursery:
    """One process, begun when the first replica is wanted, gone with whoever wanted it."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self._process: asyncio.subprocess.Process | None = None
        self._opening = asyncio.Lock()
        self._births: asyncio.Queue[Newborn] = asyncio.Queue()
        self._alive: dict[int, Newborn] = {}
        self._listening: asyncio.Task[None] | None = None

    async def bear(self, module: str, environment: Mapping[str, str], log: Path) -> Newborn:
        """`python -m module` with exactly this environment; what it prints goes to the end of `log`."""
        async with self._opening:
            process = self._process or await self._open()
            assert process.stdin is not None
            order = {"module": module, "environment": dict(environment), "log": str(log)}
            process.stdin.write(json.dumps(order).encode() + b"\n")
            return await self._births.get()

    async def _open(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chaos.nursery", *self._modules,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        self._listening = asyncio.create_task(self._listen(self._process))
        return self._process

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            news = json.loads(line)
            if "code" in news:
                self._alive.pop(news["pid"]).ended(news["code"])
            else:
                self._alive[news["pid"]] = Newborn(news["pid"])
                self._births.put_nowait(self._alive[news["pid"]])


def main(modules: list[str]) -> None:
    """Fork a replica for each order on standard input; tell of births and deaths on standard output."""
    _leash()
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    bell, ringing = os.pipe()
    os.set_blocking(ringing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ringing)
    orders = b""
    while True:
        ready, _, _ = select.select([0, bell], [], [])
        if bell in ready:
            os.read(bell, 512)
            _tell_of_deaths()
        if 0 in ready:
            heard = os.read(0, 65536)
            if not heard:
                return  # whoever wanted replicas is gone, and each has a leash of its own
            *whole, orders = (orders + heard).split(b"\n")
            for order in whole:
                _fork(json.loads(order))


def _fork(order: Mapping[str, Any]) -> None:
    if pid := os.fork():
        with suppress(OSError):
            os.setpgid(pid, pid)  # whoever is told of it may signal its group at once
        _tell(pid=pid)
        return
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _become(order)


def _become(order: Mapping[str, Any]) -> NoReturn:
    """The replica, and nothing of the nursery."""
    os.setpgid(0, 0)
    _leash()
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for taken, stream in ((nowhere, 0), (log, 1), (log, 2)):
        os.dup2(taken, stream)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(order["environment"])
    importlib.reload(crash)  # the one module that reads the environment when it is imported
    sys.argv = [order["module"]]
    code = 0
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _leash() -> None:
    """The kernel kills this process when its parent dies, of whatever."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _tell_of_deaths() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _tell(pid=pid, code=os.waitstatus_to_exitcode(status))


def _tell(**news: int) -> None:
    os.write(1, json.dumps(news).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
