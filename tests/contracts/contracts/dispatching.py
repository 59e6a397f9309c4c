"""Dispatch with the sample organisation: requests come in, people act, and what became of it is looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
from sqlalchemy import text

from chaos.databases import empty
from contracts.hearing import Hearing, hearing, told_event
from dispatch.app import PACKAGE, service
from dispatch.invariants import VIOLATIONS
from dispatch.organisation.actions import import_organisation
from dispatch.organisation.rules import Organisation
from dispatch.urgent.actions import publish_policy
from dispatch.urgent.policy import Remote, shipped
from dispatch.urgent.store import load_policy
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events import Payload
from shared.events.intake import AnswerGiven, RequestReclassified, RequestRegistered
from shared.events.terms import Site
from shared.http.auth import Principal, Role, mint
from shared.http.etag import Precondition

Sent = dict[str, Any]

SAMPLE: Final = Organisation.model_validate_json((PACKAGE / "sample" / "organisation.json").read_text())


def person(number: int) -> UUID:
    """Somebody of the sample organisation, by the last digits of their id."""
    return UUID(f"01930000-0000-7000-8000-{number:012d}")


JUNIOR_A, JUNIOR_B, SENIOR_C, EXPERT_D, LEADER_E, SUPERVISOR_F, DUTY_LEAD_G = map(person, range(1, 8))
NORTH_DUTY_LEAD = person(16)
SALES, RND_LEAD, RND_DEVELOPER, LOGISTICS = person(31), person(33), person(34), person(37)
FROM_AFAR: Final = ("cause_found", "tested")
REPAIRED: Final = ("made_safe", *FROM_AFAR)
"""What the checklist of a repair asks for, done from afar or at the site."""
SHANGHAI = Site(region="east", city="shanghai", latitude=31.23, longitude=121.47)


def heard(payload: Payload, subject: UUID, version: int = 1, at: datetime | None = None) -> bytes:
    """A message of one event; `at` is when it happened, by default now."""
    return told_event(payload, subject=subject, version=version, at=at)


def registered(severity: str = "general", **changes: Any) -> RequestRegistered:
    asked = {"kind": "fault", "site": SHANGHAI, "title": "The pump makes a noise", "customer_id": uuid7()}
    return RequestRegistered(channel="email", severity=severity, **(asked | changes))


def answered(**changes: Any) -> AnswerGiven:
    return AnswerGiven(**({"channel": "email", "by": person(24)} | changes))


def reclassified(severity: str, **changes: Any) -> RequestReclassified:
    judged = {"kind": "fault", "by": person(24), "reason": "worse than it sounded"}
    return RequestReclassified(severity=severity, **(judged | changes))


class Desk(Hearing):
    """Dispatch, and ways to talk to it."""

    async def ask(self, severity: str = "general", **changes: Any) -> UUID:
        """A new request; its id."""
        request_id = uuid7()
        await self.receive(heard(registered(severity, **changes), request_id))
        return request_id

    async def rows(self, statement: str, **parameters: object) -> Sequence[Any]:
        async with self.database.transaction() as tx:
            return (await tx.execute(text(statement), parameters)).all()

    async def ticket(self, request_id: UUID) -> Any:
        """The row of the ticket of a request."""
        [row] = await self.rows("SELECT * FROM ticket WHERE request_id = :id", id=request_id)
        return row

    async def names(self, subject: UUID) -> list[str]:
        """What was told about a ticket, by name."""
        return [name for name, _, _ in await self.told(subject)]

    async def link_to(self, ticket_id: UUID) -> str:
        """The link in the newest message to the customer, without the host."""
        found = [data["link"] for _, _, data in await self.told(ticket_id) if "link" in data]
        return str(found[-1]).removeprefix(self.served.settings.public_url)

    async def violations(self) -> dict[str, int]:
        """The invariants that do not hold."""
        async with self.database.transaction() as tx:
            counts = (await tx.execute(VIOLATIONS)).mappings().one()
        return {name: count for name, count in counts.items() if count}

    async def clear(self) -> None:
        """Forget everything, the organisation too."""
        tables = (
            "organisation", "person", "early_event", "phone_command", "requisition", "request_told",
            "customer_told", "job_catalogue", "promise", "urgent_policy",
            "support_policy",
            "incident_told", "incident_link", "event_log", "outbox", "inbox",
        )  # fmt: skip
        await empty(self.admin, ", ".join(tables))

    async def put(self, document: Organisation, seen: int) -> None:
        """Import an organisation on top of a version."""

        async def put(tx: Tx) -> None:
            await import_organisation(tx, document, Precondition(frozenset({str(seen)})), "admin")

        await self.database.transact(put)

    async def set_provider(self, url: str) -> None:
        """Name a provider of remote assistance in the urgent policy."""
        policy = shipped().model_copy(update={"remote": Remote(url=url)})

        async def publish(tx: Tx) -> None:
            _, version = await load_policy(tx)
            await publish_policy(tx, policy, "", Precondition(frozenset({str(version)})), "admin")

        await self.database.transact(publish)

    def acting(self, who: UUID | str, *roles: Role, **limits: Any) -> httpx.AsyncClient:
        """A program that acts for somebody."""
        return self.client(*roles, id=str(who), **limits)

    def token_of(self, who: UUID | str, *roles: Role) -> str:
        return mint(Principal(str(who), frozenset(roles)), self.served.settings, timedelta(hours=1))

    async def browser(self, who: UUID | str, *roles: Role, language: str = "en") -> httpx.AsyncClient:
        """A signed-in browser without scripts."""
        client = self.served.client()
        client.headers["accept-language"] = language
        signed = await client.post("/sign-in", data={"token": self.token_of(who, *roles)})
        assert signed.status_code == 303
        return client


@asynccontextmanager
async def dispatching(admin_url: str, *, public_url: str = "http://127.0.0.1:8000") -> AsyncIterator[Desk]:
    """Dispatch on a fresh database of the server at `admin_url`, without an organisation yet."""
    async with hearing(admin_url, service, public_url=public_url) as heard:
        yield Desk(heard.service, heard.served, heard.admin)


async def post(client: httpx.AsyncClient, ticket_id: UUID, command: str, version: int, **body: Any) -> Sent:
    """The ticket after a command that must succeed."""
    path = f"/dispatch/tickets/{ticket_id}/{command}"
    answer = await client.post(path, json={"base_version": version, **body})
    assert answer.status_code == 200, answer.text
    changed: Sent = answer.json()
    assert answer.headers["etag"] == f'"{changed["version"]}"'
    return changed


def times(*, hours: float = 1, length: float = 2) -> Sent:
    """A visit that begins in `hours` and takes `length`, also in hours, as it is sent."""
    begins = clock.now() + timedelta(hours=hours)
    return {"starts_at": begins.isoformat(), "ends_at": (begins + timedelta(hours=length)).isoformat()}
