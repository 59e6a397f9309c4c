"""W3C trace context at the edge: continued from the caller, told back in the answer."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.trace import enter_trace


class Traced:
    """Pure ASGI: everything a request causes carries its trace; servers give each request its own task."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        told = (b"traceparent", enter_trace(_parent(scope)).encode())

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), told]
            await send(message)

        await self.app(scope, receive, telling)


def _parent(scope: Scope) -> str | None:
    """The caller's context; with two of them there is no telling which is true, so none."""
    sent = [value for name, value in scope["headers"] if name == b"traceparent"]
    return sent[0].decode("latin-1") if len(sent) == 1 else None
