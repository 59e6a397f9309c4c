"""What is sent to make and change answer templates."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from intake.answers.rules import LONGEST_BODY, LONGEST_TITLE, PLACEHOLDERS, Spoken, Words
from intake.channels.input import NotBlank
from shared.sent import Sent

_KNOWN = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)


class Filled(BaseModel):
    """A template, as it is sent or filled in."""

    model_config = ConfigDict(extra="forbid")

    language: Spoken
    title: Annotated[
        str, StringConstraints(min_length=1, max_length=LONGEST_TITLE, strip_whitespace=True), NotBlank
    ]
    body: Annotated[
        str,
        StringConstraints(min_length=1, max_length=LONGEST_BODY, strip_whitespace=True),
        NotBlank,
        Field(description=f"May hold {_KNOWN}; any other brace is refused."),
    ]
    owner: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), NotBlank]

    @property
    def words(self) -> Words:
        # Browsers end lines as mail does.
        return Words(self.language, self.title, self.body.replace("\r\n", "\n"), self.owner)


class TemplateSent(Filled, Sent):
    """What an answer begins with; placeholders stand in braces and are filled when it is chosen."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "language": "zh",
                    "title": "物流查询",
                    "body": "{name}您好！您的订单已发出，进度见：{link}",
                    "owner": "desk",
                }
            ]
        },
    )
