"""Accounts at providers as they were set up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from intake.accounts import rules
from intake.channels.contract import Account
from intake.tables.accounts import channel_account
from shared.db import Tx
from shared.errors import AftercareError
from shared.http.keys import Key

_PLACE: Final = channel_account.c.channel + "/" + channel_account.c.name


class NoSuchAccount(AftercareError):
    """The channel {channel} has no account {name}; an admin sets it up."""

    kind = "not_found"


async def load(tx: Tx, channel: str, name: str, keys: Sequence[Key]) -> Account:
    """Raises `NoSuchAccount`, `SecretsUnreadable`."""
    which = (channel_account.c.channel == channel) & (channel_account.c.name == name)
    row = (await tx.execute(select(channel_account).where(which))).first()
    if row is None:
        raise NoSuchAccount(channel=channel, name=name)
    bare = Account(channel, name, {}, row.region, row.city, row.product_line)
    secrets = rules.unseal(row.sealed, bare.place, keys)
    return Account(channel, name, secrets, row.region, row.city, row.product_line)


async def load_all(tx: Tx) -> Sequence[Any]:
    """Every account, without its secrets."""
    columns = [each for each in channel_account.c if each.name != "sealed"]
    return (
        await tx.execute(select(*columns).order_by(channel_account.c.channel, channel_account.c.name))
    ).all()


async def save(tx: Tx, account: Account, key: Key, now: datetime) -> None:
    """Set an account up, or anew."""
    values = {
        "region": account.region,
        "city": account.city,
        "product_line": account.product_line,
        "sealed": rules.seal(account.secrets, account.place, key),
        "updated_at": now,
    }
    row = insert(channel_account).values(channel=account.channel, name=account.name, **values)
    await tx.execute(row.on_conflict_do_update(index_elements=["channel", "name"], set_=values))


async def remove(tx: Tx, channel: str, name: str) -> None:
    """Raises `NoSuchAccount`."""
    which = (channel_account.c.channel == channel) & (channel_account.c.name == name)
    if not (await tx.execute(delete(channel_account).where(which))).rowcount:
        raise NoSuchAccount(channel=channel, name=name)


async def load_places(tx: Tx, places: Iterable[str], keys: Sequence[Key]) -> dict[str, Account]:
    """Those accounts that are set up and readable, by place (`channel/name`)."""
    found = await tx.execute(select(channel_account).where(_PLACE.in_(sorted(set(places)))))
    accounts: dict[str, Account] = {}
    for row in found:
        bare = Account(row.channel, row.name, {}, row.region, row.city, row.product_line)
        with suppress(rules.SecretsUnreadable):
            accounts[bare.place] = replace(bare, secrets=rules.unseal(row.sealed, bare.place, keys))
    return accounts
