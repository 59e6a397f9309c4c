"""What waits, is on its way and has left, in the table of the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, select, text, update

from intake.requests.rules import HOUSE_FORM
from intake.sending.rules import MAIL, Asked, Change, NoWay, Way, look_again_at
from intake.tables import message
from shared.db import Tx
from shared.errors import AftercareError

AT_ONCE: Final = 200
"""Messages whose way is looked for in one transaction."""


class NoSuchMessage(AftercareError):
    """There is no such message to a customer here."""

    kind = "not_found"


# One statement for both: what is new, and what had no way when somebody last looked.
# Whoever has the signed address of a request may write to it by mail: what we say goes to its customer alone.
_OWN: Final = """(message.channel <> 'email' OR EXISTS (
            SELECT FROM identity WHERE identity.customer_id = request.customer_id
              AND identity.kind = 'email' AND identity.value = lower(message.address)))"""
_PLAN: Final = text(
    f"""
    WITH fresh AS (
        SELECT id, request_id, queued_at, template FROM message
        WHERE direction = 'out' AND state = 'waiting' AND lane IS NULL
        ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
    ), stranded AS (
        SELECT id, request_id, queued_at, template FROM message
        WHERE state = 'waiting' AND lane = '' AND due_at <= :now
        ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
    )
    SELECT asked.id, asked.queued_at, asked.template, request.channel, request.account, request.door,
           request.customer_id, newest.address
    FROM (SELECT * FROM fresh UNION ALL SELECT * FROM stranded) AS asked
    JOIN request ON request.id = asked.request_id
    LEFT JOIN LATERAL (
        SELECT address, {_OWN} AS own FROM message
        WHERE request_id = request.id AND direction = 'in' AND address IS NOT NULL
        ORDER BY own DESC, CASE WHEN {_OWN} THEN id END DESC, id LIMIT 1
    ) AS newest ON true
    ORDER BY asked.id
    """
)
# By which of our numbers and mailboxes these customers wrote to us last, whatever it was about.
_BOUND: Final = text(
    f"""
    SELECT DISTINCT ON (request.customer_id, message.channel)
           request.customer_id, message.channel, request.account, message.address
    FROM request JOIN message ON message.request_id = request.id
    WHERE request.customer_id = ANY(CAST(:customers AS uuid[])) AND message.direction = 'in'
      AND (message.channel = 'email' OR request.door = :sms) AND message.address ~ '^[+]|@' AND {_OWN}
    ORDER BY request.customer_id, message.channel, message.id DESC
    """
).bindparams(bindparam("customers", type_=ARRAY(Uuid)))


async def load_unplanned(tx: Tx, now: datetime) -> Sequence[Any]:
    """Messages whose way nobody knows yet, held until the transaction ends."""
    return (await tx.execute(_PLAN, {"most": AT_ONCE, "now": now})).all()


# The newest address a customer wrote from; and whether they hold a link to their page: the form of the house
# gives it to who filled it in, and only by it something is written on the page (which has a `cause`).
_REACH: Final = text(
    """
    SELECT request.channel, request.account, request.door, request.customer_id,
           (SELECT address FROM message WHERE request_id = request.id AND direction = 'in'
              AND address IS NOT NULL ORDER BY id DESC LIMIT 1) AS address,
           EXISTS (SELECT FROM request AS part WHERE part.id = ANY(CAST(:ids AS uuid[]))
              AND part.channel = 'web_form' AND part.account = :form)
           OR EXISTS (SELECT FROM message WHERE request_id = ANY(CAST(:ids AS uuid[]))
              AND direction = 'in' AND cause IS NOT NULL) AS has_link
    FROM request WHERE request.id = :id
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("id", type_=Uuid))


async def load_reach(tx: Tx, id: UUID, together: Sequence[UUID]) -> Any:
    """How the customer of a request can be reached; the link may be of any request merged into it."""
    asked = {"id": id, "ids": sorted(together), "form": HOUSE_FORM}
    return (await tx.execute(_REACH, asked)).one()


