"""What the desk shows live: the newest requests that somebody may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from intake.answers.store import load_promises
from intake.desk.choice import Choice
from intake.desk.store import load_chosen
from intake.places.pages import names_of
from intake.places.store import load_catalogue
from intake.requests import store
from intake.requests.access import NO_LIMITS, Limits
from shared.db import Tx
from shared.http.auth import Principal, Role
from shared.http.sse import LiveFeed, Row
from shared.logs import redact

ROLES: Final[frozenset[Role]] = frozenset({"care", "dispatcher", "operations", "admin"})
SHOWN: Final = 100
MINE: Final = "mine"


async def newest(tx: Tx, limits: Limits = NO_LIMITS) -> list[Row]:
    """The newest requests within `limits`."""
    return await rows_of(tx, await load_chosen(tx, Choice(), limits, SHOWN))


async def rows_of(tx: Tx, requests: Sequence[store.Request]) -> list[Row]:
    """Requests with their latest judgements; lists show no contact data, pages of one do."""
    catalogue = await load_catalogue(tx)
    judgements = await store.load_judgements(tx, [each.id for each in requests])
    promises = await load_promises(tx, [each.id for each in requests if each.answered_at is None])
    return [
        Row(
            str(each.id),
            f"{(1 << 128) - each.id.int:039d}",
            {
                "request": each,
                "region": names_of(catalogue, "region", each.region),
                "title": redact(each.title),
                "reasons": judgements[each.id][-1].reasons,
                "answer_by": promises.get(each.id),
            },
        )
        for each in requests
    ]


def _narrow(query: str, principal: Principal) -> LiveFeed:
    limits = Limits.of(principal)
    return replace(
        REQUESTS,
        name=f"{REQUESTS.name}?{query}",
        snapshot=partial(newest, limits=limits),
        visible=lambda row, principal: True,
        narrow=None,
        view=limits,
    )


def feed_of(limits: Limits) -> str:
    """The name of what somebody follows, who has these limits."""
    return "intake.requests" if limits.none else f"intake.requests?{MINE}"


# Who is limited follows the narrowed feed; the whole is for those who may see everything.
REQUESTS: Final = LiveFeed(
    "requests",
    ROLES,
    newest,
    partial(store.load_versions, most=SHOWN),
    "request_row.html",
    visible=lambda row, principal: Limits.of(principal).none,
    narrow=_narrow,
)
