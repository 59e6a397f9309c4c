"""No door passes over a parameter it does not know, or takes a body that is read in two ways."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import cycle, islice

import httpx
import pytest_asyncio
from fastapi import params
from fastapi.routing import iter_route_contexts

from allinone.services import SERVICES
from contracts.authorization import Door, calling, doors_of
from contracts.serving import Served, serving
from shared.http.auth import ROLES

# Pages behind links that customers follow, and what belongs to every page: messengers add parameters.
PAGES_OF_CUSTOMERS = {
    "GET /",
    "GET /dispatch/acceptance/{token}",
    "GET /dispatch/visit/{token}",
    "GET /feedback/survey/{token}",
    "GET /intake/form",
    "GET /intake/help",
    "GET /intake/help/{id}",
    "GET /intake/progress/{token}",
    "GET /sign-in",
    "GET /sla/service-policy",
    "POST /dispatch/acceptance/{token}",
    "POST /dispatch/visit/{token}",
    "POST /feedback/survey/{token}",
    "POST /intake/form",
    "POST /intake/help/{id}",
    "POST /intake/progress/{token}",
    "POST /language",
    "POST /sign-in",
    "POST /sign-out",
}
FILES = {
    "GET /static/{name}",
    *(f"GET /{service.name}/static/{{name}}" for service in SERVICES if service.site),
}
# Whose addresses a provider calls with whatever it likes.
OF_PROVIDERS = {
    "GET /intake/channels/{channel:provider}",
    "GET /intake/channels/{channel:provider}/{name}",
    "POST /intake/channels/{channel:provider}",
    "POST /intake/channels/{channel:provider}/{name}",
}
MAY_BE_EMPTY = {
    "POST /dispatch/tickets/{ticket_id}/acknowledge",
    "POST /dispatch/tickets/{ticket_id}/remote",
    "POST /dispatch/tickets/{ticket_id}/remote/{session_id}/end",
    "POST /dispatch/tickets/{ticket_id}/remote/{session_id}/invite",
    "POST /dispatch/tickets/{ticket_id}/room/seen",
    "POST /dispatch/tickets/{ticket_id}/solutions/{solution_id}/withdraw",
}
TOLERANT = PAGES_OF_CUSTOMERS | FILES | OF_PROVIDERS

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def answer_of(client: httpx.AsyncClient, door: Door, headers: Mapping[str, str]) -> httpx.Response:
    """What a door says to one parameter that nobody knows, and to nothing else."""
    own = FORM if door.method == "POST" and door.name in TOLERANT else {}
    return await client.request(
        door.method, door.address, params={"misspelt": "1"}, headers={**headers, **own}
    )


def refuses(answer: httpx.Response) -> bool:
    if answer.status_code != 422 or answer.headers["content-type"] != "application/problem+json":
        return False
    errors = answer.json().get("errors", [])
    return [(each["source"], each["pointer"], each["code"]) for each in errors] == [
        ("query", "/misspelt", "extra_forbidden")
    ]


async def tolerant(served: Served) -> set[str]:
    """Every door of `served` that does not refuse it."""
    headers = {"accept": "application/json", "authorization": f"Bearer {served.token(*ROLES)}"}
    async with calling(served.app, served.settings) as client:
        return {
            door.name for door in doors_of(served.app) if not refuses(await answer_of(client, door, headers))
        }


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, *SERVICES) as running:
        yield running


async def test_no_door_passes_over_a_parameter_but_where_others_write_the_address(served: Served) -> None:
    assert await tolerant(served) == TOLERANT


async def test_the_refusal_names_what_there_is(served: Served) -> None:
    headers = {"authorization": f"Bearer {served.token(*ROLES)}"}
    async with calling(served.app, served.settings) as client:
        stock = await client.get("/parts/stock?part=1&limit=5&limti=9", headers=headers)
        alone = await client.get("/intake/requests/x?y", headers=headers)
        nobody = await client.get("/parts/stock?part=1")
    assert [each["pointer"] for each in stock.json()["errors"]] == ["/part", "/limti"]
    assert "cursor, limit, part_number, warehouse" in stock.json()["errors"][0]["detail"]
    assert "takes none" in alone.json()["errors"][0]["detail"]
    assert nobody.status_code == 401  # who may not come in learns nothing of what is known here


MEBIBYTE = 1024 * 1024
# What no JSON door takes, whatever it is about (RFC 8259 and what it leaves open): body, and the answer.
HOSTILE: dict[str, tuple[bytes, int]] = {
    "truncated": (b'{"a":', 400),
    "comment": (b"{}/**/", 400),
    "byte order mark": (b"\xef\xbb\xbf{}", 400),
    "UTF-16": ("{}".encode("utf-16"), 400),
    "surrogate as UTF-8": (b'{"a":"\xed\xa0\x80"}', 400),
    "U+0000 as it is": (b'{"a":"\0"}', 400),
    "depth 1,000": (b'{"a":' + b"[" * 1_000 + b"]" * 1_000 + b"}", 422),
    "25,000 keys": (b"{" + b",".join(b'"%d":0' % n for n in range(25_000)) + b"}", 422),
    "duplicate key": (b'{"a":1,"a":2}', 422),
    "NaN": (b'{"a":NaN}', 422),
    "1e400": (b'{"a":1e400}', 422),
    "100,000 digits": (b'{"a":' + b"9" * 100_000 + b"}", 422),
    "lone surrogate": (b'{"a":"\\ud800"}', 422),
    "U+0000": (b'{"a":"\\u0000"}', 422),
    "U+0000 in a key": (b'{"a\\u0000":1}', 422),
    "__proto__": (b'{"__proto__":{"admin":true}}', 422),
    "an array for an object": (b"[]", 422),
    "a text for an object": (b'"a"', 422),
    "nothing": (b"", 422),
}
TYPES = ("", "text/plain", "application/xml", "application/jsonp", "text/json")
EACH = 4


def json_doors(served: Served) -> Iterator[tuple[Door, int]]:
    """Every door that takes a JSON body, and the most it takes, in bytes."""
    named = {door.name: door for door in doors_of(served.app)}
    for route in iter_route_contexts(served.app.routes):
        body = getattr(route.original_route, "body_field", None)
        if body is not None and not isinstance(body.field_info, params.Form):
            for method in route.methods or ():
                largest = getattr(route.original_route, "largest_body", None)
                yield named[f"{method} {route.path}"], largest or MEBIBYTE


async def test_no_json_door_takes_what_can_be_read_in_two_ways(served: Served) -> None:
    """Each door shows by some of the cases that it is held to all of them: they are refused in one place."""
    wrong: list[str] = []
    known = {
        "authorization": f"Bearer {served.token(*ROLES)}",
        "content-type": "application/json",
        "idempotency-key": "k",
        "if-match": '"1"',
    }
    async with calling(served.app, served.settings) as client:

        async def expect(door: Door, case: str, status: int, content: bytes, **headers: str) -> None:
            sent = {**known, **headers}
            answer = await client.request(door.method, door.address, content=content, headers=sent)
            kind = answer.headers.get("content-type")
            if (answer.status_code, kind) != (status, "application/problem+json"):
                wrong.append(f"{door.name}: {case}: {answer.status_code} {kind}")

        for number, (door, largest) in enumerate(json_doors(served)):
            for case in islice(cycle(HOSTILE), number, number + EACH):
                body, status = HOSTILE[case]
                if not (case == "nothing" and door.name in MAY_BE_EMPTY):
                    await expect(door, case, status, body)
            kind = TYPES[number % len(TYPES)]
            await expect(door, kind or "no type", 415, b"{}", **{"content-type": kind})
            await expect(door, "gzip", 415, b"\x1f\x8b", **{"content-encoding": "gzip"})
            await expect(door, "too large", 413, b" " * (largest + 1))
    assert number > len(HOSTILE)
    assert wrong == []