async def load_bound(tx: Tx, customers: Sequence[UUID], sms: str) -> dict[tuple[UUID, bool], Any]:
    """By customer and whether it is a mailbox: the address that is bound to them, with our account."""
    if not customers:
        return {}
    found = await tx.execute(_BOUND, {"customers": sorted(set(customers)), "sms": sms})
    return {(row.customer_id, row.channel == MAIL): row for row in found}


def asked_of(row: Any, bound: Mapping[tuple[UUID, bool], Any]) -> Asked:
    """An unplanned message's request, with what is bound to its customer."""
    sms, mailbox = bound.get((row.customer_id, False)), bound.get((row.customer_id, True))
    return Asked(
        channel=row.channel,
        account=row.account,
        door=row.door,
        address=row.address,
        sms=(sms.account, sms.address) if sms else None,
        mailbox=mailbox.address if mailbox else None,
    )


async def save_plan(tx: Tx, id: UUID, queued_at: datetime, way: Way | NoWay) -> None:
    """Put a message into its lane, or say why it has none."""
    if isinstance(way, Way):
        found = {"lane": way.lane, "address": way.address, "due_at": tx.now, "why": None, "detail": None}
    else:
        due = look_again_at(queued_at, tx.now)
        found = {"lane": "", "due_at": due, "why": way.why, "detail": way.detail}
    await tx.execute(update(message).where(message.c.id == id).values(queued_at=queued_at, **found))


async def look_again(tx: Tx, now: datetime) -> None:
    """Something has been set up: look for the way of everything that had none lately."""
    had_none = (message.c.lane == "") & (message.c.state == "waiting") & (message.c.due_at.is_not(None))
    await tx.execute(update(message).where(had_none).values(due_at=now))


async def forget_lane(tx: Tx, lane: str) -> None:
    """An account is gone: what waits for it looks for another way."""
    waits = (message.c.lane == lane) & (message.c.state == "waiting")
    await tx.execute(update(message).where(waits).values(lane=None, due_at=None))


_DUE: Final = text("SELECT DISTINCT lane FROM message WHERE due_at <= :now AND lane <> '' ORDER BY lane")


async def list_due(tx: Tx, now: datetime) -> Sequence[str]:
    """The lanes that have something to do."""
    return (await tx.execute(_DUE, {"now": now})).scalars().all()


_LOST: Final = text(
    """
    UPDATE message SET state = 'unknown', due_at = NULL, why = 'uncertain', detail = NULL
    WHERE lane = :lane AND state = 'sending' AND due_at <= :now
    """
)
# Of each conversation only what comes next: an answer never overtakes the one before it.
_CLAIM: Final = text(
    """
    UPDATE message SET state = 'sending', attempts = attempts + 1, due_at = :leased,
           external_id = CASE WHEN CAST(:host AS text) = '' THEN external_id
               WHEN round = 1 THEN '<' || id || '@' || CAST(:host AS text) || '>'
               ELSE '<' || id || '.' || round || '@' || CAST(:host AS text) || '>' END
    WHERE id IN (
        SELECT id FROM message AS next
        WHERE lane = :lane AND due_at <= :now AND state IN ('waiting', 'sending')
          AND NOT EXISTS (
              SELECT FROM message AS before
              WHERE before.request_id = next.request_id AND before.id < next.id
                AND before.direction = 'out' AND before.state IN ('waiting', 'sending')
                AND before.lane IS DISTINCT FROM '')
        ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
    )
    RETURNING id, request_id, attempts, round, queued_at, address, template, link, text, facts, external_id
    """
)


async def claim(
    tx: Tx, lane: str, leased: datetime, most: int, *, repeat: bool, host: str = ""
) -> Sequence[Any]:
    """At most `most` messages that are due, held until `leased`; those of a process that died among them.

    Unless they may be repeated (`repeat`): then nobody knows whether they arrived, and a person decides.
    `host` gives mails their Message-ID, the same at each attempt.
    """
    if not repeat:
        await tx.execute(_LOST, {"lane": lane, "now": tx.now})
    asked = {"lane": lane, "now": tx.now, "leased": leased, "most": most, "host": host}
    return (await tx.execute(_CLAIM, asked)).all()


