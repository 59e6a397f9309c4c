"""What somebody wants to see of all requests."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints

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
