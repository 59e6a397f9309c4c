"""The part of a page about remote assistance: its sessions, and what its reader may do about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dispatch.access import WORKERS, Viewer
from dispatch.remote.actions import may_help
from dispatch.remote.rules import Session
from dispatch.tickets.rules import UNRESOLVED, Ticket
from dispatch.urgent.policy import Policy
from shared.http.auth import Principal


@dataclass(frozen=True, slots=True)
class RemotePart:
    """is_set     a provider is named, so that sessions can be begun

    may_help   this reader may begin, share and end them
    is_needed  the ticket is still worked on
    """

    sessions: Sequence[Session]
    is_set: bool
    may_help: bool
    is_needed: bool

    @property
    def going(self) -> Session | None:
        """The session that goes on."""
        return next((each for each in self.sessions if each.ended_at is None), None)


def remote_part(reader: Principal, ticket: Ticket, policy: Policy, sessions: Sequence[Session]) -> RemotePart:
    works = bool(reader.roles.intersection(WORKERS))
    return RemotePart(
        sessions=sessions,
        is_set=bool(policy.remote.url),
        may_help=works and may_help(Viewer.of(reader), ticket),
        is_needed=ticket.state in UNRESOLVED,
    )
