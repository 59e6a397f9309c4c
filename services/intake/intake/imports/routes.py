"""Where histories of other systems come in: for replays only, no request, ticket or message comes of them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from intake.channels.input import NotBlank
from intake.imports.actions import Imported, pass_on
from shared.events.intake import MOST_HAPPENINGS, HistoryFacts, HistoryHappening, Label
from shared.events.terms import Code
from shared.http.auth import allow
from shared.http.idempotency import idempotent
from shared.http.transaction import ServiceRoute, WriteTx
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

MOST_TICKETS: Final = 200
_KIND: Final = re.compile(r"[a-z]+\.[a-z_]+")
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


def _plausible(happening: Happening) -> Happening:
    if not _KIND.fullmatch(happening.kind):
        raise PydanticCustomError("kind", "An event is named like dispatch.ticket_assigned")
    if not EARLIEST <= happening.at < LATEST:
        raise PydanticCustomError("instant", "Only instants from 1970 to 2199 can be counted with")
    return happening


class Facts(Sent, HistoryFacts):
    """What was known of a ticket when something happened to it; what is not known is left out."""

    model_config = ConfigDict(extra="forbid")


class Happening(Sent, HistoryHappening):
    """Something that happened, in the words of our own events."""

    model_config = ConfigDict(extra="forbid")

    facts: Facts = Facts()


class ImportedTicket(Sent):
    """A ticket of another system, with all that is known to have happened to it."""

    ticket: Annotated[Label, NotBlank]
    happenings: tuple[Annotated[Happening, AfterValidator(_plausible)], ...] = Field(
        min_length=1, max_length=MOST_HAPPENINGS
    )


class Histories(Sent):
    """Some tickets of one system; to import a ticket again puts the new history in place of the old."""

    source: Code = Field(description="Whose tickets they are; a name that you choose.")
    tickets: tuple[ImportedTicket, ...] = Field(min_length=1, max_length=MOST_TICKETS)

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "source": "old-desk",
                    "tickets": [
                        {
                            "ticket": "A-1",
                            "happenings": [
                                {"kind": "dispatch.ticket_assigned", "at": "2026-03-02T09:00:00+08:00",
                                 "facts": {"severity": "urgent", "same_city": True, "region": "east"}},
                                {"kind": "dispatch.engineer_arrived", "at": "2026-03-02T10:10:00+08:00"},
                            ],
                        }
                    ],
                }
            ]
        },
    )  # fmt: skip


class Passed(BaseModel):
    """How many tickets were passed on."""

    tickets: int


@router.post(
    "/histories",
    status_code=202,
    dependencies=[Depends(allow("operations", "admin")), Depends(idempotent(required=True))],
)
async def post_histories(tx: WriteTx, histories: Histories) -> Passed:
    """Import tickets of another system for replays; needs an Idempotency-Key."""
    tickets = [Imported(each.ticket, each.happenings) for each in histories.tickets]
    pass_on(tx, histories.source, tickets)
    return Passed(tickets=len(tickets))
