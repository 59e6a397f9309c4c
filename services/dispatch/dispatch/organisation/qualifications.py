"""What everybody may do and has learned, for the personal files (R38, R132)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final, Literal

from pydantic import BaseModel

from dispatch.organisation.rules import Person
from shared.events.terms import PersonId, Tier


class Qualification(BaseModel):
    """One line of somebody's file.

    day     of a training when it was, of a certificate through when it is good; null without an end
    valid   whether it counts today: of a training, whether it was passed
    """

    person_id: PersonId
    display_name: str
    tier: Tier | None
    type: Literal["skill", "certificate", "training"]
    code: str
    title: str
    day: date | None
    hours: float | None
    valid: bool


_COLUMNS: Final = tuple(Qualification.model_fields)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def records(people: Iterable[Person], today: date) -> list[Qualification]:
    """Everybody's lines: skills, then certificates, then trainings by day."""
    return [line for person in people for line in _lines(person, today)]


def _lines(person: Person, today: date) -> Iterator[Qualification]:
    who = {"person_id": person.id, "display_name": person.display_name, "tier": person.tier}
    for code in person.skills:
        yield Qualification(**who, type="skill", code=code, title="", day=None, hours=None, valid=True)
    for held in person.certificates:
        last = held.valid_until
        valid = last is None or last >= today
        yield Qualification(
            **who, type="certificate", code=held.skill, title=held.number, day=last, hours=None, valid=valid
        )
    for done in sorted(person.trainings, key=lambda each: each.day):
        yield Qualification(
            **who,
            type="training",
            code=done.code,
            title=done.title,
            day=done.day,
            hours=done.hours,
            valid=done.passed,
        )


def as_csv(lines: Sequence[Qualification]) -> str:
    """A heading and a line each; what a spreadsheet would take for a formula is made text."""
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(_COLUMNS)
    for line in lines:
        table.writerow([_cell(value) for value in line.model_dump(mode="json").values()])
    return "\ufeff" + written.getvalue()  # spreadsheets take it for UTF-8 then


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
