"""The organisation over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from dispatch.organisation import store
from dispatch.organisation.actions import NoOrganisation, import_organisation
from dispatch.organisation.presets import PRESETS, PresetName, preset
from dispatch.organisation.qualifications import Qualification, as_csv, records
from dispatch.organisation.roster import day_of
from dispatch.organisation.rules import Organisation, Person, Role
from shared.events.terms import Code, PersonId, Tier
from shared.http.auth import Caller, allow
from shared.http.cursor import InvalidCursor, Page, Paged
from shared.http.etag import IfMatch, show_version
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router: Final = APIRouter(route_class=ServiceRoute)


class ImportedOrganisation(BaseModel):
    """The organisation in force."""

    version: int
    imported_at: datetime
    imported_by: str
    organisation: Organisation


class ImportedVersion(BaseModel):
    """The version that an import made."""

    version: int


class PresetView(BaseModel):
    name: PresetName
    note: str


class PresetList(BaseModel):
    items: list[PresetView]


class QualificationList(BaseModel):
    items: list[Qualification]


class Colleague(BaseModel):
    """What a list to pick from shows of somebody."""

    id: PersonId
    display_name: str
    roles: tuple[Role, ...]
    tier: Tier | None
    regions: tuple[Code, ...]
    centre: Code | None

    @classmethod
    def of(cls, person: Person) -> Colleague:
        return cls(**person.model_dump(include=set(cls.model_fields)))


@router.get("/organisation", dependencies=[Depends(allow("dispatcher", "operations", "admin"))])
async def organisation(tx: ReadTx, response: Response) -> ImportedOrganisation:
    """The organisation in force, with its version as ETag."""
    found = await store.load_organisation(tx)
    if found is None:
        raise NoOrganisation
    show_version(response, found.version)
    return ImportedOrganisation(
        version=found.version,
        imported_at=found.imported_at,
        imported_by=found.imported_by,
        organisation=found.document,
    )


@router.put("/organisation", dependencies=[Depends(allow("admin"))])
async def put_organisation(
    tx: WriteTx, caller: Caller, seen: IfMatch, response: Response, document: Organisation
) -> ImportedVersion:
    """Replace the organisation as a whole; `If-Match: "0"` for the first one."""
    version = await import_organisation(tx, document, seen, caller.id)
    show_version(response, version)
    return ImportedVersion(version=version)


@router.get("/organisation/presets", dependencies=[Depends(allow("dispatcher", "operations", "admin"))])
async def presets() -> PresetList:
    """The organisations that ship as a beginning (R123): small and flat, functional groups, a matrix."""
    return PresetList(items=[PresetView(name=name, note=preset(name).note) for name in PRESETS])


@router.get(
    "/organisation/presets/{name}", dependencies=[Depends(allow("dispatcher", "operations", "admin"))]
)
async def one_preset(name: PresetName) -> Organisation:
    """One of them, as `PUT /dispatch/organisation` takes it: change names and ids, then import it."""
    return preset(name)


@router.get(
    "/qualifications", dependencies=[Depends(allow("operations", "admin"))], response_model=QualificationList
)
async def qualifications(
    tx: ReadTx, caller: Caller, shape: Annotated[Literal["json", "csv"], Query(alias="format")] = "json"
) -> QualificationList | Response:
    """What everybody may do and has learned, for their files (R38, R132); as JSON, or as CSV."""
    found = await store.load_organisation(tx)
    people = found.document.people if found else ()
    regions = caller.regions
    people = tuple(each for each in people if regions is None or regions.intersection(each.regions))
    listed = records(people, day_of(tx.now))
    if shape == "csv":
        headers = {"Content-Disposition": 'attachment; filename="qualifications.csv"'}
        return Response(as_csv(listed), media_type="text/csv; charset=utf-8", headers=headers)
    return QualificationList(items=listed)


@router.get(
    "/people",
    dependencies=[Depends(allow("engineer", "dispatcher", "operations", "storekeeper", "care", "admin"))],
)
async def people(
    tx: ReadTx,
    paging: Paged,
    region: Annotated[Code | None, Query(description="Works in this region.")] = None,
    role: Annotated[Role | None, Query(description="Has this role.")] = None,
) -> Page[Colleague]:
    """Active colleagues by name, for lists to pick from."""
    after = _after(paging.after)
    found = await store.list_people(tx, region=region, role=role, after=after, limit=paging.limit + 1)
    return paging.page([Colleague.of(each) for each in found], key=lambda each: (each.display_name, each.id))


def _after(key: tuple[object, ...] | None) -> tuple[str, UUID] | None:
    match key:
        case None:
            return None
        case (str(name), UUID() as person_id):
            return name, person_id
        case _:
            raise InvalidCursor
