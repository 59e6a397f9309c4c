"""The authorization table holds for the whole suite; and each way of not holding is noticed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from allinone.services import SERVICES
from contracts import sample
from contracts.authorization import SIGNED, deviations, doors_of, read_table, without
from contracts.serving import Quiet, Served, serving
from shared.http.app import build_app
from shared.http.auth import Role, allow, public

TABLE = Path(__file__).parent / "authorization.toml"
DESK: frozenset[Role] = frozenset({"dispatcher", "operations"})
SHARED = without(read_table(TABLE), *(service.name for service in SERVICES))
SAMPLE: dict[str, frozenset[Role] | None] = {
    "GET /live": DESK,
    "GET /sample/live": DESK,
    "GET /sample/board": DESK,
    "GET /sample/promises/{id}": DESK,
    "GET /sample/static/{name}": None,
    "POST /sample/promises": frozenset({"adapter"}),
    "POST /sample/promises/{id}/owner": frozenset({"operations"}),
}


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, sample.service) as running:
        yield running


def test_the_table_is_sorted() -> None:
    names = list(read_table(TABLE))
    assert names == sorted(names)


async def test_every_route_of_the_suite_lets_in_whom_the_table_names(postgres_url: str) -> None:
    async with serving(postgres_url, *SERVICES) as running:
        assert await deviations(running.app, read_table(TABLE), running.settings) == []


async def test_a_service_that_keeps_its_word_has_no_deviations(served: Served) -> None:
    table = {**SHARED, **SAMPLE}
    assert await deviations(served.app, table, served.settings) == []


async def test_a_route_without_a_row_and_a_row_without_a_route_are_noticed(served: Served) -> None:
    table = {**SHARED, **SAMPLE, "GET /gone": None}
    del table["POST /sample/promises"]
    assert await deviations(served.app, table, served.settings) == [
        'POST /sample/promises has no row; if this is meant, add: "POST /sample/promises" = ["adapter"]',
        "GET /gone has a row but no route: delete the row",
    ]


async def test_a_declaration_that_differs_from_the_table_is_noticed(served: Served) -> None:
    table = {**SHARED, **SAMPLE}
    table["GET /sample/board"] = frozenset({"care"})
    found = await deviations(served.app, table, served.settings)
    assert 'GET /sample/board declares ["dispatcher", "operations"], the table says ["care"]' in found
    assert "GET /sample/board as care by token: expected let in, observed 403" in found
    assert "GET /sample/board as operations by session: expected 403, observed let in" in found


class Body(BaseModel):
    name: str


def app_with(served: Served, path: str, endpoint: Any, *, method: str = "POST", **options: Any) -> FastAPI:
    """The process without services, and one route that does not behave."""
    app = build_app({"sample": served.context}, {}, Quiet())
    app.add_api_route(path, endpoint, methods=[method], **options)
    return app


async def found_in(app: FastAPI, served: Served, **rows: frozenset[Role] | None) -> list[str]:
    table = {door.name: door.roles for door in doors_of(app) if door.declared}
    return await deviations(app, table | rows, served.settings)


async def test_a_route_that_declares_nobody_is_noticed(served: Served) -> None:
    async def silent() -> None: ...

    found = await found_in(app_with(served, "/silent", silent, method="GET"), served)
    assert any(fault.startswith("GET /silent declares nobody") for fault in found)


async def test_a_route_the_framework_does_not_know_is_noticed(served: Served) -> None:
    async def plain(request: Request) -> JSONResponse:
        return JSONResponse({})

    app = build_app({"sample": served.context}, {}, Quiet())
    app.router.add_route("/plain", plain, methods=["GET"])
    found = await found_in(app, served)
    assert any(fault.startswith("GET /plain declares nobody") for fault in found)


async def test_a_route_that_looks_at_the_body_first_is_noticed(served: Served) -> None:
    async def hasty(body: Body) -> None: ...

    app = app_with(served, "/hasty", hasty, dependencies=[Depends(allow("care"))])
    found = await found_in(app, served)
    assert "POST /hasty as nobody: expected 401, observed let in" in found


async def test_a_route_that_refuses_whom_it_declares_is_noticed(served: Served) -> None:
    async def strict() -> None:
        raise HTTPException(403)

    app = app_with(served, "/strict", strict, dependencies=[Depends(allow("care"))])
    assert "POST /strict as care by token: expected let in, observed 403" in await found_in(app, served)


async def test_a_public_route_that_wants_a_token_is_noticed(served: Served) -> None:
    async def closed() -> None:
        raise HTTPException(401)

    app = app_with(served, "/closed", closed, dependencies=[Depends(public())])
    assert "POST /closed as nobody: expected let in, observed 401" in await found_in(app, served)


async def test_a_signed_route_refuses_everybody_without_a_signature(served: Served) -> None:
    async def locked() -> None:
        raise HTTPException(401)

    async def unlocked() -> None: ...

    signed = {"POST /webhook": SIGNED}
    app = app_with(served, "/webhook", locked, dependencies=[Depends(public())])
    assert await found_in(app, served, **signed) == []
    app = app_with(served, "/webhook", unlocked, dependencies=[Depends(public())])
    found = await found_in(app, served, **signed)
    assert "POST /webhook as nobody: expected 401, observed let in" in found
    assert "POST /webhook as admin by token: expected 401, observed let in" in found


async def test_a_route_that_needs_no_proof_of_a_session_is_noticed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def careless(request: Request, settings: object) -> None: ...

    async def change() -> None: ...

    monkeypatch.setattr("shared.http.sessions.require_csrf", careless)
    monkeypatch.setattr("shared.http.auth.require_csrf", careless, raising=False)
    app = app_with(served, "/change", change, dependencies=[Depends(allow("care"))])
    assert await found_in(app, served) == [
        "POST /change as care by session without proof: expected 403, observed let in"
    ]


async def test_a_route_that_breaks_is_noticed(served: Served) -> None:
    async def broken() -> None:
        raise RuntimeError

    app = app_with(served, "/broken", broken, method="GET", dependencies=[Depends(allow("care"))])
    assert "GET /broken as care by token: expected let in, observed a fault" in await found_in(app, served)


def test_a_row_with_an_unknown_role_is_refused(tmp_path: Path) -> None:
    for value in ('["boss"]', "[]", '"everybody"'):
        (tmp_path / "table.toml").write_text(f'"GET /x" = {value}')
        with pytest.raises(ValueError, match=r'write "public", "signed" or a list of adapter'):
            read_table(tmp_path / "table.toml")
