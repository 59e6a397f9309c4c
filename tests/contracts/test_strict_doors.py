"""No door passes over a parameter it does not know, but for those that cannot know all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest_asyncio

from allinone.services import SERVICES
from contracts.authorization import Door, calling, doors_of
from contracts.serving import Served, serving
from shared.http.auth import ROLES

# Pages behind links that customers follow, and what belongs to every page: messengers add parameters.
PAGES_OF_CUSTOMERS = {
    "GET /",
    "GET /dispatch/acceptance/{token}",
    "GET /feedback/survey/{token}",
    "GET /intake/form",
    "GET /intake/help",
    "GET /intake/help/{id}",
    "GET /intake/progress/{token}",
    "GET /sign-in",
    "POST /dispatch/acceptance/{token}",
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
