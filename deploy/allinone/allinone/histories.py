"""Import a history file into the running suite, in batches that may be sent any number of times."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from allinone import tokens
from allinone.faults import OutOfReach
from allinone.rulings import FileUnusable
from allinone.whatif import Bad, Progress, read_mapping, read_tickets
from sla_monitor.replay.mapping import Mapping
from sla_monitor.replay.reading import Ticket

MOST_TICKETS: Final = 200
MOST_HAPPENINGS: Final = 1_000  # a thousand with all their facts are below what one request may hold
PATIENCE: Final = 30.0
ATTEMPTS: Final = 5
_LATER: Final = {409, 429, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Sent:
    """How far an import has come; `known` tickets had been sent before."""

    tickets: int
    known: int
    bad: Bad

    def document(self) -> dict[str, Any]:
        bad = [asdict(each) for each in self.bad.first]
        return {
            "tickets": self.tickets,
            "known": self.known,
            "bad_rows": self.bad.count,
            "first_bad_rows": bad,
        }


async def send(
    history: Path,
    mapping: Path,
    url: str,
    progress: Progress,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Sent:
    """Post every ticket to intake; the same file sent again changes nothing, and goes on where it broke."""
    rules = read_mapping(mapping)
    bad = Bad()
    token = await tokens.issue("operations", None, (), timedelta(hours=2))
    try:
        prefix = await asyncio.to_thread(_digest, history, rules)
    except OSError as error:
        raise FileUnusable(history, error.strerror) from None
    sent = known = 0
    headers = {"authorization": f"Bearer {token.token}"}
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=PATIENCE, trust_env=False, transport=transport
    ) as client:
        for batch in batches(read_tickets(history, rules, bad, progress)):
            repeated = await _post(client, f"{prefix}-{batch[0].line}", _body(rules.source, batch))
            sent += len(batch)
            known += len(batch) if repeated else 0
            progress(f"sent {sent:,} tickets, {known:,} of them were known")
    for row in bad.first:
        progress(f"line {row.line}: {row.reason}")
    return Sent(sent, known, bad)


def _digest(history: Path, mapping: Mapping) -> str:
    """What a batch is known by beside its line: another file or mapping is another import."""
    digest = hashlib.sha256(mapping.model_dump_json().encode())
    with history.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()[:40]


def batches(tickets: Iterable[Ticket]) -> Iterator[Sequence[Ticket]]:
    """The same batches of the same file, whenever they are made."""
    batch: list[Ticket] = []
    held = 0
    for ticket in tickets:
        if batch and (len(batch) == MOST_TICKETS or held + len(ticket.happenings) > MOST_HAPPENINGS):
            yield batch
            batch, held = [], 0
        batch.append(ticket)
        held += len(ticket.happenings)
    if batch:
        yield batch


def _body(source: str, batch: Sequence[Ticket]) -> dict[str, Any]:
    return {
        "source": source,
        "tickets": [
            {
                "ticket": ticket.name,
                "happenings": [
                    {
                        "kind": each.kind,
                        "at": each.at.isoformat(),
                        "facts": each.facts.model_dump(mode="json", exclude_none=True),
                    }
                    for each in ticket.happenings
                ],
            }
            for ticket in batch
        ],
    }


async def _post(client: httpx.AsyncClient, key: str, body: dict[str, Any]) -> bool:
    """Whether the batch had been sent before; a suite that is busy or starting is asked again."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = await client.post("/intake/histories", json=body, headers={"idempotency-key": key})
        except httpx.TransportError as error:
            why = type(error).__name__
        else:
            if answer.is_success:
                return "idempotent-replayed" in answer.headers
            why = f"{answer.status_code} {answer.text[:200]}"
            if answer.status_code not in _LATER:
                break
        if attempt < ATTEMPTS:
            await asyncio.sleep(0.2 * 2**attempt)
    raise OutOfReach(
        f"intake at {client.base_url} did not take the import: {why}; the same command again goes on here"
    )
