"""How the suite at an address is: alive, ready, flowing, and what is red and why."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx
from pydantic import ValidationError

from allinone import access, installation, operations
from allinone.faults import NotUsable, OutOfReach
from allinone.gateway import NO_ANSWER
from shared.http.health import FlowReport, Readiness, ServiceFlow

PATIENCE: Final = 10.0  # seconds; a process gives its own reports two
NOTHING_ANSWERS: Final = 2

_COLUMNS: Final = ("service", "live", "ready", "flow", "outbox", "parked", "dead letters", "queues")


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One service; the counts are None when nobody could tell.

    red     why it is not ready, or where its events are stuck
    unsent  events in its outbox, where the database is within reach of this command
    """

    live: bool
    ready: bool
    flow: bool
    red: tuple[str, ...]
    unsent: int | None = None
    oldest_unsent_seconds: float | None = None
    parked: int | None = None
    dead_letters: int | None = None
    queues_consumed: int | None = None
    queues_wanted: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What was asked, what answered, and what is red that belongs to no single service."""

    addresses: tuple[str, ...]
    answers: bool
    services: Mapping[str, ServiceStatus]
    red: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return self.answers and not self.red and not any(each.red for each in self.services.values())

    @property
    def exit_code(self) -> int:
        """0 all is well, 1 something is red, 2 nothing answers."""
        if not self.answers:
            return NOTHING_ANSWERS
        return 0 if self.ready else 1

    def document(self) -> dict[str, Any]:
        return {"ready": self.ready, **asdict(self)}


def default_address(port: str | None) -> str:
    """Where a suite of this machine is: on the port that was named, else as it wrote down, else on 8000."""
    kept = installation.environment()
    if port is None and (public := kept.get("AFTERCARE_PUBLIC_URL")):
        behind = kept.get("AFTERCARE_PORT")  # of what telephones reach by TLS, known to this machine alone
        return f"http://127.0.0.1:{behind}" if behind and public.startswith("https:") else public
    return f"http://127.0.0.1:{port or 8000}"


async def look(addresses: Sequence[str], *, counted: bool) -> Status:
    """Ask every address, several for the processes of one suite; `counted`: their databases, too."""
    async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
        found = await asyncio.gather(*(_ask(client, address) for address in addresses))
    answers = any(not isinstance(each, str) for each in found)
    unsent = await _unsent() if counted and answers else {}
    services: dict[str, ServiceStatus] = {}
    red: list[str] = []
    for address, answer in zip(addresses, found, strict=True):
        if isinstance(answer, str):
            red.append(f"{address} {answer}")
            continue
        readiness, flow = answer
        elsewhere = tuple(_belonging(None, readiness, flow))
        red += elsewhere
        for name in {**readiness.services, **flow.services}:
            if name != "process":
                services[name] = _judge(name, readiness, flow, unsent.get(name), flowing=not elsewhere)
    return Status(tuple(addresses), answers, services, tuple(red))


async def _unsent() -> dict[str, int]:
    """What waits in the outboxes, of those services whose database this command can reach."""
    found = {}
    for name in access.NAMES:
        with suppress(NotUsable, OutOfReach):
            found[name] = await operations.unsent(name)
    return found


async def _ask(client: httpx.AsyncClient, address: str) -> tuple[Readiness, FlowReport] | str:
    """What an address reports; in words when it does not."""
    try:
        readiness, flow = await asyncio.gather(
            client.get(f"{address}/health/ready"), client.get(f"{address}/health/flow")
        )
        return Readiness.model_validate(readiness.json()), _flow(flow.json())
    except (httpx.HTTPError, httpx.InvalidURL):
        return "does not answer"
    except (ValidationError, ValueError):
        return "answers, but not as Aftercare does"


def _flow(told: dict[str, Any]) -> FlowReport:
    """A process in trouble may tell no more than that."""
    return FlowReport.model_validate({"bus": None, "services": {}, "tasks": {}, **told})


def _judge(
    name: str, readiness: Readiness, flow: FlowReport, unsent: int | None, *, flowing: bool
) -> ServiceStatus:
    reason = readiness.services.get(name)
    stuck = tuple(_belonging(name, readiness, flow))
    counted = flow.services.get(name)
    return ServiceStatus(
        live=reason != NO_ANSWER,
        ready=name in readiness.services and reason is None,
        flow=flowing and not stuck and counted is not None,
        red=((reason,) if reason else ()) + stuck,
        **(_counts(counted, unsent) if counted else {}),
    )


def _counts(flow: ServiceFlow, unsent: int | None) -> dict[str, Any]:
    return {
        "unsent": 0 if flow.outbox_oldest_seconds is None else unsent,
        "oldest_unsent_seconds": flow.outbox_oldest_seconds,
        "parked": flow.parked,
        "dead_letters": flow.dead_letters,
        "queues_consumed": flow.consumers,
        "queues_wanted": flow.consumers_wanted,
    }


def _belonging(name: str | None, readiness: Readiness, flow: FlowReport) -> Iterator[str]:
    """What is stuck in one service (its sentence begins with the name); in none of them for None."""
    known = (readiness.services.keys() | flow.services.keys()) - {"process"}
    if name is None and (reason := readiness.services.get("process")):
        yield f"the process is not ready: {reason}"
    for sentence in flow.stuck:
        begins = re.match(r"\w+", sentence)
        subject = begins[0] if begins and begins[0] in known else None
        if subject == name:
            yield sentence


def in_words(status: Status) -> str:
    """A table, and under it every reason why something is red."""
    if not status.answers:
        tried = "; ".join(status.red)
        return f"{tried}: start it with `make run` or `make up`, or name another address with --url"
    rows = [_COLUMNS, *(_row(name, each) for name, each in status.services.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    reasons = [*status.red, *(f"{name}: {why}" for name, each in status.services.items() for why in each.red)]
    told = [f"red  {reason}" for reason in reasons] or [f"all is well at {', '.join(status.addresses)}"]
    return "\n".join(line.rstrip() for line in (*lines, "", *told))


def _row(name: str, each: ServiceStatus) -> tuple[str, ...]:
    queues = f"{each.queues_consumed}/{each.queues_wanted}" if each.queues_wanted is not None else "?"
    marks = ("yes" if good else "NO" for good in (each.live, each.ready, each.flow))
    return (name, *marks, _outbox(each), _count(each.parked), _count(each.dead_letters), queues)


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)


def _outbox(each: ServiceStatus) -> str:
    if each.oldest_unsent_seconds is not None:
        return f"{_count(each.unsent)}, oldest {each.oldest_unsent_seconds:.0f} s"
    return _count(each.unsent)
