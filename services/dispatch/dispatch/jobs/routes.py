"""The catalogue of jobs over HTTP: everybody who works here reads it, an administrator replaces it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from dispatch.access import READERS
from dispatch.jobs import store
from dispatch.jobs.rules import Catalogue, faults_of
from shared.db import lock_subjects
from shared.http.auth import Caller, allow
from shared.http.etag import IfMatch, show_version
from shared.http.problem import InvalidInput
from shared.http.strict import pointer
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx

router: Final = APIRouter(route_class=ServiceRoute)


class CatalogueView(BaseModel):
    """The catalogue in force; version 0 is what ships."""

    version: int
    catalogue: Catalogue


@router.get("/jobs", dependencies=[Depends(allow(*READERS))])
async def jobs(tx: ReadTx, response: Response) -> CatalogueView:
    """Kinds of jobs with their checklists, fault codes and causes; the version is the ETag."""
    catalogue, version = await store.load_catalogue(tx)
    show_version(response, version)
    return CatalogueView(version=version, catalogue=catalogue)


@router.put("/jobs", dependencies=[Depends(allow("admin"))])
async def put_jobs(
    tx: WriteTx, caller: Caller, seen: IfMatch, response: Response, catalogue: Catalogue
) -> CatalogueView:
    """Replace the catalogue as a whole; it holds for every job that is not done yet."""
    wrong = [
        {"source": "body", "pointer": pointer(fault.path), "detail": fault.detail, "code": fault.code}
        for fault in faults_of(catalogue)
    ]
    if wrong:
        raise InvalidInput(errors=wrong)
    await lock_subjects(tx, ["job_catalogue"])
    _, version = await store.load_catalogue(tx)
    seen.require(version)
    await store.save_catalogue(tx, catalogue, version + 1, caller.id)
    show_version(response, version + 1)
    return CatalogueView(version=version + 1, catalogue=catalogue)
