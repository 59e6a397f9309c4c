"""Every operation that a service describes, called with what schemathesis draws from its description.

Half of the cases fit the description, half break it. Path parameters and If-Match are often replaced by what
is really there, so that calls get past the first door. What must never come back: a 5xx, a status that the
description does not name, or an error that is no problem document.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings

from contracts.serving import Served

Genuine = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]
Known = Mapping[str, Sequence[str]]
"""Values by the name of a path parameter: what is there to be found."""

_OFTEN: Final = 0.5
_PROBLEM: Final = "application/problem+json"
_OF_THE_TOOL: Final = frozenset({"user-agent", "x-schemathesis-testcaseid", "connection", "accept-encoding"})


@dataclass
class Findings:
    """How often each operation answered with each status, and every answer that must not be."""

    answers: dict[str, Counter[int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return sum(each.total() for each in self.answers.values())

    @property
    def never_served(self) -> list[str]:
        """Operations that never did what they are there for."""
        return [name for name, found in self.answers.items() if not any(200 <= each < 400 for each in found)]

    def note(self, name: str, described: Mapping[str, Any], answer: httpx.Response, sent: str) -> None:
        status = answer.status_code
        self.answers.setdefault(name, Counter())[status] += 1
        if status >= 500:
            self.faults.append(f"{name} answered {status} to {sent}")
        elif status >= 400 and not answer.headers.get("content-type", "").startswith(_PROBLEM):
            self.faults.append(f"{name} answered {status} without a problem to {sent}")
        elif status < 400 and str(status) not in described:
            self.faults.append(f"{name} answered {status}, which it does not describe, to {sent}")


async def call_everything(
    served: Served,
    prefix: str,
    *,
    each: int,
    seed: int,
    known: Callable[[str], Known],
    genuine: Mapping[str, Genuine],
) -> Findings:
    """`each` cases that fit and as many that do not, of operations below `prefix`; and the genuine calls."""
    findings, chance = Findings(), random.Random(seed)
    transport = httpx.ASGITransport(served.app, raise_app_exceptions=False)
    token = served.token("adapter", "admin", "care", "dispatcher", "engineer", "operations", "storekeeper")
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url=served.settings.public_url, headers=headers
    ) as client:
        for operation in _operations(served, prefix):
            name = f"{operation.method.upper()} {operation.path}"
            findings.answers.setdefault(name, Counter())
            described = operation.definition.raw["responses"]
            if name in genuine:
                findings.note(name, described, await genuine[name](client), "its genuine call")
            for case in _drawn(operation, each, seed):
                request = _request(client, case, known(operation.path), chance)
                findings.note(name, described, await client.send(request), _shown(request))
    return findings


def _operations(served: Served, prefix: str) -> Iterator[Any]:
    import schemathesis  # takes a second, and every worker imports this module

    if "message/rfc822" not in _written:
        schemathesis.serializer("message/rfc822")(_as_it_is)
        _written.add("message/rfc822")
    schema = schemathesis.openapi.from_dict(served.app.openapi())
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # an error has none, which says enough
        if operation.path.startswith(prefix):
            yield operation


_written: set[str] = set()


def _as_it_is(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _drawn(operation: Any, each: int, number: int) -> list[Any]:
    """Cases of both kinds; fewer where there are no more, such as of a call that takes nothing."""
    from hypothesis.errors import Unsatisfiable
    from schemathesis import GenerationMode

    cases: list[Any] = []
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

        @seed(number)
        @settings(
            max_examples=each,
            database=None,
            phases=[Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def draw(case: Any) -> None:
            cases.append(case)

        try:
            draw()
        except Unsatisfiable:  # nothing about it can be broken
            continue
    return cases


def _request(client: httpx.AsyncClient, case: Any, known: Known, chance: random.Random) -> httpx.Request:
    for name, values in known.items():
        if name in (case.path_parameters or {}) and values and chance.random() < _OFTEN:
            case.path_parameters[name] = chance.choice(values)
    sent = case.as_transport_kwargs(base_url=str(client.base_url))
    headers = [
        (name, value.encode("latin-1", "replace") if isinstance(value, str) else value)
        for name, value in dict(sent["headers"]).items()
        if name.lower() not in _OF_THE_TOOL
    ]
    if "if-match" in {name.lower() for name, _ in headers} and chance.random() < _OFTEN:
        headers = [each for each in headers if each[0].lower() != "if-match"] + [("if-match", b'"1"')]
    data = sent.get("data")
    form = data if isinstance(data, dict) else None
    content = data if form is None else None
    return client.build_request(
        sent["method"],
        sent["url"],
        headers=headers,
        params=sent.get("params"),
        json=sent.get("json"),
        data=form,
        content=content,
    )


def _shown(request: httpx.Request) -> str:
    return f"{request.url} {dict(request.headers)} {request.content[:500]!r}"
