"""Files that customers sent, for those who work on their requests."""

from __future__ import annotations

from functools import partial
from typing import Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from intake.attachments import store
from intake.requests import access
from intake.requests.routes import look_at_customer
from intake.requests.store import NoSuchRequest
from shared.db import Tx
from shared.http.auth import Caller, Principal, allow
from shared.http.scope import service_of
from shared.http.transaction import ServiceRoute

router = APIRouter(route_class=ServiceRoute)

_DESK = [Depends(allow("care", "dispatcher", "operations", "admin"))]
_BINARY: Final = "application/octet-stream"
# Of these a browser makes nothing that runs, whatever it is told to do with them.
_HARMLESS: Final = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/heic", "application/pdf"}
)
_FILE: Final = {
    200: {
        "description": "The file, to be saved.",
        "content": {_BINARY: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/attachments/{id}", dependencies=_DESK, response_class=Response, responses=_FILE)  # type: ignore[arg-type]
async def read_attachment(id: UUID, request: Request, principal: Caller) -> Response:
    """One file as the customer sent it, to be saved and never shown in place; looking is recorded."""
    return await service_of(request).database.transact(partial(_file, id=id, principal=principal))


async def _file(tx: Tx, id: UUID, principal: Principal) -> Response:
    file = await store.load(tx, id)
    try:
        asked = await access.load(tx, principal, file.request_id)
    except NoSuchRequest:
        raise store.NoSuchAttachment from None
    await look_at_customer(tx, asked, principal.id)
    return Response(file.content, headers=headers_of(file.name, file.content_type))


def headers_of(name: str, content_type: str) -> dict[str, str]:
    """Saved, not shown; what could run in a browser is not even told what it is (S13)."""
    plain = "".join(each if each.isascii() and (each.isalnum() or each in "._- ") else "_" for each in name)
    return {
        "content-type": content_type if content_type in _HARMLESS else _BINARY,
        "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        "cache-control": "no-store",
    }
