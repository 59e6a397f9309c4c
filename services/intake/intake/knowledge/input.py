"""What the forms of the knowledge base send, held to what can be worked with."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from intake.knowledge.rules import About, Audience, Content, Kind, Language
from shared.events.terms import Code


def _empty(sent: Any) -> Any:
    """Browsers send fields that nobody filled in as empty text."""
    return None if sent == "" else sent


Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Searched = Annotated[str, StringConstraints(max_length=2_000, strip_whitespace=True)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")

    csrf: str = ""


class SeenForm(_Form):
    """Which version somebody has before them."""

    seen: Version


class ReviewForm(SeenForm):
    """When to look again."""

    next_on: Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2200, 1, 1))]


class ArticleForm(_Form):
    """An article as it was filled in; `seen` is the version that was changed, None for a new one."""

    seen: Annotated[Version | None, BeforeValidator(_empty)] = None
    title: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    body: Annotated[str, StringConstraints(min_length=1, max_length=20_000, strip_whitespace=True)]
    note: Annotated[str, StringConstraints(max_length=500, strip_whitespace=True)] = ""
    kind: Kind
    language: Language
    product_line: Annotated[Code | None, BeforeValidator(_empty)] = None
    audience: Audience
    owner: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
    review_on: Annotated[date, Field(ge=date(2000, 1, 1), lt=date(2200, 1, 1))]

    @property
    def about(self) -> About:
        return About(self.kind, self.language, self.product_line, self.audience, self.owner, self.review_on)

    @property
    def content(self) -> Content:
        # Browsers end lines as mail does.
        return Content(self.title, self.body.replace("\r\n", "\n"), self.note)


class UseForm(_Form):
    """For which request it was used or of help."""

    request: UUID
    what: Literal["used", "helped"] = "used"


class OpinionForm(BaseModel):
    """What a reader of a help page says; nobody signs in for it."""

    model_config = ConfigDict(extra="forbid")

    helped: Literal["yes", "no"]
