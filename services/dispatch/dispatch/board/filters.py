"""Which engineers the board shows and on which day: what somebody chose, within what they may see."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dispatch.access import Viewer
from dispatch.assignment.judging import TIERS
from dispatch.assignment.staff import Staff
from dispatch.organisation.rules import Person
from shared.errors import AftercareError
from shared.events.terms import Code, Tier

PER_PAGE: Final = 50
"""Engineers at once: more than anybody compares, and few enough to be drawn at once."""


class NoSuchView(AftercareError):
    """This is no view of the board: {query}. There are region, centre, tier, skill, day and page."""


class Filters(BaseModel):
    """Whoever fits everything that is named; the day is today where none is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: Code | None = None
    centre: Code | None = None
    tier: Tier | None = None
    skill: Code | None = None
    day: date | None = None
    page: Annotated[int, Field(ge=1, le=1000)] = 1

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, told: Any) -> Any:
        """A form sends what nobody chose as an empty text."""
        return {name: value for name, value in dict(told).items() if value != ""}

    @classmethod
    def read(cls, query: str) -> Filters:
        """From what stands behind `?` in an address; `NoSuchView` for anything else."""
        try:
            return cls.model_validate(dict(parse_qsl(query, keep_blank_values=True, max_num_fields=20)))
        except (ValidationError, ValueError):
            raise NoSuchView(query=query[:100]) from None

    @property
    def query(self) -> str:
        """As it stands in an address: the same for filters that let the same through."""
        return urlencode(self.model_dump(mode="json", exclude_defaults=True))

    def but(self, **changes: Any) -> str:
        """The address of the board with these changes."""
        query = self.model_copy(update=changes).query
        return f"/dispatch/board?{query}" if query else "/dispatch/board"

    def lets_through(self, person: Person) -> bool:
        return (
            (self.region is None or self.region in person.regions)
            and self.centre in (None, person.centre)
            and self.tier in (None, person.tier)
            and (self.skill is None or self.skill in person.skills)
        )


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from."""

    region: tuple[str, ...]
    centre: tuple[str, ...]
    tier: tuple[str, ...]
    skill: tuple[str, ...]


def engineers_for(staff: Staff, viewer: Viewer, filters: Filters) -> list[Person]:
    """The engineers that `viewer` oversees and that fit, by centre, tier and name."""
    found = (each for each in overseen(staff, viewer) if filters.lets_through(each))
    return sorted(found, key=place_of)


def overseen(staff: Staff, viewer: Viewer) -> list[Person]:
    return [
        each for each in staff.people.values() if each.active and each.is_engineer and _sees(viewer, each)
    ]


def _sees(viewer: Viewer, person: Person) -> bool:
    """R125: whoever works in a region, or for a product line, of theirs; who has no lines knows all."""
    in_region = viewer.regions is None or not viewer.regions.isdisjoint(person.regions)
    lines = viewer.product_lines
    return in_region and (
        lines is None or not person.product_lines or not lines.isdisjoint(person.product_lines)
    )


def place_of(person: Person) -> tuple[str, int, str, str]:
    """Where somebody stands among the others."""
    tier = TIERS.index(person.tier) if person.tier else 0
    return person.centre or "", tier, person.display_name, str(person.id)


def choices_for(staff: Staff, viewer: Viewer) -> Choices:
    """Of what there is among the engineers that `viewer` oversees."""
    people = overseen(staff, viewer)
    regions = {code for each in people for code in each.regions}
    if viewer.regions is not None:
        regions &= viewer.regions
    return Choices(
        tuple(sorted(regions)),
        tuple(sorted({each.centre for each in people if each.centre})),
        tuple(each for each in TIERS if any(each == person.tier for person in people)),
        tuple(sorted({code for each in people for code in each.skills})),
    )


def limits_of(viewer: Viewer) -> Hashable:
    """The same for viewers who see the same."""
    return viewer.regions, viewer.product_lines, viewer.customer_levels


def shown_on(people: list[Person], filters: Filters) -> list[Person]:
    """Those of one page."""
    first = (filters.page - 1) * PER_PAGE
    return people[first : first + PER_PAGE]
