"""What is asked of a task, as values; the same from a program and from a page."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints

from dispatch.tasks.rules import Command as Name
from dispatch.tickets.commands import Asked, without_contact_data
from shared.events.terms import PersonId
from shared.sent import Sent

Said = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(without_contact_data)
]
"""The same as `Asked`, where nothing has to be said."""


class _Command(Sent):
    model_config = ConfigDict(frozen=True)

    name: ClassVar[Name]
    base_version: Annotated[int, Field(ge=1, le=2**53)] | None = None
    """The version of the task this was decided on; instead of If-Match."""


class Accept(_Command):
    """Somebody of the department is at it, and answers for it from now on."""

    name: ClassVar[Name] = "accept"


class Finish(_Command):
    """The department has done it; what came of it may be said."""

    name: ClassVar[Name] = "finish"
    answer: Said = ""


class Decline(_Command):
    """The department cannot or will not."""

    name: ClassVar[Name] = "decline"
    reason: Asked


class Reassign(_Command):
    """Somebody else of the department is to answer for it."""

    name: ClassVar[Name] = "reassign"
    person_id: PersonId
    reason: Said = ""


class Withdraw(_Command):
    """It is not needed any more."""

    name: ClassVar[Name] = "withdraw"
    reason: Said = ""


class Reopen(_Command):
    """It is needed after all; a deadline of its own where the old one does not hold any more."""

    name: ClassVar[Name] = "reopen"
    reason: Asked
    needed_by: AwareDatetime | None = None


class Comment(_Command):
    """Something to be known about it; it changes nothing, so it is asked for on no version."""

    name: ClassVar[Name] = "comment"
    text: Asked


Command: TypeAlias = Accept | Finish | Decline | Reassign | Withdraw | Reopen | Comment
