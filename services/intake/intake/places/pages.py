"""What the page of a request shows of its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intake.places import store
from intake.places.catalogue import Catalogue, Kind
from intake.places.routes import RegionView, regions
from intake.requests.rules import UNKNOWN
from intake.requests.store import Request
from shared.db import Tx
from shared.i18n.language import current_language, gettext


@dataclass(frozen=True, slots=True)
class PlaceShown:
    """What `place.html` needs.

    region, city  the codes' names by language, the code itself where the catalogue does not know it any more
    told          what the customer said, where a person has to look; None where there is nothing to do
    """

    region: tuple[str, str]
    city: tuple[str, str]
    told: str | None
    contradicted: bool
    regions: Sequence[RegionView]

    @property
    def words(self) -> str:
        """Region and city in the reader's language."""
        if self.region == self.city:  # neither is known
            return gettext("Place not known")
        chinese = current_language().tag.startswith("zh")
        return " · ".join(each[0 if chinese else 1] for each in (self.region, self.city))


async def look_at_place(tx: Tx, asked: Request) -> PlaceShown:
    """Where a request is, what is strange about it, and what it can be set to."""
    catalogue = await store.load_catalogue(tx)
    found = await store.load_placings(tx, asked.id)
    last = found[-1] if found else None
    told = None
    if last is not None and last.finding is not None:
        told = ", ".join(filter(None, (last.told_region, last.told_city)))
    return PlaceShown(
        region=names_of(catalogue, "region", asked.region),
        city=names_of(catalogue, "city", asked.city),
        told=told,
        contradicted=last is not None and last.finding == "contradicted",
        regions=regions(catalogue),
    )


def names_of(catalogue: Catalogue, kind: Kind, code: str) -> tuple[str, str]:
    """Chinese and English; the code itself where the catalogue does not know it any more."""
    if code == UNKNOWN:
        return "未知", "not known"
    known = catalogue.get(kind, code)
    return (known.zh, known.en) if known else (code, code)
