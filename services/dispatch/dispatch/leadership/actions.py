"""A leader acknowledges; again is the same as once."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from dispatch.access import Viewer, lock_visible
from dispatch.leadership.rules import (
    NothingToAcknowledge,
    Notice,
    NotInformed,
    is_awaited,
    may_acknowledge,
)
from dispatch.leadership.store import load_notice
from dispatch.tickets import rules
from dispatch.tickets.record import Change, record
from shared.db import Tx


async def acknowledge(tx: Tx, ticket_id: UUID, viewer: Viewer) -> Notice:
    """Note that leadership looks after a ticket; `NoSuchTicket`, `NotInformed`, `NothingToAcknowledge`.

    Whoever comes second is told who was first, and when. It is asked for on no version: nothing that
    somebody else does to the ticket makes it wrong.
    """
    ticket = await lock_visible(tx, viewer, ticket_id)
    notice = await load_notice(tx, ticket_id)
    if notice is None:
        raise NothingToAcknowledge
    if not may_acknowledge(notice, viewer.person_id, is_admin=viewer.is_admin):
        raise NotInformed
    if notice.acknowledged_at is not None:
        return notice
    if not is_awaited(ticket, notice):
        raise NothingToAcknowledge
    await record(tx, [Change(ticket, rules.acknowledge(ticket, viewer.employee_id))], viewer.id)
    return replace(notice, acknowledged_by=viewer.id, acknowledged_at=tx.now)


async def acknowledge_by_deed(tx: Tx, ticket_id: UUID, viewer: Viewer) -> None:
    """Who decides something of a ticket as a leader who was informed of it knows of it, too."""
    ticket = await lock_visible(tx, viewer, ticket_id)
    notice = await load_notice(tx, ticket_id)
    if notice and is_awaited(ticket, notice) and may_acknowledge(notice, viewer.person_id, is_admin=False):
        await record(tx, [Change(ticket, rules.acknowledge(ticket, viewer.employee_id))], viewer.id)
