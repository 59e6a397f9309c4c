"""From notices to messages and from messages to receivers: what waits, is on its way, has arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Column, DateTime, Integer, Table, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.db import Tx, insert_rows
from sla_monitor.sinks.rules import Group, Waiting
from sla_monitor.tables import metadata

_moment = DateTime(timezone=True)

message = Table(
    "message",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sink_id", Uuid, nullable=False),
    Column("what", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("made_at", _moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", _moment),
    Column("retry_until", _moment, nullable=False),
    Column("sent_at", _moment),
    Column("last_error", Text),
)

# What became of an alert is told only after the alert itself has arrived, and after all else that is told of
# it: a receiver that is told of it again would take it for one that stands. Of an alert that was given up it
# waits until that is sent again.
_TIMELY: Final = """
    (what NOT IN ('retraction', 'ended') OR EXISTS (
        SELECT FROM notice AS told JOIN message ON message.id = told.message_id
        WHERE told.alert_id = notice.alert_id AND told.sink_id = notice.sink_id
          AND message.state IN ('sent', 'unknown')
    ) AND NOT EXISTS (
        SELECT FROM notice AS told LEFT JOIN message ON message.id = told.message_id
        WHERE told.alert_id = notice.alert_id AND told.sink_id = notice.sink_id
          AND told.what NOT IN ('retraction', 'ended')
          AND (told.state = 'waiting' OR message.next_attempt_at IS NOT NULL)
    ))
"""
_DUE: Final = text(
    f"""
    SELECT sink.id FROM sink
    WHERE enabled AND retired_at IS NULL AND (resume_at IS NULL OR resume_at <= :now)
      AND (EXISTS (SELECT FROM message WHERE sink_id = sink.id AND next_attempt_at <= :now)
           OR EXISTS (SELECT FROM notice WHERE sink_id = sink.id AND state = 'waiting' AND {_TIMELY}))
    ORDER BY id
    """
)


async def list_due(tx: Tx, now: datetime) -> Sequence[UUID]:
    """The sinks that have something to do."""
    return (await tx.execute(_DUE, {"now": now})).scalars().all()


_TURN: Final = text("SELECT id FROM sink WHERE id = :id FOR NO KEY UPDATE SKIP LOCKED")
_MOOT: Final = text(
    """
    UPDATE notice SET state = 'moot'
    FROM alert JOIN clock ON clock.id = alert.clock_id
    WHERE notice.sink_id = :sink AND notice.state = 'waiting' AND alert.id = notice.alert_id
      AND ((what = 'warning' AND clock.outcome <> 'running')
           OR (what NOT IN ('breach', 'retraction', 'ended') AND alert.revision < clock.revision)
           OR (what IN ('retraction', 'ended') AND NOT EXISTS (
               SELECT FROM notice AS told
               WHERE told.alert_id = notice.alert_id AND told.sink_id = notice.sink_id
                 AND told.what NOT IN ('retraction', 'ended') AND told.state <> 'moot')))
    """
)
# Warnings that are held back over night stand behind everything else, and what waits for others like it
# behind the first of each kind, which may go at once.
_WAITING: Final = text(
    f"""
    SELECT id, alert_id, what, owner, region, promise, raised_at FROM (
      SELECT *, row_number() OVER (PARTITION BY what, owner, region, promise ORDER BY raised_at, id) AS place
      FROM notice WHERE sink_id = :sink AND state = 'waiting'
    ) AS notice
    WHERE {_TIMELY}
    ORDER BY what = 'warning', place > 1, raised_at, id LIMIT :most
    """
)
_LATEST: Final = text(
    """
    SELECT group_key, max(made_at) AS made_at FROM message WHERE sink_id = :sink AND made_at > :since
    GROUP BY group_key
    """
)


async def take_turn(tx: Tx, sink_id: UUID) -> bool:
    """Whether this process may gather for a sink now; only one does at a time."""
    return (await tx.execute(_TURN, {"id": sink_id})).first() is not None


async def load_waiting(tx: Tx, sink_id: UUID, most: int) -> list[Waiting]:
    """At most `most` notices that no message lists yet, the oldest first; late warnings are let go."""
    await tx.execute(_MOOT, {"sink": sink_id})
    return [
        Waiting(**row) for row in (await tx.execute(_WAITING, {"sink": sink_id, "most": most})).mappings()
    ]


async def load_latest(tx: Tx, sink_id: UUID, since: datetime) -> dict[str, datetime]:
    """When the last message of each key was made."""
    found = await tx.execute(_LATEST, {"sink": sink_id, "since": since})
    return {row.group_key: row.made_at for row in found}


_TOLD: Final = text(
    """
    SELECT notice.id AS notice_id, notice.rung, notice.tell, alert.id AS alert_id, alert.clock_id,
           alert.threshold, alert.revision, alert.raised_at, alert.raised_severity, alert.raised_region,
           clock.subject_id, clock.promise,
           clock.requirement, clock.severity, clock.deadline, clock.outcome, clock.confirmed,
           subject.kind, subject.title, subject.region, subject.owner_id
    FROM notice JOIN alert ON alert.id = alert_id JOIN clock ON clock.id = clock_id
         JOIN subject ON subject.id = subject_id
    WHERE notice.id = ANY(CAST(:ids AS uuid[])) ORDER BY alert.raised_at, alert.id
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)))


