"""What the desk shows live."""

from __future__ import annotations

from functools import partial
from typing import Final

from intake.requests import store
from shared.db import Tx
from shared.http.auth import Role
from shared.http.sse import LiveFeed, Row
from shared.logs import redact

ROLES: Final[frozenset[Role]] = frozenset({"care", "dispatcher", "operations", "admin"})
SHOWN: Final = 100


async def newest(tx: Tx) -> list[Row]:
    """The newest requests, each with its latest judgement; lists show no contact data, pages of one do."""
    requests = await store.load_newest(tx, SHOWN)
    judgements = await store.load_judgements(tx, [each.id for each in requests])
    return [
        Row(
            str(each.id),
            f"{(1 << 128) - each.id.int:039d}",
            {
                "request": each,
                "title": redact(each.title),
                "reasons": judgements[each.id][-1].reasons,
            },
        )
        for each in requests
    ]


REQUESTS: Final = LiveFeed(
    "requests", ROLES, newest, partial(store.load_versions, most=SHOWN), "request_row.html"
)
