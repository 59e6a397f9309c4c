"""Tickets as programs see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from dispatch.leadership.routes import NoticeView
from dispatch.support.rules import Mark, PlanState
from dispatch.tasks.views import TaskView
from dispatch.tickets.dossier import Dossier, Visited, words
from dispatch.tickets.rules import Command, State, Ticket
from dispatch.visits.rules import VisitState
from dispatch.visits.window import NoWindow, Window
from shared.events.dispatch import EndedAs, JobKind, WaitingFor
from shared.events.teamwork import Support
from shared.events.terms import Kind, Level, PersonId, Severity, Site, Tier
from shared.i18n.language import current_language


class TicketSummary(BaseModel):
    """A ticket in a list."""

    id: UUID
    number: int
    request_id: UUID
    customer_id: UUID
    customer_level: Level
    kind: Kind
    severity: Severity
    product_line: str | None
    site: Site
    title: str
    state: State
    owner_id: PersonId
    engineer_id: PersonId | None
    supervisor_id: PersonId | None
    group_ids: tuple[PersonId, ...]
    tier: Tier | None
    centre: str | None
    same_city: bool | None
    episode: int
    opened_at: datetime
    version: int
    waiting_for: WaitingFor | None
    """Whom or what it waits for; null unless the state is `waiting`."""
    ended_as: EndedAs | None
    """How it was closed, or why it was cancelled; null while it is open."""
    duplicate_of: UUID | None
    """The ticket in whose place it was cancelled."""
    job_kind: JobKind
    planned_minutes: int | None
    """Of work; null where nobody estimated it."""
    support_level: Support
    """Whose help it has (R25)."""
    helper_id: PersonId | None
    """The expert who helps; null where nobody does."""
    allowed: tuple[Command, ...]
    """What may be done to it in this state, by those who may."""

    @classmethod
    def of(cls, ticket: Ticket) -> TicketSummary:
        names = set(cls.model_fields) - {"allowed"}
        values: dict[str, Any] = {name: getattr(ticket, name) for name in names}
        return cls(**values, allowed=tuple(sorted(ticket.allowed)))


class HistoryLine(BaseModel):
    """One version of a ticket."""

    version: int
    at: datetime
    what: str
    by: str | None
    """The principal who asked for it, `customer`, or null for the service itself."""
    facts: dict[str, Any]


class CandidateView(BaseModel):
    """One engineer who could have got the ticket; `cost` is null for who was refused, the least wins."""

    person_id: PersonId
    display_name: str | None
    tier: Tier
    cost: int | None
    because: list[str]


class DecisionView(BaseModel):
    """Why a ticket went where it went."""

    version: int
    decided_at: datetime
    decided_by: str | None
    engineer_id: PersonId | None
    because: list[str]
    candidates: list[CandidateView]


class VisitView(BaseModel):
    id: UUID
    engineer_id: PersonId
    starts_at: datetime
    ends_at: datetime
    at_customers_wish: bool
    state: VisitState
    planned_minutes: int
    worked_minutes: int
    """As the work logs that belong to it say."""


class PartsLine(BaseModel):
    part_number: str
    quantity: int


class RequisitionView(BaseModel):
    id: UUID
    state: Literal["requested", "reserved", "short"]
    lines: list[PartsLine]
    missing: list[PartsLine]
    held_until: datetime | None
    expected_at: datetime | None
    """When what is missing will be there; null where nobody knows."""
    ended_as: Literal["used", "released"] | None
    """Null while they are asked for or held."""
    used: list[PartsLine]
    """What was built in; the rest of `lines` came back."""


class PlanView(BaseModel):
    """How it is to be repaired; `by` and `decided_by` are principals, `number` counts in its episode."""

    episode: int
    number: int
    steps: tuple[str, ...]
    minutes: int
    parts: tuple[PartsLine, ...]
    state: PlanState
    by: str
    at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str


class ItemView(BaseModel):
    """One item of the checklist; `ticked_at` and `by` are null while it is not ticked."""

    code: str
    text: str
    required: bool
    ticked_at: datetime | None
    by: str | None


class LogView(BaseModel):
    """What was done, from when to when; `by` is the principal."""

    id: UUID
    episode: int
    began_at: datetime
    ended_at: datetime
    minutes: int
    remote: bool
    text: str
    by: str
    visit_id: UUID | None
    """The visit it belongs to; null of work at another time."""


class PromiseView(BaseModel):
    """What is owed; `stands` while its time does not count."""

    code: str
    due_at: datetime
    stands: bool


class WindowView(BaseModel):
    """When a visit can be: after the parts, as agreed, until the promise is due; null is no such limit.

    `fights` says which limits leave no instant, and why; empty where one is left.
    """

    since: datetime | None
    until: datetime | None
    fights: list[str]

    @classmethod
    def of(cls, found: Window | NoWindow) -> WindowView:
        if isinstance(found, NoWindow):
            return cls(since=None, until=None, fights=[each.said() for each in found.fights])
        return cls(since=found.since, until=found.until, fights=[])


class WorkView(BaseModel):
    """The job: its checklist in this episode, and the work logs of all of them."""

    kind: JobKind
    text: str
    planned_minutes: int
    worked_minutes: int
    """In this episode."""
    checklist: list[ItemView]
    logs: list[LogView]


class TicketDetail(TicketSummary):
    """A ticket with everything that became of it; lists have the newest first."""

    history: list[HistoryLine]
    decisions: list[DecisionView]
    visits: list[VisitView]
    requisitions: list[RequisitionView]
    leadership: NoticeView | None
    """Null where leadership was not informed."""
    work: WorkView
    promises: list[PromiseView]
    """Running, missed or standing still; the earliest first."""
    visit_window: WindowView
    plans: list[PlanView]
    """Repair plans, the newest first (R21)."""
    plan_mark: Mark | None
    """How the plan stands that is to be signed off and is not yet; else null."""
    plan_signer_id: PersonId | None
    """Who has to sign the plan off that waits; else null."""
    tasks: list[TaskView]
    """What other departments are asked for, the newest first."""
    transfers: int
    """How often it went to another engineer than before (R128)."""

    @classmethod
    def tell(cls, dossier: Dossier, now: datetime) -> TicketDetail:
        return cls(
            **TicketSummary.of(dossier.ticket).model_dump(),
            history=[HistoryLine(**_only(HistoryLine, row)) for row in dossier.history],
            decisions=[_decision(row, dossier) for row in dossier.decisions],
            visits=[_visit(held) for held in dossier.visited if held.visit],
            requisitions=[RequisitionView(**_only(RequisitionView, row)) for row in dossier.requisitions],
            leadership=NoticeView.of(dossier.notice) if dossier.notice else None,
            work=_work(dossier),
            promises=[
                PromiseView(code=each.code, due_at=each.due_at, stands=each.stands)
                for each in dossier.owed.clocks
            ],
            visit_window=WindowView.of(dossier.window),
            plans=[
                PlanView(**{name: getattr(each, name) for name in PlanView.model_fields})
                for each in dossier.plans
            ],
            plan_mark=dossier.plan_mark,
            plan_signer_id=dossier.signer_id,
            tasks=[TaskView.of(each, now) for each in dossier.tasks],
            transfers=dossier.transfers,
        )


def _only(model: type[BaseModel], row: Any) -> dict[str, Any]:
    return {name: row[name] for name in model.model_fields}


def _visit(held: Visited) -> VisitView:
    minutes = {"planned_minutes": held.planned_minutes, "worked_minutes": held.worked_minutes}
    return VisitView.model_validate({**(held.visit or {}), **minutes})


def _work(dossier: Dossier) -> WorkView:
    work, language = dossier.work, current_language().locale.language
    return WorkView(
        kind=work.job.code,
        text=work.job.text.said(language),
        planned_minutes=work.planned_minutes,
        worked_minutes=work.worked_minutes,
        checklist=[
            ItemView(
                code=item.code,
                text=item.text.said(language),
                required=item.required,
                ticked_at=tick.at if tick else None,
                by=tick.by if tick else None,
            )
            for item, tick in work.checklist
        ],
        logs=[LogView(**{name: getattr(log, name) for name in LogView.model_fields}) for log in work.logs],
    )


def _decision(row: Any, dossier: Dossier) -> DecisionView:
    explanation = row["explanation"]
    return DecisionView(
        version=row["version"],
        decided_at=row["decided_at"],
        decided_by=row["decided_by"],
        engineer_id=row["engineer_id"],
        because=[words(finding) for finding in explanation["findings"]],
        candidates=[
            CandidateView(
                person_id=each["person_id"],
                display_name=dossier.name_of(each["person_id"]),
                tier=each["tier"],
                cost=each["cost"],
                because=[words(finding) for finding in each["findings"]],
            )
            for each in explanation["candidates"]
        ],
    )
