"""Solutions over HTTP and from the forms of the pages: proposed, approved, rejected, withdrawn (R23)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from babel.numbers import get_currency_precision
from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from dispatch.access import READERS, WORKERS, Viewer, find_ticket
from dispatch.solutions import actions, rules, store
from dispatch.solutions.rules import Solution, State
from dispatch.tickets.commands import Written
from dispatch.tickets.pages import checked
from dispatch.urgent.store import load_policy
from shared.db import Tx
from shared.events.terms import Code, PersonId
from shared.events.urgent import SolutionFlag
from shared.http.auth import Caller, NotAllowed, allow
from shared.http.idempotency import idempotent
from shared.http.problem import invalid
from shared.http.sign_in import local_path
from shared.http.transaction import ReadTx, ServiceRoute, WriteTx
from shared.i18n import N_
from shared.sent import Sent

router: Final = APIRouter(route_class=ServiceRoute)

Plan = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class SolutionView(BaseModel):
    """A solution and what became of it; `cost` in minor units. Who decided is null while nobody has."""

    id: UUID
    episode: int
    text: str
    cost: int | None
    currency: str
    grounds: tuple[str, ...]
    flags: tuple[SolutionFlag, ...]
    """What makes it a major one: leadership has to approve it, unless there is none."""
    state: State
    proposed_by: str
    proposed_at: datetime
    leader_ids: tuple[PersonId, ...]
    decided_by: str | None
    decided_at: datetime | None
    note: str

    @classmethod
    def of(cls, solution: Solution) -> SolutionView:
        return cls(**{name: getattr(solution, name) for name in cls.model_fields})


class SolutionList(BaseModel):
    """The newest first."""

    items: list[SolutionView]


class NewSolution(Sent):
    """How a ticket is to be solved; `grounds` are codes of the urgent policy."""

    text: Plan
    grounds: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    cost: Annotated[int, Field(ge=0, le=10**12)] | None = None
    """In minor units of the policy's currency."""
    supersedes: UUID | None = None
    """The proposal that waits for leadership, whose place this one takes."""

    def proposal(self) -> actions.Proposal:
        return actions.Proposal(self.text, tuple(dict.fromkeys(self.grounds)), self.cost, self.supersedes)


class SolutionVerdict(Sent):
    """What leadership says; who rejects says why."""

    verdict: Literal["approved", "rejected"]
    note: Written = ""

    @model_validator(mode="after")
    def _says_why(self) -> SolutionVerdict:
        if self.verdict == "rejected" and not self.note:
            raise PydanticCustomError("why", N_("say why it is rejected"))
        return self


class NoMore(Sent):
    """There is nothing more to say."""


@router.get("/tickets/{ticket_id}/solutions", dependencies=[Depends(allow(*READERS))])
async def solutions(tx: ReadTx, caller: Caller, ticket_id: UUID) -> SolutionList:
    """What was proposed for a ticket, and what leadership said to it."""
    await find_ticket(tx, Viewer.of(caller), ticket_id)
    found = await store.list_solutions(tx, [ticket_id])
    return SolutionList(items=[SolutionView.of(each) for each in found])


@router.post(
    "/tickets/{ticket_id}/solutions",
    dependencies=[Depends(allow(*WORKERS)), Depends(idempotent())],
    status_code=201,
)
async def propose_solution(tx: WriteTx, caller: Caller, ticket_id: UUID, body: NewSolution) -> SolutionView:
    """Propose how it is to be solved; the answer tells whether leadership has to approve it, and why."""
    return SolutionView.of(await actions.propose(tx, ticket_id, body.proposal(), Viewer.of(caller)))


@router.post(
    "/tickets/{ticket_id}/solutions/{solution_id}/verdict",
    dependencies=[Depends(allow(*READERS)), Depends(idempotent())],
)
async def decide_solution(
    tx: WriteTx, caller: Caller, ticket_id: UUID, solution_id: UUID, body: SolutionVerdict
) -> SolutionView:
    """A leader of the ticket's leadership group approves or rejects; the same word again changes nothing."""
    viewer = Viewer.of(caller)
    return SolutionView.of(await actions.decide(tx, ticket_id, solution_id, body.verdict, body.note, viewer))


@router.post(
    "/tickets/{ticket_id}/solutions/{solution_id}/withdraw",
    dependencies=[Depends(allow(*WORKERS)), Depends(idempotent())],
)
async def withdraw_solution(
    tx: WriteTx, caller: Caller, ticket_id: UUID, solution_id: UUID, nothing: NoMore | None = None
) -> SolutionView:
    """Who proposed it takes it back before leadership has decided."""
    return SolutionView.of(await actions.withdraw(tx, ticket_id, solution_id, Viewer.of(caller)))


class SolutionForm(BaseModel):
    """A form about a solution, as a page sends it; which fields matter depends on `do`."""

    model_config = {"extra": "forbid"}

    do: Literal["propose", "approved", "rejected", "withdraw"]
    csrf: str = ""
    back: Annotated[str, Field(max_length=500)] = ""
    solution_id: UUID | None = None
    text: str = ""
    grounds: list[str] = []
    cost: str = ""
    """In whole units of the policy's currency, as people write it."""
    supersedes: str = ""
    note: str = ""


@router.post(
    "/tickets/{ticket_id}/solutions/page",
    dependencies=[Depends(allow(*READERS))],
    include_in_schema=False,
)
async def fill_in(
    tx: WriteTx, caller: Caller, ticket_id: UUID, filled: Annotated[SolutionForm, Form()]
) -> RedirectResponse:
    """The same from a page, which is shown again."""
    viewer = Viewer.of(caller)
    if filled.do in ("propose", "withdraw") and not caller.roles.intersection(WORKERS):
        raise NotAllowed(roles=", ".join(WORKERS))
    if filled.do == "propose":
        fields = {"text": filled.text, "grounds": filled.grounds, "supersedes": filled.supersedes or None}
        sent = checked(NewSolution, {**fields, "cost": await _minor(tx, filled.cost)})
        await actions.propose(tx, ticket_id, sent.proposal(), viewer)
    else:
        chosen = filled.solution_id or UUID(int=0)  # which there is none of
        if filled.do == "withdraw":
            await actions.withdraw(tx, ticket_id, chosen, viewer)
        else:
            said = checked(SolutionVerdict, {"verdict": filled.do, "note": filled.note})
            await actions.decide(tx, ticket_id, chosen, said.verdict, said.note, viewer)
    here = f"/dispatch/tickets/{ticket_id}/page#solution"
    return RedirectResponse(local_path(filled.back) if filled.back else here, 303)


async def _minor(tx: Tx, written: str) -> int | None:
    """An amount as people write it, in minor units of the policy's currency; None where there is none."""
    if not written.strip():
        return None
    policy, _ = await load_policy(tx)
    minor = rules.minor_units(written, get_currency_precision(policy.solutions.currency))
    if minor is None:
        raise invalid("body", ("cost",), N_("write an amount such as 1200 or 1200.50"), "amount")
    return minor
