"""Sources of which something waits at a provider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, text, update

from intake.channels.contract import Account, Announced
from intake.tables.pulling import pull
from shared.db import Tx

# In key order, so that two batches do not wait for each other.
_ANNOUNCE: Final = text(
    """
    INSERT INTO pull (channel, account, source, token, told, told_at, begun_at, due_at)
    VALUES (:channel, :account, :source, :token, 1, :now, :now, :now)
    ON CONFLICT (channel, account, source) DO UPDATE SET
        token = excluded.token, told = pull.told + 1, told_at = excluded.told_at, due_at = excluded.due_at
    """
)
_CLAIM: Final = text(
    """
    UPDATE pull SET due_at = :leased FROM (
        SELECT channel, account, source FROM pull
        WHERE due_at <= :now ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
    ) AS due
    WHERE pull.channel = due.channel AND pull.account = due.account AND pull.source = due.source
    RETURNING pull.*
    """
)


@dataclass(frozen=True, slots=True)
class Source:
    """One source, as it was claimed."""

    channel: str
    account: str
    source: str
    token: str
    told: int
    told_at: datetime
    begun_at: datetime
    cursor: str | None
    failures: int

    @property
    def place(self) -> tuple[str, str, str]:
        return self.channel, self.account, self.source


async def announce(tx: Tx, account: Account, announced: Sequence[Announced]) -> None:
    """Something is there: it is asked for at once."""
    for source, token in sorted({each.of: each.token for each in announced}.items()):
        told = {"source": source, "token": token, "now": tx.now}
        await tx.execute(_ANNOUNCE, {"channel": account.channel, "account": account.name, **told})


async def claim(tx: Tx, leased: datetime, most: int) -> list[Source]:
    """Sources that are due, for nobody else until `leased`: who dies leaves them to others then."""
    rows = await tx.execute(_CLAIM, {"now": tx.now, "leased": leased, "most": most})
    return [Source(**{name: getattr(row, name) for name in Source.__slots__}) for row in rows]


async def advance(tx: Tx, claimed: Source, cursor: str, due_at: datetime) -> bool:
    """All up to `cursor` is stored; asked again at `due_at`, or at once if something was announced since.

    False where somebody else has come further meanwhile.
    """
    unmoved = _which(claimed) & pull.c.cursor.is_not_distinct_from(claimed.cursor)
    told = {"cursor": cursor, "failures": 0, "detail": None}
    if (await tx.execute(update(pull).where(unmoved).values(told))).rowcount == 0:
        return False
    await _next(tx, claimed, due_at)
    return True


async def fail(tx: Tx, claimed: Source, due_at: datetime, detail: str, *, anew: bool = False) -> None:
    """It could not be asked; with `anew` it is from its beginning: the cursor may be what is wrong."""
    told: dict[str, Any] = {"failures": claimed.failures + 1, "detail": detail}
    await tx.execute(
        update(pull).where(_which(claimed)).values({**told, **({"cursor": None} if anew else {})})
    )
    await _next(tx, claimed, due_at)


async def look_again(tx: Tx, channel: str, account: str) -> None:
    """The account has been set up anew: ask for what waits."""
    theirs = (pull.c.channel == channel) & (pull.c.account == account)
    await tx.execute(update(pull).where(theirs).values(due_at=tx.now, failures=0))


async def load_all(tx: Tx) -> Sequence[Any]:
    """Every source, in the order of their names."""
    return (await tx.execute(select(pull).order_by(*pull.primary_key.columns))).all()


async def _next(tx: Tx, claimed: Source, due_at: datetime) -> None:
    untold = _which(claimed) & (pull.c.told == claimed.told)
    await tx.execute(update(pull).where(untold).values(due_at=due_at))


def _which(claimed: Source) -> Any:
    return (
        (pull.c.channel == claimed.channel)
        & (pull.c.account == claimed.account)
        & (pull.c.source == claimed.source)
    )
