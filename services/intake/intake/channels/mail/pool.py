"""Who reads mails in this process."""

from __future__ import annotations

import asyncio
from functools import partial

from intake.channels.mail.parser import parse
from intake.channels.mail.value import Mail
from shared.context import ServiceContext


class Reader:
    """Reads mails beside the event loop."""

    def __init__(self, context: ServiceContext) -> None:
        pass

    async def read(self, raw: bytes, host: str) -> Mail:
        return await asyncio.to_thread(partial(parse, raw, host))


def reader_of(context: ServiceContext) -> Reader:
    """The one reader of this process."""
    return context.keep(Reader)
