"""Bodies read once, strictly, before anything else looks at them."""

from __future__ import annotations

import hashlib
import json
import re
from typing import ClassVar, Final
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect

from shared.errors import AftercareError
from shared.http import strict
from shared.http.clean import check_text
from shared.http.problem import invalid
from shared.i18n.language import N_

_JSON: Final = re.compile(r"application/(?:[\w.-]+\+)?json[ \t]*(?:;.*)?", re.IGNORECASE)
_ENCODED_FORM: Final = "application/x-www-form-urlencoded"
_FORM: Final = re.compile(rf"(?:{_ENCODED_FORM}|multipart/form-data)[ \t]*(?:;.*)?", re.IGNORECASE)


class UnsupportedMediaType(AftercareError):
    """The body has a media type that is not read here; send {expected}."""

    status: ClassVar = 415


class StrictRequest(Request):
    """A request whose body is held to `strict`, and can be taken again by a second attempt."""

    async def read(self, *, form: bool) -> None:
        """Read the body now; raises what is wrong with it."""
        if form:
            self._require(_FORM, f"{_ENCODED_FORM} or multipart/form-data")
            await self._check_form()
        elif body := await self.body():
            self._require(_JSON, "application/json")
            self._json = strict.parse(body)

    async def body(self) -> bytes:
        """The bytes of the body; the base class's stream costs as much as parsing them."""
        if not hasattr(self, "_body"):
            pieces: list[bytes] = []
            more = True
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                pieces.append(message.get("body", b""))
                more = message.get("more_body", False)
            self._body = b"".join(pieces)
            self._stream_consumed = True
        return self._body

    async def rewind(self) -> None:
        """Make uploaded files readable from their beginning again."""
        for upload in self._uploads():
            await upload.seek(0)

    async def fingerprint(self) -> bytes:
        """32 bytes that two requests share if they ask for the same, whatever the spacing of their JSON."""
        digest = hashlib.sha256(self.scope["path"].encode() + b"\0" + self.scope["query_string"] + b"\0")
        if hasattr(self, "_json"):
            digest.update(json.dumps(self._json, sort_keys=True, separators=(",", ":")).encode())
        elif self._form is None:
            digest.update(await self.body())
        else:
            texts = [(name, value) for name, value in self._form.multi_items() if isinstance(value, str)]
            digest.update(json.dumps(texts).encode())
            for upload in self._uploads():
                digest.update(await upload.read())
                await upload.seek(0)
        return digest.digest()

    def _require(self, media_type: re.Pattern[str], expected: str) -> None:
        if not media_type.fullmatch(self.headers.get("content-type", "")):
            raise UnsupportedMediaType(expected=expected)

    async def _check_form(self) -> None:
        if self.headers["content-type"].lower().startswith(_ENCODED_FORM):
            # The parser would put U+FFFD for what is not UTF-8.
            check_text("body", unquote_to_bytes(await self.body()))
        for name, value in (await self.form()).multi_items():
            text = value if isinstance(value, str) else value.filename or ""
            if not strict.storable(name + text):
                raise invalid(
                    "body", (name,), N_("a text has a character that cannot be stored"), "character"
                )

    def _uploads(self) -> list[UploadFile]:
        values = self._form.multi_items() if self._form is not None else []
        return [value for _, value in values if isinstance(value, UploadFile)]
