"""The places that are known here: for forms, and for an organisation's own."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Response
from fastapi.responses import RedirectResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from intake.places import actions, store
from intake.places.catalogue import Catalogue, Place
from intake.places.rules import Words
from intake.requests import access
from intake.requests import store as requests
from intake.requests.routes import person
from intake.requests.rules import UNKNOWN
from shared.db import Tx
from shared.events.terms import Code
from shared.http.auth import Caller, Principal, allow, public
from shared.http.etag import IfMatch, show_version
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.sent import Sent

router = APIRouter(route_class=ServiceRoute)

MOST_OWN = 2000


class CityView(BaseModel):
    """A city; `code` is what requests carry."""

    code: str
    zh: str
    en: str
    province: str | None = None


class RegionView(BaseModel):
    """A region with its cities."""

    code: str
    zh: str
    en: str
    cities: list[CityView]


class PlacesView(BaseModel):
    """All places a form can offer; `version` is that of the organisation's own, 0 without any."""

    version: int
    regions: list[RegionView]


def _not_unknown(code: str) -> str:
    if code == UNKNOWN:
        raise PydanticCustomError("reserved", "unknown is what no place is called")
    return code


class OwnPlace(Sent):
    """A place of the organisation's own, or one that takes the place of a shipped one with its kind and code.

    A city lies `within` a region or a province, a province within a region. A region with the code of a
    province takes the cities of that province.
    """

    code: Annotated[Code, AfterValidator(_not_unknown)]
    kind: Literal["region", "province", "city"]
    within: Code | None = None
    zh: Annotated[str, StringConstraints(max_length=64, strip_whitespace=True)] = ""
    en: Annotated[str, StringConstraints(max_length=64, strip_whitespace=True)] = ""
    also: Annotated[tuple[Words, ...], Field(max_length=20)] = ()

    def place(self) -> Place:
        """The same for the catalogue; what has no name is called by its code."""
        zh, en = self.zh or self.en or self.code, self.en or self.zh or self.code
        return Place(self.code, self.kind, self.within, zh, en, self.also)


class OwnPlaces(Sent):
    """All of an organisation's own places: what is missing here is not known any more."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "places": [
                        {"code": "west", "kind": "region", "zh": "西区", "en": "West"},
                        {"code": "sichuan", "kind": "province", "within": "west", "zh": "四川"},
                        {"code": "plant7", "kind": "city", "within": "east", "zh": "七厂", "also": ["No.7"]},
                    ]
                }
            ]
        },
    )

    places: Annotated[tuple[OwnPlace, ...], Field(max_length=MOST_OWN)]


class Version(BaseModel):
    """The version that a change made."""

    version: int


class RequestPlace(Sent):
    """Where a request is, by code or by any name; the region may be left out where the city says it."""

    region: Words = UNKNOWN
    city: Words


class PlaceForm(BaseModel):
    """The same from the page of a request; a region alone where the city is not listed."""

    model_config = ConfigDict(extra="forbid")

    region: Annotated[str, StringConstraints(max_length=64, strip_whitespace=True)] = ""
    city: Annotated[str, StringConstraints(max_length=64, strip_whitespace=True)] = ""
    csrf: str = ""


class PlaceSet(BaseModel):
    """Where the request is now, by code."""

    region: str
    city: str


_AGENTS = [Depends(allow("care", "dispatcher", "admin"))]


@router.get("/places", dependencies=[Depends(public())])
async def read_places(tx: ReadTx, response: Response) -> PlacesView:
    """Regions and their cities with Chinese and English names, for forms to offer."""
    catalogue = await store.load_catalogue(tx)
    show_version(response, catalogue.version)
    return PlacesView(version=catalogue.version, regions=regions(catalogue))


@router.get("/places/own", dependencies=[Depends(allow("admin"))])
async def read_own(tx: ReadTx, response: Response) -> OwnPlaces:
    """The organisation's own places, to be changed and put back; their version is the ETag."""
    version, own = await store.load_own(tx)
    show_version(response, version)
    return OwnPlaces(places=tuple(OwnPlace.model_validate(each, from_attributes=True) for each in own))


@router.put("/places", dependencies=[Depends(allow("admin"))])
async def put_places(
    tx: WriteTx, caller: Caller, seen: IfMatch, response: Response, sent: OwnPlaces
) -> Version:
    """Replace the organisation's own places as a whole; `If-Match: "0"` for the first ones."""
    own = [each.place() for each in sent.places]
    version = await actions.replace_own(tx, own, seen, caller.id)
    show_version(response, version)
    return Version(version=version)


@router.put("/requests/{id}/place", dependencies=_AGENTS)
async def put_place(
    id: UUID, tx: WriteTx, seen: IfMatch, sent: RequestPlace, caller: Caller, response: Response
) -> PlaceSet:
    """Say where a request is; its ticket and its promises follow (R54-R57)."""
    asked = await access.lock(tx, caller, id)
    seen.require(asked.version)
    return await _set(tx, asked, sent.region, sent.city, caller, response)


@router.post("/desk/{id}/place", dependencies=_AGENTS, include_in_schema=False)
async def set_place(
    id: UUID, tx: WriteTx, caller: Caller, form: Annotated[PlaceForm, Form()]
) -> RedirectResponse:
    """The same from the page."""
    asked = await access.lock(tx, caller, id)
    await actions.set_place(tx, asked, form.region, form.city, person(caller), caller.id)
    return RedirectResponse(f"/intake/desk/{id}", status_code=303)


async def _set(
    tx: Tx, asked: requests.Request, region: str, city: str, caller: Principal, response: Response
) -> PlaceSet:
    await actions.set_place(tx, asked, region, city, person(caller), caller.id)
    now = await requests.load(tx, asked.id)
    show_version(response, now.version)
    return PlaceSet(region=now.region, city=now.city)


def regions(catalogue: Catalogue) -> list[RegionView]:
    """Every region with its cities, in the catalogue's order."""
    cities: dict[str, list[CityView]] = {}
    for each in catalogue.of("city"):
        view = CityView(code=each.code, zh=each.zh, en=each.en, province=catalogue.province_of(each))
        cities.setdefault(catalogue.region_of(each) or UNKNOWN, []).append(view)
    return [
        RegionView(code=each.code, zh=each.zh, en=each.en, cities=cities.get(each.code, []))
        for each in catalogue.of("region")
    ]