async def load_told(tx: Tx, groups: Sequence[Group]) -> dict[UUID, Any]:
    """What is to be said of each notice, by its id."""
    ids = [each.id for group in groups for each in group.notices]
    return {row.notice_id: row for row in await tx.execute(_TOLD, {"ids": ids})}


_MARK: Final = text(
    """
    UPDATE notice SET state = 'told', message_id = listed.message_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:messages AS uuid[])) AS listed (id, message_id)
    WHERE notice.id = listed.id
    """
).bindparams(bindparam("ids", type_=ARRAY(Uuid)), bindparam("messages", type_=ARRAY(Uuid)))


async def save_messages(
    tx: Tx, rows: Sequence[Mapping[str, Any]], listed: Sequence[tuple[UUID, UUID]]
) -> None:
    """Add messages; `listed` says which notice (id) is in which message (id)."""
    await insert_rows(tx, message, rows)
    if listed:
        ids, messages = [notice for notice, _ in listed], [message for _, message in listed]
        await tx.execute(_MARK, {"ids": ids, "messages": messages})


def message_row(
    id: UUID, sink_id: UUID, what: str, key: str, body: Mapping[str, Any], now: datetime, until: datetime
) -> dict[str, Any]:
    """A message that is to be sent at once."""
    return {
        "id": id,
        "sink_id": sink_id,
        "what": what,
        "group_key": key,
        "body": dict(body),
        "made_at": now,
        "state": "pending",
        "attempts": 0,
        "next_attempt_at": now,
        "retry_until": until,
    }


_LOST: Final = text(
    """
    UPDATE message SET state = 'unknown', next_attempt_at = NULL,
           last_error = 'the process ended while it was being sent'
    WHERE sink_id = :sink AND state = 'sending' AND next_attempt_at <= :now
    """
)
_CLAIM: Final = text(
    """
    UPDATE message SET state = 'sending', attempts = attempts + 1, next_attempt_at = :leased
    WHERE id IN (
        SELECT id FROM message WHERE sink_id = :sink AND next_attempt_at <= :now
          AND (what NOT IN ('retraction', 'ended') OR NOT EXISTS (  -- sent again, behind what it is about
              SELECT FROM notice AS its JOIN notice AS told USING (alert_id, sink_id)
                   JOIN message AS first ON first.id = told.message_id
              WHERE its.message_id = message.id AND told.what NOT IN ('retraction', 'ended')
                AND first.next_attempt_at IS NOT NULL))
        ORDER BY next_attempt_at, id LIMIT :most FOR UPDATE OF message SKIP LOCKED
    )
    RETURNING id, body, made_at, attempts, retry_until
    """
)


async def claim_messages(
    tx: Tx, sink_id: UUID, now: datetime, lease: timedelta, most: int, *, repeat: bool
) -> Sequence[Any]:
    """At most `most` messages that are due, for `lease`; those of a process that died among them.

    Unless they may be repeated (`repeat`): then nobody knows whether they arrived, and a person decides.
    """
    if not repeat:
        await tx.execute(_LOST, {"sink": sink_id, "now": now})
    found = await tx.execute(_CLAIM, {"sink": sink_id, "now": now, "leased": now + lease, "most": most})
    return found.all()


