"""What customers type into the form: what is wrong with it, in words they know, and the request it makes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from intake.requests.rules import phone_identity
from shared.i18n import N_

LONGEST_NAME: Final = 200
LONGEST_PHONE: Final = 64
LONGEST_PLACE: Final = 64
LONGEST_TEXT: Final = 5_000

ELSEWHERE: Final = "elsewhere"
"""What the list of regions offers to those who do not find theirs; a person reads the city."""
NOT_READABLE: Final = N_("Please write this with letters, digits, blanks and hyphens only.")

FIELDS: Final = ("description", "name", "phone", "region", "city")
"""In the order in which they stand, so that the first fault is the uppermost."""


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields as they were sent, without blanks around them."""

    name: str = ""
    phone: str = ""
    region: str = ""
    city: str = ""
    description: str = ""


def faults(typed: Typed) -> dict[str, str]:
    """A sentence (marked with `N_`) for each field that cannot be taken; empty when the form is complete."""
    found = {
        "name": _too_long(typed.name, LONGEST_NAME),
        "phone": _phone(typed.phone),
        "region": _needed(typed.region, N_("Please choose your region.")),
        "city": _needed(typed.city, N_("Please say which city it is in.")),
        "description": _description(typed.description),
    }
    return {name: told for name in FIELDS if (told := found[name])}


def place_of(key: str, typed: Typed) -> str:
    """What makes two sent forms one: the form as it was shown, and what is in it.

    So a double click registers once, and whoever goes back, writes more and sends again is heard again.
    """
    content = json.dumps([key, asdict(typed)], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:40]


def first_fault(found: Mapping[str, str]) -> str | None:
    """The uppermost field with a fault."""
    return next((name for name in FIELDS if name in found), None)


def _phone(number: str) -> str | None:
    if not number:
        return N_("Please give a phone number, so that we can call you back.")
    if len(number) > LONGEST_PHONE or phone_identity(number) is None:
        return N_("This does not look like a phone number. Digits are enough, like 138 0013 8000.")
    return None


def _description(text: str) -> str | None:
    return _needed(text, N_("Please say in a few words what happened.")) or _too_long(text, LONGEST_TEXT)


def _needed(text: str, sentence: str) -> str | None:
    return None if text else sentence


def _too_long(text: str, most: int) -> str | None:
    return N_("This is too long; please shorten it.") if len(text) > most else None
