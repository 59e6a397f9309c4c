"""What a channel is: a value that knows how its provider signs, what it sends, and what it wants to hear.

    channel = Channel(name="example", secrets=("token",), verify=verify, parse=parse)

One file in `channels/providers/` holds one such value. Everything in it is pure: bytes and headers in, values
out. The door (`channels/doors.py`) does the rest: it finds the account, has it verified before anything is
parsed, stores what came of it, and answers once that is committed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from intake.calls.rules import Event as CallEvent
from intake.channels import lenient
from intake.channels.lenient import Unreadable as Unreadable
from intake.requests.rules import OLDEST, UNKNOWN, Normalised
from shared.errors import AftercareError

if TYPE_CHECKING:
    from intake.pulling.contract import Pull

_FIRST_IN_MILLISECONDS: Final = 1e11  # three years after 1970, or three thousand
_LAST: Final = 4_102_444_800.0  # 2100-01-01


class NotGenuine(AftercareError):
    """This is not signed as {channel} signs; check secrets, address, and that the body is as it was sent."""

    kind = "unauthenticated"


class SignedTooLongAgo(NotGenuine):
    """{channel} signed this more than five minutes from now; look at the clocks, or it was sent before."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One call of a provider, as it came; what is signed is signed over exactly this.

    url      as the provider called it, query and all; behind a proxy that is the public address
    headers  by lower-case name
    query    the first value of each name
    """

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    received_at: datetime

    def json(self) -> Any:
        """The body as JSON, U+FFFD for what the database could not keep. Raises `Unreadable`."""
        return lenient.parse(self.body)


@dataclass(frozen=True, slots=True)
class Account:
    """One number, page or official account at a provider; where its requests belong when they do not say."""

    channel: str
    name: str
    secrets: Mapping[str, str] = field(repr=False)
    region: str = UNKNOWN
    city: str = UNKNOWN
    product_line: str | None = None

    @property
    def place(self) -> str:
        """Its name among the accounts of all channels: what makes an external id the only one."""
        return f"{self.channel}/{self.name}"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A person wrote: a new request, or more of one."""

    message: Normalised


@dataclass(frozen=True, slots=True)
class Opted:
    """A person wants to hear no more of us by this channel (`out`), or again, and says nothing else."""

    message: Normalised
    out: bool


@dataclass(frozen=True, slots=True)
class DeliveryTold:
    """What became of a message that we sent; `external_id` is the provider's for it."""

    external_id: str
    state: Literal["sent", "delivered", "read", "failed"]
    at: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallTold:
    """What happened to a call (R50, R51)."""

    external_id: str
    event: CallEvent
    at: datetime


@dataclass(frozen=True, slots=True)
class Noticed:
    """What asks for nothing and is kept all the same: a reaction, an edit, a kind that nobody knows yet.

    `url` is the address that a call came to, where it may have to be read once more.
    """

    kind: str
    external_id: str
    raw: bytes
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """There is something to be fetched (`Channel.pull`): of which source, and with which token at first."""

    of: str
    token: str = field(default="", repr=False)


Verdict = Arrived | Opted | Announced | DeliveryTold | CallTold | Noticed


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider wants to hear."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200


@dataclass(frozen=True, slots=True)
class Channel:
    """One provider's way in.

    secrets      the names of what an account is set up with: `optional` ones may be missing, all others never
    verify       raises `NotGenuine` unless the account's provider sent exactly this, and lately
    parse        what it says, in its order; raises `Unreadable`, and `InvalidInput` to a program of the house
    greet        answers the provider's handshake, which is verified too; None where it has none
    acknowledge  what it hears once everything is stored
    pull         how what was `Announced` is fetched; None where calls say all themselves
    once         where a signature leaves the body out: what names a call, which is taken with one body only
    """

    name: str
    secrets: tuple[str, ...]
    verify: Callable[[Incoming, Account], None]
    parse: Callable[[Incoming, Account], Sequence[Verdict]]
    optional: tuple[str, ...] = ()
    greet: Callable[[Incoming, Account], Reply] | None = None
    acknowledge: Reply = Reply()
    once: Callable[[Incoming, Account], str | None] | None = None
    pull: Pull | None = None
    largest: int = 1024 * 1024
    """Bytes of a body."""


def told_at(moment: float, now: datetime) -> datetime:
    """When a provider says it was, in seconds or milliseconds since 1970; as far as it can be, see `OLDEST`.

    Providers try for a week at most, so that what lies further back is a clock that is wrong. Raises
    `ValueError` for what is no time.
    """
    seconds = moment if moment < _FIRST_IN_MILLISECONDS else moment / 1000
    if not 0 <= seconds <= _LAST:
        raise ValueError
    return max(now - OLDEST, min(now, datetime.fromtimestamp(seconds, UTC)))


def kept(kind: str, raw: bytes, *names: object) -> Noticed:
    """What asks for nothing, under a name that is the same when it comes again: `names`, and what it says."""
    digest = hashlib.sha256(raw).hexdigest()[:32]
    return Noticed(kind, ":".join([*map(str, names), digest]), raw)


def part(element: Any) -> bytes:
    """One of many messages that came in one body, as its own source."""
    return json.dumps(element, ensure_ascii=False, separators=(",", ":")).encode()
