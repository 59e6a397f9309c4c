"""Changes only on top of what the caller has seen: strong ETags from row versions, and If-Match.

@router.put("/tickets/{id}")
async def change(id: UUID, tx: WriteTx, seen: IfMatch, response: Response, body: Change) -> Ticket:
    ticket = await store.lock_ticket(tx, id)
    seen.require(ticket.version)
"""

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from fastapi import Depends, Header, Request, Response

from shared.errors import AftercareError
from shared.http.problem import MISSING

NAME: Final = "If-Match"
_TAGS: Final = re.compile(r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*')
_STRONG: Final = re.compile(r'(?<!W/)"([^"]*)"')


class PreconditionMissing(AftercareError):
    """Say with If-Match which version you have seen; it is the ETag of what you read."""

    status: ClassVar = 428


MISSING["header", NAME] = PreconditionMissing


class PreconditionMalformed(AftercareError):
    """If-Match must be the ETag as it was received, with its quotes."""

    status: ClassVar = 400


class VersionChanged(AftercareError):
    """This was changed since you read it, it is at version {current} now; read it again."""

    kind = "precondition"
    shown: ClassVar = ("current",)

    def __init__(self, current: int) -> None:
        super().__init__(current=current)
        self.headers = {"ETag": etag(current)}


@dataclass(frozen=True, slots=True)
class Precondition:
    """The versions a caller has seen, as they stand between the quotes."""

    seen: frozenset[str]

    def require(self, version: int) -> None:
        """`VersionChanged` unless the caller has seen `version`, the current one."""
        if str(version) not in self.seen:
            raise VersionChanged(version)


def etag(version: int) -> str:
    """The strong ETag of a row at `version`."""
    return f'"{version}"'


_HEADER: Final = Header(alias=NAME, description="The ETag of the version that is to be changed.")


def show_version(response: Response, version: int) -> None:
    """Tell the caller which version the answer shows."""
    response.headers["ETag"] = etag(version)


async def _if_match(request: Request, sent: Annotated[str, _HEADER]) -> Precondition:
    return _seen(request)


def _seen(request: Request) -> Precondition:
    tags = ",".join(request.headers.getlist("if-match"))
    if not _TAGS.fullmatch(tags):  # `*` too: it would change what nobody has seen
        raise PreconditionMalformed
    return Precondition(frozenset(_STRONG.findall(tags)))


IfMatch = Annotated[Precondition, Depends(_if_match)]
"""What the caller has seen: 428 without If-Match."""


async def _if_told(request: Request, sent: Annotated[str | None, _HEADER] = None) -> Precondition | None:
    return None if sent is None else _seen(request)


IfTold = Annotated[Precondition | None, Depends(_if_told)]
"""The same where the version may stand in the body instead: None without If-Match."""
