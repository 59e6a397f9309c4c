"""What somebody wants to see of all requests, and what they may see (R125)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.http.auth import Principal

YesNo = Literal["", "yes", "no"]
Word = Annotated[str, StringConstraints(max_length=64, strip_whitespace=True)]


class Choice(BaseModel):
    """The desk's filters as the page sends them; empty is everything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] = ""
    severity: Literal["", "general", "important", "urgent"] = ""
    kind: Word = ""
    channel: Word = ""
    region: Word = ""
    answered: YesNo = ""
    ticket: YesNo = ""
    state: Literal["", "open", "closed"] = ""
    before: UUID | None = None

    @property
    def everything(self) -> bool:
        """Whether this is the first page of everything, which is live."""
        return self == Choice()

    def link(self, before: UUID | None) -> str:
        """The same from further back, or from the newest."""
        chosen = {name: value for name, value in self.model_dump(exclude={"before"}).items() if value}
        query = urlencode(chosen | ({"before": str(before)} if before else {}))
        return f"/intake/desk?{query}" if query else "/intake/desk"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a person's work is limited to; None is no limit."""

    regions: frozenset[str] | None = None
    product_lines: frozenset[str] | None = None
    customer_levels: frozenset[str] | None = None

    @classmethod
    def of(cls, principal: Principal) -> Self:
        return cls(principal.regions, principal.product_lines, principal.customer_levels)

    @property
    def none(self) -> bool:
        return self.regions is None and self.product_lines is None and self.customer_levels is None

    def allow(self, region: str, product_line: str | None, level: str) -> bool:
        """Whether a request like this one is theirs to see."""
        return (
            (self.regions is None or region in self.regions)
            and (self.product_lines is None or product_line in self.product_lines)
            and (self.customer_levels is None or level in self.customer_levels)
        )


NO_LIMITS: Final = Limits()
