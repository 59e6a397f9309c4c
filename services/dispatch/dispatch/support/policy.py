"""The support policy: who the second level is, which department is the third, and whose plans are signed off.

What may not be chosen stays in the rules: nobody signs off a plan of their own, and whoever takes a ticket
over owns it like anybody else who is given one (R24).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from shared.events.terms import Code, Severity, Tier
from shared.i18n import N_
from shared.sent import Sent

SignOff = Literal["asked", "begin_work", "resolve"]
"""`asked`: it is marked until its plan is signed off; the others: that is refused until then, too."""


class Policy(Sent):
    """Everything that may be chosen about support (R21, R25).

    expert_tiers    engineers of these tiers are the second level, with the skills and the product line needed
    expert_teams    so are the members of these teams
    rnd_department  the department that is the third level
    rnd_hours       by when it is needed there, where nobody says
    sign_off        whose plans are to be signed off, and what is refused until they are; null: no plan is
                    asked for
    """

    model_config = ConfigDict(frozen=True)

    expert_tiers: Annotated[tuple[Tier, ...], Field(max_length=3)] = ("senior", "emergency")
    expert_teams: Annotated[tuple[Code, ...], Field(max_length=50)] = ()
    rnd_department: Code = "rnd"
    rnd_hours: Annotated[int, Field(ge=1, le=24 * 90)] = 24
    # R21: an important ticket is guided by its supervisor. An urgent one waits for no paper (R54).
    sign_off: Mapping[Severity, SignOff | None] = Field(
        default={"general": None, "important": "asked", "urgent": None}
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Policy:
        if set(self.sign_off) != {"general", "important", "urgent"}:
            raise PydanticCustomError("every_severity", N_("sign_off names general, important and urgent"))
        if not (self.expert_tiers or self.expert_teams):
            raise PydanticCustomError("no_experts", N_("say of which tiers or teams the experts are"))
        return self


SHIPPED: Final = Policy()
