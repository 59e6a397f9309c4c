"""From a straight line to a way: how long it is by road, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from dispatch.assignment.policy import Travel
from dispatch.assignment.staff import Place, kilometres


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something is, as far as is known."""

    place: Place | None
    city: str | None


def road_kilometres(one: Place, other: Place, travel: Travel) -> float:
    return kilometres(one, other) * travel.road_factor


def driving(road: float, travel: Travel) -> timedelta:
    """How long so many kilometres of road take."""
    return timedelta(hours=road / travel.km_per_hour)


def way(one: Spot, other: Spot, travel: Travel) -> timedelta:
    """How long it takes from one to the other; by city where coordinates are not known."""
    if one.place is not None and other.place is not None:
        return driving(road_kilometres(one.place, other.place, travel), travel)
    same = one.city is not None and one.city == other.city
    return timedelta(minutes=travel.same_city_minutes if same else travel.other_city_minutes)
