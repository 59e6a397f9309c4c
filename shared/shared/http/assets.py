"""Static files from the packages, under names that change with their content, so that browsers keep them."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Depends
from fastapi.requests import Request
from fastapi.responses import Response

from shared.errors import AftercareError
from shared.http.auth import public

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


class NoSuchAsset(AftercareError):
    """There is no file of this name here."""

    kind = "not_found"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    content: bytes
    digest: str
    media_type: str


class Assets:
    """The files of one `static` folder, read once, served below `prefix`."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self.prefix = prefix
        self._files = {path.name: _read(path) for path in sorted(folder.glob("*.*"))}

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def url(self, name: str) -> str:
        """The address of a file: `aftercare.css` is found at `/static/aftercare.3f0c9a12.css`."""
        stem, _, suffix = name.rpartition(".")
        return f"{self.prefix}/{stem}.{self._files[name].digest}.{suffix}"

    def answer(self, name: str, if_none_match: str | None) -> Response:
        """The file of an address. Of another version (a roll-out is under way) it is served, but not kept."""
        stem, _, suffix = name.rpartition(".")
        plain, _, digest = stem.rpartition(".")
        asset = self._files.get(f"{plain}.{suffix}") or self._files.get(name)
        if asset is None:
            raise NoSuchAsset
        etag = f'"{asset.digest}"'
        headers = {"etag": etag, "cache-control": _FOR_EVER if digest == asset.digest else "no-cache"}
        if if_none_match == etag:
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)

    def router(self) -> APIRouter:
        router = APIRouter(dependencies=[Depends(public())])

        @router.get(f"{self.prefix}/{{name}}", include_in_schema=False)
        async def asset(request: Request, name: str) -> Response:
            return self.answer(name, request.headers.get("if-none-match"))

        return router


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(content, hashlib.sha256(content).hexdigest()[:12], media_type)
