"""Replays over HTTP: ask for one, see how far it is, and take what it found."""

from __future__ import annotations

import csv
from datetime import datetime
from io import StringIO
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, ConfigDict, Field

from shared.errors import AftercareError
from shared.events.terms import Code
from shared.http.auth import Caller, Principal, allow
from shared.http.cursor import Page, Paged
from shared.http.etag import show_version
from shared.http.idempotency import idempotent
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n.language import ZONE
from shared.sent import Sent
from sla_monitor.policies.rules import Policy
from sla_monitor.replay import actions, store, words
from sla_monitor.replay.answers import CalendarChoice, ChangeShown, ReplayShown, reasons_of
from sla_monitor.replay.reading import EARLIEST, LATEST
from sla_monitor.scope import is_limited

router = APIRouter(route_class=ServiceRoute)

MOST_ROWS: Final = 50_000
"""Of a file that is made in memory; the pages of `/changes` have no end."""


class WholeHouseOnly(AftercareError):
    """A replay tells of the whole house; your view is limited to a part of it."""

    kind = "forbidden"


async def _whole_house(viewer: Caller) -> None:
    require_whole_house(viewer)


def require_whole_house(viewer: Principal) -> None:
    """Refuse whoever may see only a part."""
    if is_limited(viewer):
        raise WholeHouseOnly


PLANNERS = [Depends(allow("operations", "admin")), Depends(_whole_house)]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Instant = Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]


class ReplayWanted(Sent):
    """What would have been under a policy version or a draft, over a stretch of time."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "policy_version": 1,
                    "begins": "2026-10-01T00:00:00+08:00",
                    "ends": "2026-11-01T00:00:00+08:00",
                }
            ]
        },
    )

    policy_version: Version | None = None
    policy: Policy | None = Field(default=None, description="A draft, instead of a version.")
    against_version: Version | None = Field(
        default=None, description="What to compare with; by default what was in force for each subject."
    )
    calendar: CalendarChoice | None = Field(default=None, description="One calendar for all.")
    source: Code | None = Field(default=None, description="An imported history instead of our own.")
    begins: Instant = Field(description="Histories that begin from here on …")
    ends: Instant = Field(description="… and before this.")

    def wish(self) -> actions.Wish:
        calendar = (self.calendar.name, self.calendar.version) if self.calendar else None
        return actions.Wish(
            policy_version=self.policy_version,
            policy=self.policy,
            against_version=self.against_version,
            calendar=calendar,
            source=self.source,
            begins=self.begins,
            ends=self.ends,
        )


@router.post("/replays", status_code=202, dependencies=[*PLANNERS, Depends(idempotent())])
async def ask(tx: WriteTx, caller: Caller, wanted: ReplayWanted, response: Response) -> ReplayShown:
    """Ask what would have been; the answer tells where to see how far it is."""
    asked = await actions.ask(tx, caller.id, wanted.wish())
    response.headers["Location"] = f"/sla/replays/{asked.id}"
    return ReplayShown.of(asked)


@router.get("/replays/{id}", dependencies=PLANNERS)
async def replay(tx: ReadTx, id: UUID, response: Response) -> ReplayShown:
    """How far a replay has come, and what it has found so far."""
    shown = ReplayShown.of(await store.load(tx, id))
    show_version(response, shown.version)
    return shown


@router.get("/replays/{id}/changes", dependencies=PLANNERS)
async def changes(tx: ReadTx, paging: Paged, id: UUID) -> Page[ChangeShown]:
    """Every promise that would have ended, or been due, otherwise."""
    await store.load(tx, id)
    rows = await store.list_changes(tx, id, paging.after, paging.limit + 1)
    shown = [ChangeShown.of(row) for row in rows]
    return paging.page(shown, key=lambda each: (each.subject_id, each.promise, each.occurrence))


_HEAD: Final = (
    "subject_id", "name", "region", "team", "promise", "occurrence", "outcome_before", "outcome_after",
    "deadline_before", "deadline_after", "reasons",
)  # fmt: skip


@router.get("/replays/{id}/changes.csv", dependencies=PLANNERS, response_class=Response)
async def changes_as_csv(tx: ReadTx, id: UUID) -> Response:
    """The same for a spreadsheet, reasons in words; at most 50,000 rows."""
    await store.load(tx, id)
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(_HEAD)
    for row in await store.list_changes(tx, id, None, MOST_ROWS):
        reasons = "; ".join(words.told(each, ZONE) for each in reasons_of(row))
        writer.writerow([_plain(getattr(row, name)) for name in _HEAD[:-1]] + [_plain(reasons)])
    headers = {"content-disposition": f'attachment; filename="replay-{id}.csv"'}
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _plain(value: Any) -> str:
    """As a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
