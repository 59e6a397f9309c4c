"""Sessions of remote assistance, pure (R136).

They are held at a provider of the house's choice, in a room whose name nobody can guess: who knows its
address may enter it. So the address is shown to those who see the ticket, and told in no event but the one
that asks intake to send it to the customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from dispatch.tickets.rules.assigning import step
from dispatch.tickets.rules.ticket import Steps, Ticket
from dispatch.urgent.policy import ROOM, Remote, is_safe_template
from shared.errors import AftercareError
from shared.events.terms import PersonId
from shared.events.urgent import RemoteSessionNoted

HELPED: Final = "remote_session_noted"


class NoRemoteProvider(AftercareError):
    """No provider of remote assistance is set; its https address stands in the urgent policy under remote."""

    kind = "conflict"


class NotYoursToHelp(AftercareError):
    """You see this ticket, but only who works on it, guides it or is in its group helps from afar."""

    kind = "forbidden"


class SessionGoesOn(AftercareError):
    """A session of remote assistance goes on already; join it, or end it first."""

    kind = "conflict"
    shown: ClassVar = ("session_id",)


class SessionOver(AftercareError):
    """This session has ended."""

    kind = "conflict"


class NoSuchSession(AftercareError):
    """This ticket has no such session."""

    kind = "not_found"


class NothingToHelpWith(AftercareError):
    """The ticket is {state}: nobody needs help from afar any more."""

    kind = "conflict"
    shown: ClassVar = ("state",)


@dataclass(frozen=True, slots=True)
class Session:
    """One session.

    url              where it is held; None when what was written about the customer was forgotten
    started_by       the principal, like `ended_by`, which is None while it goes on
    participants     colleagues who took part, as far as is known
    with_customer    whether the customer did
    recording_url    where the provider keeps a recording of it
    """

    id: UUID
    ticket_id: UUID
    episode: int
    url: str | None
    started_by: str
    started_at: datetime
    invited_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None
    participants: tuple[PersonId, ...]
    with_customer: bool
    recording_url: str | None


def address_of(remote: Remote, room: str) -> str:
    """Where a session in `room` is held; `NoRemoteProvider` unless that is a safe https address."""
    if not (remote.url and is_safe_template(remote.url)):
        raise NoRemoteProvider
    return remote.url.replace(ROOM, room)


def is_safe_link(url: str) -> bool:
    """Whether a link may be shown to people: https, at a host, without a password in it."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def note(
    ticket: Ticket,
    session: Session,
    what: Literal["started", "invited", "ended", "recorded"],
    by: PersonId | None,
) -> Steps:
    """What is to be done stays as it is."""
    minutes = participants = None
    if what == "ended" and session.ended_at is not None:
        minutes = round((session.ended_at - session.started_at).total_seconds() / 60)
        participants = len(session.participants) + session.with_customer
    told = RemoteSessionNoted(
        what=what,
        session_id=session.id,
        episode=session.episode,
        by=by,
        minutes=minutes,
        participants=participants,
    )
    return (step(ticket, told),)
