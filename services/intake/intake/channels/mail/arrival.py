"""A mail that was read, into a request, a reply, or aside; the doors share it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from intake.channels.contract import DeliveryTold, Opted
from intake.channels.mail.pool import reader_of
from intake.channels.mail.text import content
from intake.channels.mail.value import Mail
from intake.messages import store as messages
from intake.messages import threads
from intake.optouts import actions as optouts
from intake.optouts.rules import wish_of
from intake.requests import store
from intake.requests.actions import Registered
from intake.requests.rules import (
    UNKNOWN,
    Attachment,
    Identity,
    Normalised,
    email_identity,
    title_of,
)
from intake.requests.writer import writer_of
from shared.clock import uuid7
from shared.context import ServiceContext
from shared.db import Tx
from shared.http.keys import keys_for

LARGEST: Final = 25 * 1024 * 1024
"""Bytes of a mail: with photos, as large as mail providers let one be."""
_LONGEST_NAME: Final = 200
_LONGEST_ADDRESS: Final = 254
NOT_UNDERSTOOD: Final = "mail.eml"
"""The whole of a mail that nobody could read, as its one attachment."""


@dataclass(frozen=True, slots=True)
class Came:
    """How a mail reached us: a Date header never counts, only `received_at` (R52).

    recipients  whom the mail server says it is for, beside what its headers say
    """

    account: str
    received_at: datetime
    region: str = UNKNOWN
    city: str = UNKNOWN
    product_line: str | None = None
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetAside:
    """Kept, but it opens nothing: no person wrote it, or it only asks for no more mails."""

    external_id: str
    reason: str


async def take(context: ServiceContext, raw: bytes, came: Came) -> Registered | SetAside:
    """Returns once the mail is committed, as a request or aside; the same mail to the same account once."""
    keys = keys_for(threads.PURPOSE, context.settings)
    mail = await reader_of(context).read(raw, urlsplit(context.settings.public_url).hostname or "localhost")
    if mail.automatic:
        await context.database.transact(partial(_put_aside, mail=mail, raw=raw, came=came))
        return SetAside(mail.external_id, mail.automatic)
    thread = threads.thread_of((*came.recipients, *mail.recipients), keys, came.received_at)
    message = normalised(mail, raw, came, thread)
    if (out := wish_of_mail(mail)) is not None:
        wish = Opted(message, out)
        await context.database.transact(partial(optouts.note, wishes=[wish]))
        return SetAside(mail.external_id, optouts.reason_of(wish))
    return await writer_of(context).register(message)


def wish_of_mail(mail: Mail) -> bool | None:
    """Whether its text, or its subject where there is no text, only asks for no more (True), or again."""
    return None if mail.parts else wish_of(mail.text.strip() or mail.subject, "email")


def normalised(mail: Mail, raw: bytes, came: Came, thread: UUID | None = None) -> Normalised:
    """In the shape of all channels."""
    identity = email_identity(mail.address)
    return Normalised(
        channel="email",
        account=came.account,
        external_id=mail.external_id,
        identities=(identity or Identity("external", f"email:{mail.external_id}"),),
        name=(mail.name or mail.address)[:_LONGEST_NAME] or "—",
        text=mail.text,
        title=title_of(mail.subject, mail.text),
        received_at=came.received_at,
        raw=raw,
        content_type="message/rfc822",
        region=came.region,
        city=came.city,
        product_line=came.product_line,
        answers=mail.answers,
        address=mail.address[:_LONGEST_ADDRESS] or None,
        thread=thread,
        attachments=_attachments(mail, raw),
    )


def _attachments(mail: Mail, raw: bytes) -> tuple[Attachment, ...]:
    if not mail.understood:
        return (Attachment(NOT_UNDERSTOOD, "message/rfc822", raw, inline=False),)
    whole = memoryview(raw)
    return tuple(
        Attachment(
            each.name, each.content_type, content(whole[each.start : each.end], each.encoding), each.inline
        )
        for each in mail.parts
    )


async def _put_aside(tx: Tx, mail: Mail, raw: bytes, came: Came) -> None:
    """Keep it, and what it tells of a mail of ours that was given up."""
    row = {
        "id": uuid7(),
        "channel": "email",
        "account": came.account,
        "external_id": mail.external_id,
        "reason": mail.automatic,
        "body": raw,
    }
    await store.put_aside(tx, [row])
    if mail.undelivered is None:
        return
    ours = await messages.load_sent(tx, mail.undelivered.message_ids)
    why = f"{mail.undelivered.status} {mail.undelivered.recipient}".strip()
    told = [DeliveryTold(id, "failed", came.received_at, why) for id in ours]
    await messages.save_deliveries(tx, "email", came.account, told)
