"""Words that events share; one more value in any of them is a new version of the events that carry it."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Severity = Literal["general", "important", "urgent"]
"""一般 / 重要 / 紧急, by the criteria R07–R09."""

Channel = Literal["email", "web_form", "phone", "web_chat", "social", "sms", "webhook"]
"""How a request came in (R01); `webhook` is any other system that posts to us."""

Kind = Literal[
    "enquiry",
    "fault",
    "complaint",
    "suggestion",
    "return_exchange",
    "installation",
    "order_query",
    "upgrade",
    "maintenance",
    "parts_purchase",
    "other",
]
"""What the customer wants (R05)."""

Level = Literal["standard", "vip"]
"""Customer level (R34, R36)."""

Tier = Literal["junior", "senior", "emergency"]
"""初级 / 中高级 / 应急 (R20–R22)."""

Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w.\-]+$")]
"""An identifier that people chose: a region, a product line, a part number, a skill."""

Note = Annotated[str, StringConstraints(max_length=1000)]
"""A little free text, without names, numbers or addresses: at most 4 KiB in UTF-8."""


class Site(BaseModel):
    """Where work happens, no closer than about a kilometre: events never carry an address."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    region: Code
    city: Code
    latitude: float | None = Field(default=None, ge=-90, le=90, description="Degrees, two decimals.")
    longitude: float | None = Field(default=None, ge=-180, le=180, description="Degrees, two decimals.")


class Reason(BaseModel):
    """Why a rule decided as it did: the rule, and the words or facts it decided by."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    rule: Code
    because: Note


class PartLine(BaseModel):
    """So many pieces of one part."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    part_number: Code
    quantity: int = Field(ge=1, le=100_000)


PersonId = UUID
"""An employee, as dispatch's organisation knows them; never a name."""
