"""Watermarks come by another way than events: they wait until what they speak of is done here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from shared.bus.contract import Watermark
from shared.bus.progress import Progress
from shared.clock import clock

ASK_SECONDS: Final = 0.2  # between two looks whether the queue is empty, at the latest
NOTED_TURNS: Final = 20  # of the loop; what was delivered before an answer has been noted by then


class Gate:
    """Passes each watermark on when the queue, asked after it came, held nothing and what was here is done.

    What was sent before a watermark may lie in the queue when the watermark is heard, and after an outage
    that is much: what was recorded a minute ago has only just been sent.
    """

    def __init__(self) -> None:
        self.guarded = False
        """Whether this process takes events from a queue at all; else nothing has to wait."""
        self._heard: Callable[[Watermark], None] | None = None
        self._told: dict[str, Watermark] = {}
        self._more = asyncio.Event()

    def leads_to(self, heard: Callable[[Watermark], None]) -> None:
        """Who wants to hear watermarks; until somebody does, no queue is asked."""
        self._heard = heard

    def tell(self, watermark: Watermark) -> None:
        """A watermark has come."""
        self._told[watermark.producer] = watermark
        if self.guarded:
            self._more.set()
        else:
            self._pass_on([watermark])

    async def keep_asking(self, progress: Progress, held: Callable[[], Awaitable[int]]) -> None:
        """For ever. `held` asks how much the queue holds, and is answered after all it had delivered here."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_SECONDS):
                    await self._more.wait()
            if self._heard is None:
                continue
            self._more.clear()
            pass_on = partial(self._pass_on, list(self._told.values()))
            asked = clock.now()
            number = await held()
            for _ in range(NOTED_TURNS):
                await asyncio.sleep(0)
            progress.found(number, asked, pass_on)

    def _pass_on(self, watermarks: Sequence[Watermark]) -> None:
        if self._heard is not None:
            for each in watermarks:
                self._heard(each)
