"""The page of alerts: what was raised, chosen by filters, looked after many at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request, Response

from shared.http.auth import Principal
from shared.http.cursor import Page
from shared.http.pages import Link, page
from shared.i18n import N_
from sla_monitor.alerts.queries import Filters
from sla_monitor.board import words
from sla_monitor.clocks.telling import person

LINK: Final = Link(
    "/sla/alerts",
    N_("Alerts"),
    N_("Every warning and every missed promise, and who looks after it."),
    frozenset({"operations", "dispatcher", "admin"}),
)
STATES: Final = {
    "open": N_("Open"),
    "snoozed": N_("Snoozed"),
    "acknowledged": N_("Looked after"),
    "ended": N_("Over"),
    "retracted": N_("Taken back"),
}
TONES: Final = {"open": "urgent", "snoozed": "important", "acknowledged": "good"}


def _people(viewer: Principal, rows: Sequence[Any]) -> list[UUID]:
    """Whom an alert may be assigned to, as far as this page knows: the viewer, owners, earlier assignees."""
    known = [person(viewer.id), *(id for row in rows for id in (row.owner_id, row.assigned_to))]
    return list(dict.fromkeys(id for id in known if id))


def show_page(
    request: Request,
    viewer: Principal,
    asked: Filters,
    found: Page[Any],
    before: Mapping[UUID, Sequence[Any]],
) -> Response:
    """The alerts that were asked for, as a page; `before` are those that each of them stands for."""
    chosen = {name: value for name, value in asdict(asked).items() if value is not None}
    query = {name: str(value).lower() for name, value in chosen.items()}
    following = urlencode({**query, "cursor": found.next}) if found.next else None
    return page(
        request,
        "alerts.html",
        alerts=found.items,
        before=before,
        people=_people(viewer, found.items),
        asked=asked,
        filtered=bool(chosen),
        following=following,
        promises=words.PROMISES,
        promise=words.promise,
        subjects=words.SUBJECTS,
        states=STATES,
        tones=TONES,
        may_act=bool(viewer.roles & {"operations", "admin"}),
    )
