"""A watermark is passed on when what it speaks of has come here by the other way, and not before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from shared.bus import Watermark
from shared.bus.gate import Gate
from shared.bus.progress import Progress

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)


class Queue:
    """A queue that holds so much, and is asked each time a test lets it."""

    def __init__(self) -> None:
        self.held = 0
        self.gate, self.progress = Gate(), Progress()
        self.heard: list[Watermark] = []
        self._asked: asyncio.Queue[asyncio.Future[int]] = asyncio.Queue()
        self.gate.guarded = True
        self.gate.leads_to(self.heard.append)

    async def _ask(self) -> int:
        answer = asyncio.get_running_loop().create_future()
        self._asked.put_nowait(answer)
        return int(await answer)

    async def run(self) -> None:
        await self.gate.keep_asking(self.progress, self._ask)

    async def asked(self) -> asyncio.Future[int]:
        """The next time that it is asked, to be answered."""
        return await self._asked.get()


async def answered(queue: Queue, held: int) -> None:
    """The queue is asked once and answers; all has been noted when it is asked again."""
    (await queue.asked()).set_result(held)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.bus.gate.clock", SimpleNamespace(now=lambda: NOON))
    monkeypatch.setattr("shared.bus.gate.ASK_SECONDS", 0.01)


async def test_a_question_asked_before_it_came_says_nothing_of_it() -> None:
    queue, mark = Queue(), Watermark("dispatch", NOON)
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(queue.run())
        before = await queue.asked()
        queue.gate.tell(mark)  # what it speaks of was sent meanwhile, and lies in the queue
        before.set_result(0)
        again = await queue.asked()
        assert queue.heard == []
        again.set_result(0)
        await queue.asked()
        asking.cancel()
    assert queue.heard == [mark]


async def test_while_the_queue_holds_anything_or_it_is_not_done_it_waits() -> None:
    queue, mark = Queue(), Watermark("dispatch", NOON)
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(queue.run())
        queue.gate.tell(mark)
        await answered(queue, 3)
        queue.progress.arrived(NOON)
        await answered(queue, 0)
        last = await queue.asked()
        assert queue.heard == []
        queue.progress.done(1)
        assert queue.heard == [mark]
        last.cancel()
        asking.cancel()


async def test_who_takes_nothing_from_a_queue_hears_at_once() -> None:
    queue = Queue()
    queue.gate.guarded = False
    queue.gate.tell(Watermark("dispatch", NOON))
    queue.gate.tell(Watermark("dispatch", LATER))
    assert [each.until for each in queue.heard] == [NOON, LATER]
