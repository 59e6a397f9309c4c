"""What a decision says: who gets a ticket, who stands beside them, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dispatch.assignment.words import Finding
from shared.events.terms import PersonId, Tier


@dataclass(frozen=True, slots=True)
class Candidate:
    """One engineer, and what spoke for and against; `cost` is None for who was refused."""

    person_id: PersonId
    tier: Tier
    cost: int | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What every decision says: who owns the ticket, who is told, and why."""

    owner_id: PersonId
    group_ids: tuple[PersonId, ...]
    """The emergency group, its leader first; empty unless urgent."""
    leadership_ids: tuple[PersonId, ...]
    findings: tuple[Finding, ...]
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Assignment(_Verdict):
    """An engineer gets it."""

    engineer_id: PersonId
    supervisor_id: PersonId | None
    tier: Tier
    centre: str
    same_city: bool


@dataclass(frozen=True, slots=True)
class NobodyAvailable(_Verdict):
    """No candidate passed; the duty lead owns it and decides."""

    engineer_id: None = None


@dataclass(frozen=True, slots=True)
class Kept(_Verdict):
    """Whoever is at work stays; who stands beside them may be others."""

    engineer_id: PersonId
    supervisor_id: PersonId | None
    same_city: bool


Decision: TypeAlias = Assignment | NobodyAvailable
