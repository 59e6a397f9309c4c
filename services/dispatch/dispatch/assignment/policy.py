"""The assignment policy: what may be chosen about assignment without a new version of the program (R129).

What ships is how tickets were given out before there was a policy. What may not be chosen stays in the
rules: an urgent ticket has its group (R22), an important one its supervisor (R21), every one an owner (R24).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dispatch.organisation.rules import TeamType
from shared.events.terms import Code, Severity, Tier
from shared.i18n import N_
from shared.sent import Sent

Step = Literal["team", "region", "default_region"]
Softenable = Literal[
    "other_product_line",
    "lacks_skills",
    "lacks_certificate",
    "certificate_expires",
    "below_tier",
    "off_shift",
]
"""Constraints that may cost instead of refuse; nobody is at two places at once, whatever it costs."""
Cost = Annotated[int, Field(ge=0, le=10_000_000)]
Minutes = Annotated[int, Field(ge=1, le=60 * 24 * 30)]
Hours = Annotated[int, Field(ge=1, le=24 * 60)]


class _Part(Sent):
    model_config = ConfigDict(frozen=True)


class Weights(_Part):
    """What speaks against somebody, in the unit of one more open ticket.

    level_above     R20: experts stay free as long as a junior engineer passes
    leads_group     the leader of the group goes only when none of the experts can
    other_city      where no coordinates are known: about the queue one would rather wait in than travel
    km_per_ticket   where they are known: so many kilometres of road are one open ticket
    late            when the promise of arrival could not be kept (R54–R58)
    day_of_waiting  for each day until the work can begin
    familiar        taken off for who was at this customer's before
    versed          taken off, instead, for who worked on this very product before
    preferred       taken off for whom the customer prefers
    """

    open_ticket: Cost = 1
    other_city: Cost = 4
    km_per_ticket: Annotated[int, Field(ge=1, le=10_000)] = 25
    level_above: Cost = 1000
    leads_group: Cost = 1_000_000
    late: Cost = 50
    day_of_waiting: Cost = 1
    familiar: Cost = 2
    versed: Cost = 4
    preferred: Cost = 20


class Travel(_Part):
    """How a straight line becomes a way, and what is assumed where no coordinates are known."""

    road_factor: Annotated[float, Field(ge=1, le=3)] = 1.3
    km_per_hour: Annotated[int, Field(ge=5, le=300)] = 50
    same_city_minutes: Minutes = 60
    other_city_minutes: Minutes = 240


class Promise(_Part):
    """Hours until somebody is on site (R54–R58); the clocks themselves are sla-monitor's."""

    same_city: Hours
    cross_region: Hours


class TeamRule(_Part):
    """Which tickets a type of team is asked for first (R35, R36): all that is named must fit."""

    type: TeamType
    customer_levels: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    kinds: Annotated[tuple[Code, ...], Field(max_length=50)] = ()

    @model_validator(mode="after")
    def _names_something(self) -> TeamRule:
        if not (self.customer_levels or self.kinds):
            raise PydanticCustomError("empty_rule", N_("say for which customer levels or kinds"))
        return self


class TakeBack(_Part):
    """Whether urgent work may take a place from lower work that nobody has begun, and what it may never take.

    A visit that is agreed and less than `protect_visit_hours` away is never taken, nor what somebody is on
    the way to or at work on.
    """

    enabled: bool = True
    protect_visit_hours: Hours = 24


def _each(general: int, important: int, urgent: int) -> dict[Severity, int]:
    return {"general": general, "important": important, "urgent": urgent}


class Policy(_Part):
    """Everything that may be chosen; what is left out is as shipped.

    tiers                 the tier that general and important work needs at least (R20, R21)
    most_open             how many open tickets one engineer of a tier may have; null: any number
    work_minutes          how long the work is taken to last, the way not counted
    set_out_within_hours  who cannot set out until then is refused
    answer_minutes        after so long without an answer the next one is asked; null: never
    softened              constraints that cost so much instead of refusing
    teams_first           which teams are asked before everybody else
    ladder                where somebody is looked for, step by step; in the end the duty lead decides
    """

    tiers: Mapping[Literal["general", "important"], Tier] = Field(
        default={"general": "junior", "important": "senior"}
    )
    weights: Weights = Weights()
    most_open: Mapping[Tier, Annotated[int, Field(ge=1, le=10_000)] | None] = Field(default={})
    work_minutes: Mapping[Severity, Minutes] = Field(default=_each(120, 180, 240))
    set_out_within_hours: Mapping[Severity, Hours] = Field(default=_each(168, 48, 2))
    promises: Mapping[Severity, Promise] = Field(
        default={
            "general": Promise(same_city=48, cross_region=48),
            "important": Promise(same_city=24, cross_region=48),
            "urgent": Promise(same_city=2, cross_region=24),
        }
    )
    answer_minutes: Mapping[Severity, Minutes | None] = Field(default=_each(480, 60, 10))
    travel: Travel = Travel()
    softened: Mapping[Softenable, Cost] = Field(default={})
    teams_first: Annotated[tuple[TeamRule, ...], Field(max_length=20)] = (
        TeamRule(type="key_accounts", customer_levels=("vip", "key")),
        TeamRule(type="installation", kinds=("installation",)),
        TeamRule(type="training", kinds=("training",)),
    )
    ladder: Annotated[tuple[Step, ...], Field(min_length=1, max_length=3)] = (
        "team",
        "region",
        "default_region",
    )
    take_back: TakeBack = TakeBack()

    @model_validator(mode="after")
    def _is_whole(self) -> Policy:
        for name in ("work_minutes", "set_out_within_hours", "promises", "answer_minutes"):
            if set(getattr(self, name)) != {"general", "important", "urgent"}:
                raise PydanticCustomError(
                    "every_severity", N_("{name} names general, important and urgent"), {"name": name}
                )
        if set(self.tiers) != {"general", "important"}:
            raise PydanticCustomError("every_severity", N_("tiers names general and important"))
        if list(self.ladder) != [step for step in get_args(Step) if step in self.ladder]:
            raise PydanticCustomError("ladder", N_("the ladder widens: team, region, default_region"))
        if "region" not in self.ladder:
            raise PydanticCustomError("ladder", N_("the ladder has the region"))
        return self


SHIPPED: Final = Policy()
