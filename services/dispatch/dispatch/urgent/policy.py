"""The urgent policy: what may be chosen about major solutions, emergency plans and remote assistance (R129).

What ships is in `shipped.json`. What may not be chosen stays in the rules: nobody approves what they proposed
themselves, and a job is not done while its major solution waits for leadership (R23).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dispatch.jobs.rules import Named
from shared.events.terms import Code, Kind, Level, Severity
from shared.events.urgent import SolutionFlag
from shared.i18n import N_
from shared.sent import Sent

SHIPPED: Final = Path(__file__).parent / "shipped.json"
ROOM: Final = "{room}"
Part = Literal["leader", "expert", "engineer", "leadership", "desk"]
"""Who takes care of a step of an emergency plan."""
_ASCII: Final = r"^[\x21-\x7e]*$"


class _Part(Sent):
    model_config = ConfigDict(frozen=True)


class Ground(Named):
    """Something that a proposer may tick; `flag` where that makes the solution a major one."""

    flag: SolutionFlag | None = None


class Solutions(_Part):
    """Which solutions leadership has to approve (R23, decision 21).

    approve               the flags that ask for it
    cost_above            in minor units of `currency`, more than that is flagged; null: no cost is
    customer_levels       whose solutions are flagged as VIP
    safety_skills         a ticket that needs one of them is about safety
    work_before_approval  whether work may begin, to make safe, before leadership has decided
    grounds               what a proposer may tick
    """

    approve: Annotated[tuple[SolutionFlag, ...], Field(max_length=4)]
    cost_above: Annotated[int, Field(ge=0, le=10**12)] | None
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    customer_levels: Annotated[tuple[Level, ...], Field(max_length=10)]
    safety_skills: Annotated[tuple[Code, ...], Field(max_length=50)]
    work_before_approval: bool
    grounds: Annotated[tuple[Ground, ...], Field(min_length=1, max_length=50)]

    def ground(self, code: str) -> Ground | None:
        return next((each for each in self.grounds if each.code == code), None)


class Remote(_Part):
    """Where sessions of remote assistance are held; `url` has `{room}` where the name of the room goes.

    No provider is named by the product: empty, no session can be begun.
    """

    url: Annotated[str, StringConstraints(max_length=500, pattern=_ASCII)] = ""

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str) -> str:
        if url and not is_safe_template(url):
            raise PydanticCustomError(
                "remote_url",
                N_("an https address without user or password, with {room} once, behind the host"),
                {"room": ROOM},
            )
        return url


def is_safe_template(url: str) -> bool:
    """Whether what is made from it is https, at a host of ours to choose, with the room behind the host."""
    try:
        parts = urlsplit(url)
        known = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    behind = url[len("https://") :].partition("/")[2]
    return known and "@" not in parts.netloc and url.count(ROOM) == behind.count(ROOM) == 1


class When(_Part):
    """Which tickets a plan is for: all that is named must fit."""

    incident: bool | None = None
    severities: Annotated[tuple[Severity, ...], Field(max_length=3)] = ()
    kinds: Annotated[tuple[Kind, ...], Field(max_length=20)] = ()
    skills: Annotated[tuple[Code, ...], Field(max_length=50)] = ()
    product_lines: Annotated[tuple[Code, ...], Field(max_length=100)] = ()


class PlanStep(Named):
    """One thing to do, and who takes care of it."""

    who: Part


class Plan(Named):
    """The emergency plan (应急预案) for one kind of situation (R39)."""

    when: When = When()
    steps: Annotated[tuple[PlanStep, ...], Field(min_length=1, max_length=50)]

    def step(self, code: str) -> PlanStep | None:
        return next((each for each in self.steps if each.code == code), None)


class Policy(_Part):
    """Everything that may be chosen. The first plan that fits holds; the last one fits everything."""

    solutions: Solutions
    remote: Remote = Remote()
    plans: Annotated[tuple[Plan, ...], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _is_whole(self) -> Policy:
        if self.plans[-1].when != When():
            raise PydanticCustomError("last_plan", N_("the last plan is for everything, without conditions"))
        for named in (self.solutions.grounds, self.plans, *(plan.steps for plan in self.plans)):
            if _repeats(named):
                raise PydanticCustomError("repeated", N_("a code stands once in its list"))
        return self

    def plan(self, code: str) -> Plan | None:
        return next((each for each in self.plans if each.code == code), None)


def _repeats(named: Sequence[Named]) -> bool:
    return len({each.code for each in named}) < len(named)


@cache
def shipped() -> Policy:
    """What every house begins with."""
    return Policy.model_validate_json(SHIPPED.read_text())
