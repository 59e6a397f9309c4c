"""What must be left of a provider's call, told by the call and the database, not by the code under test.

A signed call is accounted for when something of it is stored now, or was before: the same bytes came before,
all the ids it names did, or what of it asks for nothing is stored already under the same words. An empty body
says nothing, and may be refused instead.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import asyncpg
import httpx

from contracts.providers import Genuine, Signed, post, values
from shared.clock import uuid7

_KEPT: Final = """
    SELECT (SELECT count(*) FROM message WHERE direction = 'in' AND id > $1)
         + (SELECT count(*) FROM set_aside WHERE id > $1)
         + (SELECT count(*) FROM delivery_told) + (SELECT count(*) FROM call_event)
         + (SELECT coalesce(sum(told), 0) FROM pull)
"""
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
ALWAYS: Final = UUID(int=0)


async def kept(admin: asyncpg.Connection, since: UUID = ALWAYS) -> int:
    """Things that are stored, of those with an id the ones made later."""
    number: int = await admin.fetchval(_KEPT, since)
    return number


@dataclass
class Ledger:
    """Calls of this run that were answered 200: their bytes, and the ids they name, by channel.

    why  how often a call was accounted for by what
    """

    why: Counter[str] = field(default_factory=Counter)
    _bodies: set[tuple[str, bytes]] = field(default_factory=set)
    _ids: set[tuple[str, str]] = field(default_factory=set)

    async def lost(self, desk: Any, provider: Genuine, body: bytes, call: Signed) -> str | None:
        """Make the call; None when it is accounted for."""
        since = uuid7()
        before = await kept(desk.admin, since)
        answer = await post(desk, provider, call)
        more = await kept(desk.admin, since) > before
        why = await self._why(desk.admin, provider, body, answer, more)
        if answer.status_code == 200:
            self._bodies.add((provider.channel, body))
            self._ids |= {(provider.channel, each) for each in provider.ids(body)}
        if why is None:
            return f"{provider.channel} {answer.status_code} {base64.b64encode(body).decode()}"
        self.why[why] += 1
        return None

    async def _why(
        self, admin: asyncpg.Connection, provider: Genuine, body: bytes, answer: httpx.Response, more: bool
    ) -> str | None:
        if not body and answer.status_code in (400, 401, 422) and not more:
            return "empty, refused"
        if provider.channel == "chat" and answer.status_code == 422 and answer.json()["errors"] and not more:
            return "told what is wrong"  # its backend is a program of the house
        if answer.status_code != 200:
            return None
        if more:
            return "stored"
        if (provider.channel, body) in self._bodies:
            return "the same bytes came before"
        ids = {(provider.channel, each) for each in provider.ids(body)}
        if ids and ids <= self._ids:
            return "its ids came before"
        return "said so before" if await _said_before(admin, provider, body) else None


async def _said_before(admin: asyncpg.Connection, provider: Genuine, body: bytes) -> bool:
    """Whether it, or a value within this JSON, is set aside, whatever stands around it."""
    said = {_written(each) for each in values(body)}
    rows = await admin.fetch("SELECT body FROM set_aside WHERE channel = $1", provider.channel)
    bodies = [row["body"] for row in rows]
    return body in bodies or any(_written(whole[0]) in said for each in bodies if (whole := values(each)))


def _written(value: Any) -> str:
    return json.dumps(_storable(value), sort_keys=True)


def _storable(value: Any) -> Any:
    """As the database can keep it: U+FFFD for U+0000 and for halves of characters."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_storable(key): _storable(each) for key, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list) else value
