"""Fold what doors were told, keep what a person has to look at, and let them set it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar
from uuid import UUID

from intake.places import store
from intake.places.catalogue import Catalogue, Place, shipped
from intake.places.rules import Placed, place
from intake.requests import store as requests
from intake.requests.rules import UNKNOWN, Normalised
from intake.tables.places import located
from shared.clock import uuid7
from shared.db import Tx, lock_subjects
from shared.db.audit import record
from shared.db.rows import Rows
from shared.errors import AftercareError
from shared.events.intake import RequestReclassified
from shared.events.terms import Site
from shared.http.etag import Precondition
from shared.http.problem import InvalidInput, invalid
from shared.http.strict import pointer
from shared.i18n import N_
from shared.outbox.emit import emit


class PlacedAlready(AftercareError):
    """The request is at this place already; there is nothing to correct."""

    kind: ClassVar = "conflict"


async def placed(tx: Tx, arrived: Sequence[Normalised]) -> list[tuple[Normalised, Placed]]:
    """Each message with region and city as codes, and what was found; one statement for all of them."""
    catalogue = await store.load_catalogue(tx)
    found = [place(each.region, each.city, catalogue) for each in arrived]
    return [
        (replace(each, region=where.region, city=where.city), where)
        for each, where in zip(arrived, found, strict=True)
    ]


def rows_of(found: Sequence[tuple[UUID, Placed]]) -> Rows:
    """What is kept of new requests whose place a person has to look at."""
    return located, [_row(id, where, None) for id, where in found if where.finding]


def _row(request_id: UUID, where: Placed, by: str | None) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "request_id": request_id,
        "told_region": where.told.region,
        "told_city": where.told.city,
        "region": where.region,
        "city": where.city,
        "finding": where.finding,
        "by": by,
    }


async def set_place(tx: Tx, asked: requests.Request, region: str, city: str, by: UUID, actor: str) -> None:
    """A person says where the request is; tickets and promises follow. The request is locked.

    Raises `InvalidInput` for what is no place here, `PlacedAlready` where nothing changes.
    """
    where = place(region, city, await store.load_catalogue(tx))
    if where.finding or where.region == UNKNOWN:
        part = "city" if where.told.city else "region"
        raise invalid("body", [part], N_("This place is not known here"), "unknown_place")
    if (where.region, where.city) == (asked.region, asked.city):
        raise PlacedAlready
    await requests.save(tx, asked.id, region=where.region, city=where.city)
    await store.save_placing(tx, _row(asked.id, where, actor))
    await record(tx, actor, "place_set", str(asked.id), {"region": where.region, "city": where.city})
    payload = RequestReclassified(
        kind=asked.kind,
        severity=asked.severity,
        by=by,
        reason=f"place: {where.region}, {where.city}",
        site=Site(region=where.region, city=where.city),
    )
    emit(tx, payload, subject=asked.id, sequence=asked.version + 1)


async def replace_own(tx: Tx, own: Sequence[Place], seen: Precondition, by: str) -> int:
    """Put an organisation's places in force as a whole; returns their version."""
    await lock_subjects(tx, ["place_catalogue"])  # before the first version there is no row to lock
    version, _ = await store.load_own(tx)
    seen.require(version)
    if wrong := faults(own):
        raise InvalidInput(errors=wrong)
    await store.save_own(tx, own, version + 1, by)
    await record(tx, by, "places_replaced", str(version + 1), {"places": len(own)})
    return version + 1


def faults(own: Sequence[Place]) -> list[dict[str, str]]:
    """Places that stand twice, or lie nowhere."""
    known = Catalogue((*shipped(), *own))
    wrong: list[dict[str, str]] = []
    seen: set[tuple[str, str]] = set()

    def tell(at: tuple[str | int, ...], detail: str, code: str) -> None:
        wrong.append({"source": "body", "pointer": pointer(at), "detail": detail, "code": code})

    for index, each in enumerate(own):
        if (each.kind, each.code) in seen:
            tell(("places", index), "this place stands twice in the list", "repeated")
        seen.add((each.kind, each.code))
        if each.kind == "region" and each.within is not None:
            tell(("places", index, "within"), "a region lies within nothing", "misplaced")
        elif each.kind != "region" and known.region_of(each) is None:
            tell(("places", index, "within"), "no such region or province", "unknown_place")
    return wrong