_SENT: Final = text(
    """
    UPDATE message SET state = 'sent', sent_at = :now, next_attempt_at = NULL, last_error = NULL
    WHERE id = :id AND state = 'sending' AND attempts = :attempts
    """
)
_FAILED: Final = text(
    """
    UPDATE message SET state = CASE WHEN CAST(:next AS timestamptz) IS NULL THEN 'given_up' ELSE 'failed' END,
           next_attempt_at = :next, last_error = :error
    WHERE id = :id AND state = 'sending' AND attempts = :attempts
    """
)
_WELL: Final = text(
    """
    UPDATE sink SET failures = 0, failing_since = NULL, resume_at = NULL, last_error = NULL,
           last_sent_at = :now
    WHERE id = :sink
    """
)
_UNWELL: Final = text(
    """
    UPDATE sink SET failures = failures + 1, failing_since = coalesce(failing_since, :now),
           resume_at = :resume, last_error = :error
    WHERE id = :sink
    """
)


async def record_sent(tx: Tx, sink_id: UUID, id: UUID, attempts: int, now: datetime) -> None:
    """The receiver has a message, at this attempt; its sink is well."""
    await tx.execute(_SENT, {"id": id, "attempts": attempts, "now": now})
    await tx.execute(_WELL, {"sink": sink_id, "now": now})


async def record_failed(
    tx: Tx,
    sink_id: UUID,
    id: UUID,
    attempts: int,
    error: str,
    *,
    now: datetime,
    again: datetime | None,
    resume: datetime,
) -> None:
    """An attempt failed; tried `again`, or given up when that is None. Its sink rests until `resume`."""
    await tx.execute(_FAILED, {"id": id, "attempts": attempts, "next": again, "error": error})
    await tx.execute(_UNWELL, {"sink": sink_id, "now": now, "resume": resume, "error": error})


_AGAIN: Final = text(
    """
    UPDATE message SET state = 'pending', attempts = 0, next_attempt_at = :now, retry_until = :until,
           last_error = NULL
    WHERE sink_id = :sink AND state IN ('sent', 'unknown', 'given_up', 'failed') AND made_at >= :since
      AND (made_at < :before OR (what IN ('retraction', 'ended') AND EXISTS (
          SELECT FROM notice AS its JOIN notice AS told USING (alert_id, sink_id)
               JOIN message AS first ON first.id = told.message_id
          WHERE its.message_id = message.id AND told.what NOT IN ('retraction', 'ended')
            AND first.made_at >= :since AND first.made_at < :before)))
    """
)


async def send_again(
    tx: Tx, sink_id: UUID, since: datetime, before: datetime, now: datetime, until: datetime
) -> int:
    """Let the messages made in a time be sent once more, but for those on their way; how many.

    And what became of their alerts later, or these would stand again where they are over.
    """
    times = {"since": since, "before": before, "now": now, "until": until}
    return (await tx.execute(_AGAIN, {"sink": sink_id, **times})).rowcount


_LIST: Final = text(
    """
    SELECT id, what, made_at, state, attempts, next_attempt_at, sent_at, last_error,
           jsonb_array_length(body -> 'data' -> 'alerts') AS alerts
    FROM message
    WHERE sink_id = :sink AND (CAST(:id AS uuid) IS NULL OR (made_at, id) < (:made_at, :id))
    ORDER BY made_at DESC, id DESC LIMIT :limit
    """
).bindparams(bindparam("id", type_=Uuid()))


async def list_messages(tx: Tx, sink_id: UUID, after: tuple[Any, ...] | None, limit: int) -> Sequence[Any]:
    """The messages of a sink, the latest first."""
    made_at, id = after or (None, None)
    found = await tx.execute(_LIST, {"sink": sink_id, "made_at": made_at, "id": id, "limit": limit})
    return found.all()


_STATES: Final = text(
    """
    SELECT sink_id, count(*) FILTER (WHERE next_attempt_at IS NOT NULL) AS waiting,
           count(*) FILTER (WHERE state = 'unknown') AS unknown,
           count(*) FILTER (WHERE state = 'given_up') AS given_up
    FROM message WHERE state <> 'sent' GROUP BY sink_id
    """
)


async def count_unsent(tx: Tx) -> dict[UUID, Any]:
    """By sink: how many messages wait, how many have an open fate, how many were given up."""
    return {row.sink_id: row for row in await tx.execute(_STATES)}
