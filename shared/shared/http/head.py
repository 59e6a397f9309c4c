"""HEAD for whatever answers GET (RFC 9110, 9.3.2), without a route of its own."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Head:
    """Pure ASGI: tells the head of what a GET would be answered.

    All below sees that GET, so it is also what is refused and counted. The answer ends with its head: a live
    page hears that its reader has left.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            return await self.app(scope, receive, send)

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b""})

        # A scope of its own: the server still has to know that no body may follow.
        await self.app({**scope, "method": "GET"}, receive, send_head)
