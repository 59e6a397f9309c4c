"""What happens to stock. Subject: the requisition's id."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.envelope import Payload
from shared.events.terms import Code, PartLine


class PartsReserved(Payload):
    """Everything a ticket asked for is held for it."""

    type: ClassVar[str] = "parts.parts_reserved.v1"

    ticket_id: UUID
    warehouse: Code
    lines: tuple[PartLine, ...]
    held_until: datetime


class PartsShort(Payload):
    """Some of it is not there."""

    type: ClassVar[str] = "parts.parts_short.v1"

    ticket_id: UUID
    missing: tuple[PartLine, ...]


class PartsExpected(Payload):
    """Somebody knows when what is short will be there."""

    type: ClassVar[str] = "parts.parts_expected.v1"

    ticket_id: UUID
    expected_at: datetime


class PartsUsed(Payload):
    """Pieces were built in."""

    type: ClassVar[str] = "parts.parts_used.v1"

    ticket_id: UUID
    lines: tuple[PartLine, ...]


class PartsReleased(Payload):
    """They are not held or waited for any more: given back, the ticket closed, or nobody came in time."""

    type: ClassVar[str] = "parts.parts_released.v1"

    ticket_id: UUID
    reason: Literal["given_back", "ticket_closed", "expired"]
