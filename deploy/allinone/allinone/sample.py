"""Clearly labelled sample data: an organisation, some parts, and who may sign in to look at it."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Final

from shared.http.auth import Principal, Role, mint
from shared.settings import Settings

_PERSON: Final = "01930000-0000-7000-8000-0000000000{:02d}"

WHO: Final[dict[Role, str]] = {
    "engineer": _PERSON.format(1),
    "dispatcher": _PERSON.format(7),
    "operations": _PERSON.format(21),
    "storekeeper": _PERSON.format(23),
    "care": _PERSON.format(24),
    "knowledge": _PERSON.format(25),
    "department": _PERSON.format(33),
    "admin": _PERSON.format(22),
    "adapter": "sample-adapter",
}
"""One sign-in per role, people of the sample organisation."""

CATALOGUE: Final = {
    "parts": [
        {"part_number": "PUMP-10", "name_en": "Water pump (sample)", "name_zh": "水泵（样例）"},
        {"part_number": "FUSE-16", "name_en": "Fuse 16 A (sample)", "name_zh": "16 安保险丝（样例）"},
        {"part_number": "COMP-3", "name_en": "Compressor (sample)", "name_zh": "压缩机（样例）"},
    ],
    "warehouses": [
        {"code": "shanghai-main", "centre": "shanghai"},
        {"code": "beijing-main", "centre": "beijing"},
    ],
}
DELIVERY: Final = {
    "warehouse": "shanghai-main",
    "reference": "sample-delivery",
    "lines": [
        {"part_number": "PUMP-10", "quantity": 3},
        {"part_number": "FUSE-16", "quantity": 40},
        {"part_number": "COMP-3", "quantity": 1},
    ],
}


def organisation() -> dict[str, Any]:
    """The sample organisation, as `PUT /dispatch/organisation` takes it."""
    text = files("dispatch").joinpath("sample/organisation.json").read_text()
    document: dict[str, Any] = json.loads(text)
    return document


def token(role: Role, settings: Settings, lifetime: timedelta = timedelta(hours=12)) -> str:
    """A token of the sample person with that role."""
    return mint(_person(WHO[role], role), settings, lifetime)


def token_of(person: str, settings: Settings) -> str:
    """A token of one sample engineer."""
    return mint(_person(person, "engineer"), settings, timedelta(hours=12))


def _person(id: str, role: Role) -> Principal:
    return Principal(id, frozenset({role}), name=_names().get(id))


@cache
def _names() -> dict[str, str]:
    return {each["id"]: each["display_name"] for each in organisation()["people"]}
