"""Policies at a desk: the shipped one as JSON, somebody who publishes the next, and a clean table."""

from __future__ import annotations

import copy
from typing import Any, Final

import httpx

from chaos.databases import empty
from contracts.clocking import HOUR, TEN, Desk
from shared.db import Tx
from shared.http.auth import Principal, Role, mint
from sla_monitor.policies.shipped import SHIPPED
from sla_monitor.policies.store import row_of, save_version

Body = dict[str, Any]
AUTHOR: Final = "desk.one"


async def begin_anew(desk: Desk) -> None:
    """Nothing on the desk, and the shipped policy alone."""
    await desk.clear()
    await empty(desk.admin, "uncovered, governed_by, policy_move")
    await desk.admin.execute("DELETE FROM policy_version WHERE version > 1")


def api(desk: Desk, *roles: Role, regions: frozenset[str] | None = None) -> httpx.AsyncClient:
    """A program that speaks for the author, by default as operations."""
    who = Principal(AUTHOR, frozenset(roles or ("operations",)), regions=regions)
    token = mint(who, desk.served.settings, HOUR)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(desk.served.app),
        base_url=desk.served.settings.public_url,
        headers={"authorization": f"Bearer {token}"},
    )


def shipped() -> Body:
    """The policy that ships, to be changed."""
    return copy.deepcopy(SHIPPED.model_dump(mode="json"))


def promise(body: Body, code: str) -> Body:
    """One promise of a policy."""
    found: Body = next(each for each in body["promises"] if each["code"] == code)
    return found


def faster(hours: int = 1) -> Body:
    """An urgent ticket in the same city has so many hours instead of two."""
    body = shipped()
    promise(body, "on_site")["cases"][0]["target"]["length"] = f"PT{hours}H"
    return body


async def version_two(desk: Desk, body: Body) -> None:
    """As if it had been published at ten."""

    async def save(tx: Tx) -> None:
        row = row_of(2, TEN, SHIPPED.model_validate(body), "edited")
        await save_version(tx, {**row, "made_by": AUTHOR, "note": "", "made_at": TEN})

    await desk.database.transact(save)
