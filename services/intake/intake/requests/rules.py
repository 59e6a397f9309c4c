"""What every channel brings requests into, and what a customer is recognised by."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID

from shared.errors import AftercareError
from shared.events.terms import Channel, Level

OLDEST: Final = timedelta(days=7)
NEWEST: Final = timedelta(seconds=60)
UNKNOWN: Final = "unknown"
"""Region or city that a channel does not tell."""
NAMELESS: Final = "—"
"""The name of whoever told none."""
HOUSE_FORM: Final = "form"
"""The account of our own form: who fills it in is given the link to their page."""
LONGEST_TITLE: Final = 200
SIMPLE: Final = frozenset({"enquiry", "order_query"})
"""What the desk may solve by an answer alone (R11): questions, also about orders, payment and logistics."""

_SPACES: Final = re.compile(r"\s+")
_NOTHING_TO_READ: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ufffd]+")
_BESIDE: Final = re.compile(  # what channels write for what is no text; what stands in it nobody wrote
    r"\[(?:image|photo|picture|sticker|animation|video|video_note|shortvideo|audio|voice|media|document|file"
    r"|application|text|fallback|template|share|reel|ig_reel|story_mention|location|venue|contact"
    r"|business_card|order|poll|link|miniprogram)(?: .*)?\]"
)
_CHINESE_MOBILE: Final = re.compile(r"\+861[3-9][0-9]{9}")
_EXTENSION: Final = re.compile(r"转|轉|分机|分機|ext|x|#", re.IGNORECASE)
_PUNCTUATION: Final = re.compile(r"[\s()./·‐–—-]")
_LONGEST_NATIONAL: Final = 11  # digits after the trunk prefix 0; what is longer names its country


class NotSimple(AftercareError):
    """Only an enquiry or a question about an order is solved by answering it; judge it otherwise first."""

    kind = "conflict"


class AlreadyClosed(AftercareError):
    """This request is closed already; answer it without solving it once more."""

    kind = "conflict"


def is_solvable(kind: str, closed_at: datetime | None) -> bool:
    """Whether an answer alone can be the end of it."""
    return kind in SIMPLE and closed_at is None


def require_solvable(kind: str, closed_at: datetime | None) -> None:
    """Raises `NotSimple`, `AlreadyClosed`."""
    if kind not in SIMPLE:
        raise NotSimple
    if closed_at is not None:
        raise AlreadyClosed


class ImplausibleTime(AftercareError):
    """occurred_at may lie at most 7 days back and 60 seconds ahead; look at the sender's clock."""

    shown: ClassVar = ("errors",)

    def __init__(self, source: str = "body") -> None:
        told = "At most 7 days back and 60 seconds ahead"
        fault = {"source": source, "pointer": "/occurred_at", "detail": told, "code": "implausible_time"}
        super().__init__(errors=[fault])


@dataclass(frozen=True, slots=True)
class Identity:
    """One way to recognise a customer: kind and normalised value."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that came with a message; the channel has made its name a safe one."""

    name: str
    content_type: str
    content: bytes = field(repr=False)
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Normalised:
    """One request, whichever channel brought it (R03).

    account and external_id say which message of which mailbox, line or source it is: the same thing comes
    once. `raw` is what came in, byte for byte.
    """

    channel: Channel
    account: str
    external_id: str
    identities: tuple[Identity, ...]
    name: str
    text: str
    title: str
    received_at: datetime
    raw: bytes
    content_type: str
    region: str = UNKNOWN
    city: str = UNKNOWN
    latitude: float | None = None
    longitude: float | None = None
    product_line: str | None = None
    level: Level = "standard"
    call_id: UUID | None = None
    answers: tuple[str, ...] = ()
    """Identifiers of earlier messages that this one replies to; anybody can write them."""
    thread: UUID | None = None
    """The request it belongs to, proved by a signature of ours."""
    attachments: tuple[Attachment, ...] = ()
    device_id: UUID | None = None
    """The product it is about, where a label of ours said so."""
    door: str | None = None
    """The provider's channel that brought it, where the kind of channel alone does not say."""
    address: str | None = None
    """Where an answer goes, as the door writes it: a mailbox, a number, an id at the provider."""
    session: str | None = None
    """The chat it was said in, named so that no other account's chat has the name; messages of one belong
    together."""
    traceparent: str | None = None
    """The trace of who brought it, where many are stored together."""


def email_identity(address: str) -> Identity | None:
    """A mailbox in lower case; None when it cannot be one."""
    folded = unicodedata.normalize("NFKC", address).strip().casefold()
    local, at, domain = folded.rpartition("@")
    if not (local and at and "." in domain and len(folded) <= 254) or _SPACES.search(folded):
        return None
    return Identity("email", folded)


def phone_identity(number: str, country: str = "86") -> Identity | None:
    """E.164: digits with the country in front, no extension; None when it cannot be a number."""
    folded = unicodedata.normalize("NFKC", number)
    digits = _PUNCTUATION.sub("", _EXTENSION.split(folded, maxsplit=1)[0])
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if not re.fullmatch(r"\+?[0-9]{5,15}", digits):
        return None
    if digits.startswith(country) and len(digits) > _LONGEST_NATIONAL:
        digits = "+" + digits
    national = digits.removeprefix(f"+{country}")
    if not national.startswith("+"):
        digits = f"+{country}{national.removeprefix('0')}"
    return Identity("phone", _as_dialled(digits))


def _as_dialled(digits: str) -> str:
    """E.164, as the numbering plan of the country has it (+44 (0)20 …); short numbers as they are."""
    if _CHINESE_MOBILE.fullmatch(digits):  # what most customers have, and nothing in it to be found out
        return digits
    import phonenumbers  # a few megabytes, for whom the first customer calls

    try:
        number = phonenumbers.parse(digits)
    except phonenumbers.NumberParseException:
        return digits
    if not phonenumbers.is_possible_number(number):
        return digits
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def own_words(text: str) -> str:
    """What a person wrote, without the lines that stand for pictures, places and other things they sent."""
    return "\n".join(line for line in text.splitlines() if not _BESIDE.fullmatch(line))


def title_of(subject: str, text: str) -> str:
    """One line that says what it is about: the subject, else how the own words, else how the text begins."""
    lines = (_NOTHING_TO_READ.sub(" ", each).strip() for each in (subject, own_words(text), text))
    line = next(filter(None, lines), "")
    return line[: LONGEST_TITLE - 1] + "…" if len(line) > LONGEST_TITLE else line or "—"


def plausible(occurred_at: datetime | None, now: datetime, source: str = "body") -> datetime:
    """When it happened, as a trusted adapter says in `source` (body or query); now when it does not say."""
    if occurred_at is None:
        return now
    if not now - OLDEST <= occurred_at <= now + NEWEST:
        raise ImplausibleTime(source)
    return occurred_at
