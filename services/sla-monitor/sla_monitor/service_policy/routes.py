"""The page on which everybody reads what is promised (R63, R135), in force at this moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from shared.context import ServiceContext
from shared.db import Tx
from shared.http.auth import public
from shared.http.pages import page
from shared.http.query import any_query
from shared.http.scope import service_of, settings_of
from shared.http.sessions import session_of
from shared.http.transaction import ReadTx, ServiceRoute
from sla_monitor.calendars.store import load_version
from sla_monitor.calendars.versions import Content
from sla_monitor.policies.store import Rulebook, load_rulebook
from sla_monitor.service_policy import words
from sla_monitor.service_policy.rules import Office, office, promised

router: Final = APIRouter(route_class=ServiceRoute, include_in_schema=False)

KEPT_BY_BROWSERS: Final = timedelta(minutes=5)
MOST: Final = 64
"""Versions of calendars that are kept: more than a house ever has in force."""
Contents: TypeAlias = dict[tuple[str, int], Content]


def _contents(service: ServiceContext) -> Contents:
    """By name and version, which never changes."""
    return {}


@router.get("/service-policy", dependencies=[Depends(public()), Depends(any_query())])
async def service_policy(request: Request, tx: ReadTx) -> Response:
    """What every customer is promised now, when somebody works, and how to reach us."""
    settings = settings_of(request)
    rulebook = await load_rulebook(tx)
    governing = rulebook.at(tx.now)
    response = page(
        request,
        "service_policy.html",
        promised=promised(governing.policy),
        offices=await _offices(tx, rulebook, service_of(request).keep(_contents)),
        since=_since(rulebook, tx.now),
        today=tx.now,
        phone=settings.contact_phone,
        mail=settings.contact_mail,
        words=words,
    )
    if session_of(request, settings) is None:  # the same for everybody in one language
        response.headers["cache-control"] = f"public, max-age={int(KEPT_BY_BROWSERS.total_seconds())}"
    return response


def _since(rulebook: Rulebook, now: datetime) -> datetime | None:
    """From when on the policy has been in force; None for what has been ever since."""
    (version, _) = rulebook.at(now).versions
    begun = next(each.valid_from for each in rulebook.policies if each.version == version)
    return begun if begun.year > 1970 else None  # what ships counts for all that ever began


async def _offices(tx: Tx, rulebook: Rulebook, kept: Contents) -> list[Office]:
    """The calendar that counts, then those of regions with one of their own."""
    policy = rulebook.at(tx.now).policy
    regions: dict[str, list[str]] = {policy.calendar: []}
    for region, name in sorted(policy.regional.items()):
        if name != policy.calendar:
            regions.setdefault(name, []).append(region)
    found = []
    for name, its in regions.items():
        content = await _content(tx, rulebook, kept, name)
        today = tx.now.astimezone(ZoneInfo(content.zone)).date()
        found.append(office(content, its, today))
    return found


async def _content(tx: Tx, rulebook: Rulebook, kept: Contents, name: str) -> Content:
    key = name, rulebook.calendar_version(name, tx.now)
    if key not in kept:
        if len(kept) >= MOST:
            kept.clear()
        kept[key] = (await load_version(tx, *key)).content
    return kept[key]
