"""Background tasks that are never silently dead: each is re-created with back-off, and can be looked at."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from shared.errors import Outage
from shared.inbox.failure import explain

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 4.0  # what flows again must do so within 5 s of a broker's return
HEALTHY_AFTER: Final = 5.0  # seconds without a failure, after which the pause starts small again
ASK_AGAIN: Final = 1.0  # seconds until a task that goes on though it was cancelled is cancelled once more

log = structlog.get_logger()


@dataclass(slots=True)
class TaskState:
    """What `/health/flow` shows of one task."""

    running: bool = False
    restarts: int = 0
    last_error: str = ""


class Supervisor:
    """Keeps named tasks alive until it is stopped."""

    def __init__(self) -> None:
        self.states: dict[str, TaskState] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work()` for ever, again whenever it raises or returns."""
        state = self.states[name] = TaskState()
        self._tasks[name] = asyncio.create_task(self._keep(name, state, work), name=name)

    async def stop(self, *names: str) -> None:
        """End these tasks (all when none is named) and wait for what they were doing to be undone."""
        ending = {self._tasks.pop(name) for name in names or tuple(self._tasks)}
        while ending:
            for task in ending:
                task.cancel()
            # Once is not enough: aiormq swallows a cancellation that meets the closing of a channel.
            _, ending = await asyncio.wait(ending, timeout=ASK_AGAIN)

    async def _keep(self, name: str, state: TaskState, work: Callable[[], Awaitable[None]]) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            state.running = True
            try:
                await work()
            except (Exception, asyncio.CancelledError) as error:
                if _asked_to_end():
                    return
                state.last_error = str(error) if isinstance(error, Outage) else explain(error)
                log.warning("task failed", task=name, error=state.last_error)
            finally:
                state.running = False
            state.restarts += 1
            pause = FIRST_PAUSE if time.monotonic() - began > HEALTHY_AFTER else min(2 * pause, LONGEST_PAUSE)
            await asyncio.sleep(pause * random.uniform(0.5, 1))


def _asked_to_end() -> bool:
    """Whether somebody cancelled this task; else a library cancelled what the task was waiting for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
