"""Where a request is from: what people and programs write, as the codes that work is given out by.

A place decides who goes and how soon they must be there (R54-R57), so that nothing unknown becomes a code: it
stays `unknown`, with the words for a person to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import StringConstraints

from intake.places.catalogue import Catalogue, Kind, Place, fold
from intake.requests.rules import UNKNOWN

Words = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[\w.\-'’·,，/、()（） ]+$")]
"""A place as somebody writes it: a code, or a name in any form."""

Finding = Literal["unrecognised", "contradicted"]
"""unrecognised: a person has to say where it is; contradicted: the city decided over the region."""

_MARKS: Final = re.compile(r"[\s,，、/·()（）.\-]+")
_STEPS: Final = re.compile(r"(?<=[省市盟])|(?<=自治区)|(?<=自治州)|(?<=行政区)|(?<=地区)")
_WITHIN_CITIES: Final = re.compile(r"(?:区|县|旗|镇|乡|街道|district|county)$")
_IN_REGION_FIELD: Final[tuple[Kind, ...]] = ("region", "province", "city")
_IN_CITY_FIELD: Final[tuple[Kind, ...]] = ("city", "province", "region")


@dataclass(frozen=True, slots=True)
class Told:
    """The words somebody used, as they came; empty where nothing was said."""

    region: str
    city: str


@dataclass(frozen=True, slots=True)
class Placed:
    """Region and city as codes, `unknown` where they are not known; what was found wrong with `told`."""

    region: str
    city: str
    told: Told
    finding: Finding | None = None


@dataclass(slots=True)
class _Said:
    """What the words mean, piece by piece; of a city all that bear the name."""

    regions: list[Place]
    provinces: list[Place]
    cities: list[tuple[str, list[Place]]]
    strange: list[str]
    """Pieces that mean nothing here."""


def place(region: str, city: str, catalogue: Catalogue) -> Placed:
    """Where a request is from, by what was told of region and city, in any form and in either field."""
    told = Told(_told(region), _told(city))
    around = _read(told.region, _IN_REGION_FIELD, catalogue)
    at = _read(told.city, _IN_CITY_FIELD, catalogue)
    cities = at.cities or around.cities
    stated = _Said(around.regions + at.regions, around.provinces + at.provinces, cities, around.strange)
    found = _city(stated, catalogue)
    where = catalogue.region_of(found) if found else _around(stated, catalogue)
    if found is None:
        finding: Finding | None = "unrecognised" if told.city or around.strange else None
    elif [each for each in at.strange if not _WITHIN_CITIES.search(each.casefold())]:
        finding = "unrecognised"
    else:
        finding = "contradicted" if _contradicts(stated, found, catalogue) else None
    return Placed(where or UNKNOWN, found.code if found else UNKNOWN, told, finding)


def _told(words: str) -> str:
    return "" if fold(words) in ("", UNKNOWN, "未知", "不详", "none", "na") else words.strip()


def _read(words: str, order: Sequence[Kind], catalogue: Catalogue) -> _Said:
    said = _Said([], [], [], [])
    for piece in _pieces(words, catalogue) if words else ():
        kind, places = _meaning(piece, order, catalogue)
        match kind:
            case "region":
                said.regions += places
            case "province":
                said.provinces += places
            case "city":
                said.cities.append((piece, places))
            case None:
                said.strange.append(piece)
    return said


def _meaning(piece: str, order: Sequence[Kind], catalogue: Catalogue) -> tuple[Kind | None, list[Place]]:
    """What the first kind of places that has the name says: a code as it is, before any name."""
    for kind in order:
        exact = catalogue.get(kind, piece)
        named = catalogue.named(kind, piece)
        if exact and exact not in named:
            named = [exact]
        if named:
            return kind, named
    return None, []


def _pieces(words: str, catalogue: Catalogue) -> Iterator[str]:
    """The words whole where they are a name, else in their parts: 华东/上海, 江苏省苏州市, 上海浦东新区."""

    def known(piece: str) -> bool:
        return _meaning(piece, _IN_CITY_FIELD, catalogue)[0] is not None

    if known(words):
        yield words
        return
    for rough in filter(None, _MARKS.split(words)):
        for piece in [rough] if known(rough) else filter(None, _STEPS.split(rough)):
            yield from _cut(piece, known)


def _cut(piece: str, known: Callable[[str], bool]) -> Iterator[str]:
    """A name with another behind it (江苏南京), or a district (上海浦东新区); never the city of a street."""
    if not known(piece) and not piece.isascii():
        for end in range(len(piece) - 1, 1, -1):
            rest = piece[end:]
            if known(piece[:end]) and (known(rest) or (len(rest) > 1 and _WITHIN_CITIES.search(rest))):
                yield piece[:end]
                yield from _cut(rest, known)
                return
    yield piece


def _city(said: _Said, catalogue: Catalogue) -> Place | None:
    """The first city that was named; behind a province of the same name (吉林) the next one in it."""
    if not said.cities:
        around = [*said.provinces, *said.regions]
        return next((only for each in around if (only := catalogue.only_city(each.code))), None)
    (piece, places), *others = said.cities
    for kind, following in others[:1]:
        if province := catalogue.named("province", piece):
            inside = [each for each in following if each.within == province[0].code]
            if inside:
                return _chosen(kind, inside, said, catalogue)
    return _chosen(piece, places, said, catalogue)


def _chosen(piece: str, places: list[Place], said: _Said, catalogue: Catalogue) -> Place | None:
    """The one city of those that share the name: by province, by region, by its code."""
    provinces = {each.code for each in said.provinces}
    regions = {each.code for each in said.regions}
    for narrower in (
        [each for each in places if each.within in provinces],
        [each for each in places if catalogue.region_of(each) in regions],
        [each for each in places if each.code == piece],
        [each for each in places if each.code == fold(piece)],
    ):
        places = narrower or places
        if len(places) == 1:
            return places[0]
    return None


def _around(said: _Said, catalogue: Catalogue) -> str | None:
    """The region, where no city is known; the province is the closer of the two."""
    closest = [*said.provinces, *said.regions]
    return catalogue.region_of(closest[0]) if closest else None


def _contradicts(said: _Said, city: Place, catalogue: Catalogue) -> bool:
    region, province = catalogue.region_of(city), catalogue.province_of(city)
    elsewhere = [each for each in said.regions if each.code != region]
    elsewhere += [each for each in said.provinces if each.code != province]
    return bool(elsewhere or [each for each in said.strange if not _WITHIN_CITIES.search(each.casefold())])