_AROUND: Final = text(
    """
    SELECT message.id, request.customer_id, request.title, request.external_id AS reference,
           heard.text AS heard, last.id AS last_id,
           ARRAY(SELECT external_id FROM message AS mail
                 WHERE mail.request_id = request.id AND mail.channel = 'email' AND mail.id < message.id
                   AND mail.external_id LIKE '<%' AND mail.state IN ('received', 'sent')
                 ORDER BY mail.id) AS thread,
           (SELECT external_id FROM message AS mail
            WHERE mail.request_id = request.id AND mail.channel = 'email' AND mail.id < message.id
              AND mail.external_id LIKE '<%' AND mail.direction = 'in'
            ORDER BY mail.id DESC LIMIT 1) AS replies_to
    FROM message JOIN request ON request.id = message.request_id
    LEFT JOIN LATERAL (
        SELECT text FROM message WHERE request_id = request.id AND direction = 'in' ORDER BY id DESC LIMIT 1
    ) AS heard ON true
    LEFT JOIN LATERAL (
        SELECT id FROM message AS wrote WHERE wrote.address = message.address AND wrote.direction = 'in'
        ORDER BY id DESC LIMIT 1
    ) AS last ON true
    WHERE message.id = ANY(CAST(:ids AS uuid[]))
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


async def load_around(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Any]:
    """What a message is said in the middle of: title, the mails before, the customer's last words."""
    return {row.id: row for row in await tx.execute(_AROUND, {"ids": sorted(ids)})}


_RECORD: Final = text(
    """
    UPDATE message SET state = CAST(:state AS text), due_at = CAST(:due_at AS timestamptz),
           why = CAST(:why AS text), detail = CAST(:detail AS text),
           sent_at = CASE WHEN CAST(:state AS text) = 'sent' THEN CAST(:now AS timestamptz) ELSE sent_at END,
           sent_id = coalesce(CAST(:sent_id AS text), sent_id)
    WHERE id = :id AND state = 'sending' AND attempts = :attempts
    RETURNING request_id, channel, template
    """
)


async def record(tx: Tx, id: UUID, attempts: int, change: Change, sent_id: str | None) -> Any | None:
    """What became of an attempt; None where somebody else has had it since."""
    told = {
        "id": id,
        "attempts": attempts,
        "state": change.state,
        "due_at": change.due_at,
        "why": change.why,
        "detail": change.detail,
        "now": tx.now,
        "sent_id": sent_id,
    }
    return (await tx.execute(_RECORD, told)).first()


async def lock(tx: Tx, id: UUID) -> Any:
    """A message to a customer, held until the transaction ends. Raises `NoSuchMessage`."""
    which = (message.c.id == id) & (message.c.direction == "out")
    row = (await tx.execute(select(message).where(which).with_for_update())).first()
    if row is None:
        raise NoSuchMessage
    return row


async def save(tx: Tx, id: UUID, **changes: Any) -> None:
    """Change a locked message."""
    await tx.execute(update(message).where(message.c.id == id).values(changes))


# A mailbox knows no account; Message-IDs are the only ones of their kind anyway.
_TOLD: Final = text(
    """
    SELECT message.id, array_agg(told.state) AS states, max(told.detail) AS detail
    FROM message JOIN delivery_told AS told
      ON told.external_id = coalesce(message.sent_id, message.external_id)
     AND told.channel = split_part(message.lane, '/', 1)
     AND (told.channel = 'email' OR told.account = split_part(message.lane, '/', 2))
    WHERE message.request_id = ANY(CAST(:requests AS uuid[])) AND message.direction = 'out'
    GROUP BY message.id
    """
).bindparams(bindparam("requests", type_=ARRAY(Uuid)))


async def load_told(tx: Tx, requests: Iterable[UUID]) -> dict[UUID, Any]:
    """By message of these requests: what its provider told of it later."""
    return {row.id: row for row in await tx.execute(_TOLD, {"requests": sorted(requests)})}
