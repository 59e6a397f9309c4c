"""A person asks to hear no more, or again: noted as consent, and kept as what they wrote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from intake.channels.contract import Opted
from intake.customers import store as customers
from intake.messages import store as messages
from intake.optouts import store
from intake.optouts.rules import STOPPED
from intake.requests import actions as requests
from intake.requests import store as asides
from intake.requests.actions import Overtaken
from intake.requests.rules import Normalised
from shared.clock import uuid7
from shared.db import Tx

_LONGEST: Final = 40  # characters of what they wrote; it is one word
_BY: Final = "customer"


async def note(tx: Tx, wishes: Sequence[Opted]) -> None:
    """Each once, in their order: consent per purpose on the channel it came by.

    What belongs to a conversation is shown there too; nothing opens a request. Raises `Overtaken`.
    """
    threads = await requests.threads_of(tx, [each.message for each in wishes])
    by_row = {_key(row): (row, each) for each in wishes if (row := _aside(each))}
    fresh = await asides.put_aside(tx, [by_row[key][0] for key in sorted(by_row)])
    new = [each for key, (_, each) in by_row.items() if key in fresh]
    if not new:
        return
    people, unknown = await customers.recognise(tx, [each.message for each in new])
    made = {row["id"] for row in unknown[0][1]}
    known = {each.id for each in people} - made
    if await store.hold(tx, known) != known:
        raise Overtaken
    said = [
        row
        for each, person in zip(new, people, strict=True)
        for row in _consents(each, customer_id=person.id, at=each.message.received_at)
    ]
    await store.save(tx, said, *unknown)
    replies = [(threads[place], each.message) for each in new if (place := _place(each.message)) in threads]
    await messages.save_replies(tx, replies)


def reason_of(wish: Opted) -> str:
    """As what it is set aside."""
    return "opt_out" if wish.out else "opt_in"


def _place(message: Normalised) -> tuple[str, str, str]:
    return message.channel, message.account, message.external_id


def _aside(wish: Opted) -> dict[str, Any]:
    account, _, name = wish.message.account.partition("/") if wish.message.door else ("", "", "")
    return {
        "id": uuid7(),
        "channel": account or wish.message.channel,
        "account": name or wish.message.account,
        "external_id": wish.message.external_id,
        "reason": reason_of(wish),
        "body": wish.message.raw,
    }


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["channel"], row["account"], row["external_id"]


def _consents(wish: Opted, **whose: Any) -> list[dict[str, Any]]:
    source = f"{wish.message.door or wish.message.channel}: {wish.message.text.strip()[:_LONGEST]}"
    told = {"channel": wish.message.channel, "given": not wish.out, "source": source, "by": _BY, **whose}
    return [{"id": uuid7(), "purpose": each, **told} for each in STOPPED]
