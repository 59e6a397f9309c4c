"""Beginning, sharing and ending a session of remote assistance (R136)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal
from uuid import UUID

from dispatch.access import Viewer, involved_in, lock_visible
from dispatch.organisation.store import load_persons
from dispatch.remote import rules, store
from dispatch.remote.rules import Session
from dispatch.tickets.record import Change, record
from dispatch.tickets.rules import UNRESOLVED, Ticket
from dispatch.urgent.store import load_policy
from shared.clock import uuid7
from shared.db import Tx
from shared.events.dispatch import CustomerMessageRequested
from shared.events.terms import PersonId
from shared.http.problem import invalid
from shared.i18n import N_
from shared.outbox.emit import emit

SECRET_BYTES: Final = 24
TEMPLATE: Final = "remote_session"


async def start(tx: Tx, ticket_id: UUID, viewer: Viewer, *, invite: bool) -> Session:
    """Begin a session in a room of its own, and send its address to the customer where that is wished.

    `NoSuchTicket`, `NotYoursToHelp`, `NothingToHelpWith`, `NoRemoteProvider`, `SessionGoesOn`.
    """
    ticket = await _lock(tx, ticket_id, viewer)
    _require_unsolved(ticket)
    policy, _ = await load_policy(tx)
    url = rules.address_of(policy.remote, secrets.token_urlsafe(SECRET_BYTES))
    for each in await store.list_sessions(tx, ticket.id):
        if each.ended_at is None:
            raise rules.SessionGoesOn(session_id=each.id)
    session = Session(
        id=uuid7(),
        ticket_id=ticket.id,
        episode=ticket.episode,
        url=url,
        started_by=viewer.id,
        started_at=tx.now,
        invited_at=None,
        ended_by=None,
        ended_at=None,
        participants=(viewer.employee_id,) if viewer.employee_id else (),
        with_customer=False,
        recording_url=None,
    )
    await store.add_session(tx, session)
    ticket = await _note(tx, ticket, session, "started", viewer)
    return await _invite(tx, ticket, session, viewer) if invite else session


async def invite(tx: Tx, ticket_id: UUID, session_id: UUID, viewer: Viewer) -> Session:
    """Send the address to the customer, again if need be. `NoSuchSession`, `SessionOver`."""
    ticket = await _lock(tx, ticket_id, viewer)
    session = await _find(tx, ticket, session_id)
    if session.ended_at is not None or session.url is None:
        raise rules.SessionOver
    return await _invite(tx, ticket, session, viewer)


async def _invite(tx: Tx, ticket: Ticket, session: Session, viewer: Viewer) -> Session:
    invited = replace(session, invited_at=tx.now)
    await store.save_session(tx, invited)
    changed = await _note(tx, ticket, invited, "invited", viewer)
    message = CustomerMessageRequested(
        request_id=ticket.request_id, template=TEMPLATE, link=session.url, facts=_about(ticket)
    )
    emit(tx, message, subject=changed.id, sequence=changed.version)
    return invited


def _about(ticket: Ticket) -> tuple[tuple[str, str], ...]:
    return (("title", ticket.title), ("number", str(ticket.number)))


async def end(
    tx: Tx,
    ticket_id: UUID,
    session_id: UUID,
    viewer: Viewer,
    *,
    participants: Sequence[PersonId] = (),
    with_customer: bool = False,
    recording_url: str | None = None,
) -> Session:
    """It is over; who took part as far as is known, who began it anyway. `NoSuchSession`, `SessionOver`."""
    ticket = await _lock(tx, ticket_id, viewer)
    session = await _find(tx, ticket, session_id)
    if session.ended_at is not None:
        raise rules.SessionOver
    await _require_known(tx, participants)
    _require_safe(recording_url)
    ended = replace(
        session,
        ended_by=viewer.id,
        ended_at=tx.now,
        participants=tuple(dict.fromkeys((*session.participants, *participants))),
        with_customer=with_customer,
        recording_url=recording_url,
    )
    await store.save_session(tx, ended)
    await _note(tx, ticket, ended, "ended", viewer)
    return ended


async def note_recording(
    tx: Tx, ticket_id: UUID, session_id: UUID, recording_url: str, viewer: Viewer
) -> Session:
    """Where the provider keeps the recording, which is often known later. `NoSuchSession`."""
    ticket = await _lock(tx, ticket_id, viewer)
    session = await _find(tx, ticket, session_id)
    _require_safe(recording_url)
    if session.recording_url == recording_url:
        return session
    recorded = replace(session, recording_url=recording_url)
    await store.save_session(tx, recorded)
    await _note(tx, ticket, recorded, "recorded", viewer)
    return recorded


def may_help(viewer: Viewer, ticket: Ticket) -> bool:
    """Who works on it, owns or guides it, belongs to its group, or dispatches."""
    return viewer.dispatches or viewer.person_id in involved_in(ticket)


async def _lock(tx: Tx, ticket_id: UUID, viewer: Viewer) -> Ticket:
    ticket = await lock_visible(tx, viewer, ticket_id)
    if not may_help(viewer, ticket):
        raise rules.NotYoursToHelp
    return ticket


def _require_unsolved(ticket: Ticket) -> None:
    if ticket.state not in UNRESOLVED:
        raise rules.NothingToHelpWith(state=ticket.state)


async def _require_known(tx: Tx, people: Sequence[PersonId]) -> None:
    known = await load_persons(tx, people)
    for place, each in enumerate(people):
        if each not in known:
            raise invalid("body", ("participants", place), N_("no such person"), "unknown_person")


def _require_safe(recording_url: str | None) -> None:
    if recording_url is not None and not rules.is_safe_link(recording_url):
        raise invalid("body", ("recording_url",), N_("an https address without user or password"), "link")


async def _find(tx: Tx, ticket: Ticket, session_id: UUID) -> Session:
    sessions = await store.list_sessions(tx, ticket.id)
    found = next((each for each in sessions if each.id == session_id), None)
    if found is None:
        raise rules.NoSuchSession
    return found


async def _note(
    tx: Tx,
    ticket: Ticket,
    session: Session,
    what: Literal["started", "invited", "ended", "recorded"],
    viewer: Viewer,
) -> Ticket:
    change = Change(ticket, rules.note(ticket, session, what, viewer.employee_id))
    await record(tx, [change], viewer.id)
    return change.after
