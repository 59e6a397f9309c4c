"""How much a request may bring, and how long it may take to bring it."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import AftercareError
from shared.http.clean import check_headers, check_target

LARGEST_BODY: Final = 1024 * 1024  # bytes
SLOWEST_BODY: Final = 30.0  # seconds between two pieces; a phone on a bad network needs a few


class BodyTooLarge(AftercareError):
    """The body is larger than the {limit} bytes accepted here."""

    kind = "too_large"


class BodyTooSlow(AftercareError):
    """The body did not arrive in time; send it again."""

    status: ClassVar = 408
    headers: ClassVar = {"Connection": "close"}


class Limits:
    """Pure ASGI: refuses unclean addresses and headers, and cuts a body off at its limit.

    The limit is looked up when the body is read, after routing, so that a route may have set its own:
    `@router.post("/photos", max_body_size=…)`.
    """

    def __init__(
        self, app: ASGIApp, largest_body: int = LARGEST_BODY, slowest_body: float = SLOWEST_BODY
    ) -> None:
        self.app = app
        self.largest_body = largest_body
        self.deadlines = Deadlines(slowest_body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        check_target(scope)
        announced = check_headers(scope)
        state = scope["state"]
        state["largest_body"] = self.largest_body
        arrived = 0
        complete = False

        async def counting() -> Message:
            nonlocal arrived, complete
            if complete:
                return await receive()  # only a disconnect can follow, whenever it likes
            limit = state["largest_body"]
            if announced is not None and announced > limit:
                raise BodyTooLarge(limit=limit)
            message = await self.deadlines.wait_for(receive)
            arrived += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if arrived > limit:
                raise BodyTooLarge(limit=limit)
            return message

        await self.app(scope, counting, send)


class Deadlines:
    """One timer for all bodies that are being waited for; a timer each would cost as much as parsing does."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._waiting: dict[asyncio.Task[object], float] = {}  # oldest first
        self._late: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def wait_for(self, receive: Receive) -> Message:
        """What `receive` returns; `BodyTooSlow` when it takes too long."""
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._waiting[task] = loop.time() + self.seconds
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._sweep, loop)
        try:
            return await receive()
        except asyncio.CancelledError:
            if task in self._late and not task.uncancel():
                raise BodyTooSlow from None
            raise
        finally:
            self._waiting.pop(task, None)
            self._late.discard(task)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        for task, deadline in list(self._waiting.items()):
            if deadline > loop.time():
                self._timer = loop.call_at(deadline, self._sweep, loop)
                break
            del self._waiting[task]
            self._late.add(task)
            task.cancel()


def allow_body(request: Request, size: int) -> None:
    """Let this request bring up to `size` bytes; called before its body is read."""
    request.scope["state"]["largest_body"] = size
