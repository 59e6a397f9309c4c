"""Whose words a message is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from intake.requests.rules import Identity, email_identity


class Said(Protocol):
    """A message as it is stored."""

    @property
    def direction(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def address(self) -> str | None: ...


def is_by_another(message: Said, identities: Collection[Identity]) -> bool:
    """Whether a mail came from an address that is none of the customer's `identities`.

    Whoever has the signed address of a request may write to it: their words are not the customer's.
    """
    if message.direction != "in" or message.channel != "email" or not message.address:
        return False
    unread = Identity("external", f"email:{message.external_id}")  # who writes from what is no mailbox
    return (email_identity(message.address) or unread) not in identities
