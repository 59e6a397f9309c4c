"""Long lists in pages: opaque, signed cursors that hold the sort key of the last row.

    @router.get("/tickets")
    async def tickets(tx: ReadTx, paging: Paged, status: Status | None = None) -> Page[TicketRow]:
        rows = await store.list_tickets(tx, status, after=paging.after, limit=paging.limit + 1)
        return paging.page(rows, key=lambda row: (row.opened_at, row.id))

A cursor holds for one list with one set of filters, for a day, and on this installation only.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Generic, TypeVar
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel

from shared.clock import now
from shared.errors import AftercareError
from shared.http.keys import keys_for
from shared.http.scope import settings_of
from shared.settings import Settings

T = TypeVar("T")
Key = tuple[datetime | UUID | str | int | None, ...]

LIFETIME: Final = timedelta(days=1)
LARGEST_PAGE: Final = 200
LONGEST_CURSOR: Final = 2000  # characters
_SIGNATURE: Final = 16  # bytes; half of a SHA-256 is out of anybody's reach


class InvalidCursor(AftercareError):
    """The cursor does not belong to this list, or is too old; begin again without it."""


class Page(BaseModel, Generic[T]):
    """Some rows of a list; `next` is the cursor of the rows after them, None at the end."""

    items: list[T]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for: at most `limit` rows whose sort key comes after `after`."""

    limit: int
    after: Key | None
    _list: str
    _path: str
    _settings: Settings
    _response: Response

    def page(self, rows: Sequence[T], key: Callable[[T], Key]) -> Page[T]:
        """The page out of `rows`, of which one more than `limit` should have been read."""
        items = list(rows[: self.limit])
        if len(rows) <= self.limit:
            return Page(items=items)
        cursor = seal(key(items[-1]), self._list, self._settings)
        filters = [(name, value) for name, value in json.loads(self._list)[1:]]
        target = urlencode([*filters, ("limit", self.limit), ("cursor", cursor)])
        self._response.headers["Link"] = f'<{self._path}?{target}>; rel="next"'
        return Page(items=items, next=cursor)


async def _paging(
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Rows at most.")] = 50,
    cursor: Annotated[
        str | None, Query(max_length=LONGEST_CURSOR, description="`next` of the page before.")
    ] = None,
) -> Paging:
    settings = settings_of(request)
    sent = request.query_params.multi_items()
    filters = sorted((name, value) for name, value in sent if name not in ("cursor", "limit"))
    name = json.dumps([request.scope["path"], *filters])
    after = unseal(cursor, name, settings) if cursor else None
    return Paging(limit, after, name, quote(request.scope["path"]), settings, response)


Paged = Annotated[Paging, Depends(_paging)]
"""The page that is asked for, by the query's `limit` and `cursor`."""


def seal(key: Key, of: str, settings: Settings) -> str:
    """The cursor that stands after `key` in the list named `of`."""
    expires = int((now() + LIFETIME).timestamp())
    content = json.dumps([expires, *map(_plain, key)], separators=(",", ":"), ensure_ascii=False).encode()
    signature = keys_for("cursor", settings)[0].sign(of.encode() + b"\0" + content)[:_SIGNATURE]
    return base64.urlsafe_b64encode(signature + content).decode().rstrip("=")


def unseal(cursor: str, of: str, settings: Settings) -> Key:
    """The sort key in a cursor; `InvalidCursor` when it is forged, of another list, or expired."""
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidCursor from None
    signature, content = sealed[:_SIGNATURE], sealed[_SIGNATURE:]
    message = of.encode() + b"\0" + content
    if not any(key.verifies(message, signature, _SIGNATURE) for key in keys_for("cursor", settings)):
        raise InvalidCursor
    expires, *key = json.loads(content)
    if expires < now().timestamp():
        raise InvalidCursor
    return tuple(map(_typed, key))


def _plain(value: datetime | UUID | str | int | None) -> Any:
    match value:
        case datetime():
            return {"t": value.isoformat()}
        case UUID():
            return {"u": value.hex}
        case _:
            return value


def _typed(value: Any) -> datetime | UUID | str | int | None:
    match value:
        case {"t": moment}:
            return datetime.fromisoformat(moment)
        case {"u": identifier}:
            return UUID(hex=identifier)
        case str() | int() | None:
            return value
        case _:
            raise InvalidCursor
