"""What a whole process shows of itself: health, metrics, traces, headers, its description."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from prometheus_client.parser import text_string_to_metric_families

from shared.context import ServiceContext
from shared.db import Database
from shared.errors import AftercareError
from shared.http import health as health_module
from shared.http.app import Undeclared, build_app
from shared.http.auth import access_of, allow, public
from shared.http.health import FlowReport
from shared.http.problem import problem_of
from shared.http.transaction import ServiceRoute
from shared.settings import Settings
from shared.trace import current_traceparent

if TYPE_CHECKING:
    from doors import Toy


def app_of(settings: Settings, **routers: APIRouter) -> FastAPI:
    database = Database("toy", "postgresql://toy@127.0.0.1:1/nowhere")
    contexts = {name: ServiceContext(name, database, settings) for name in routers}

    class Silent:
        draining = False

        async def readiness(self) -> dict[str, str | None]:
            return {}

        async def flow(self) -> FlowReport:
            return FlowReport(bus=None, services={}, tasks={})

    return build_app(contexts, routers, Silent())


def client_of(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://t"
    )


# health


async def test_alive_means_the_loop_runs_whatever_else_is_broken(toy: Toy) -> None:
    toy.health.draining, toy.health.hang = True, True
    async with toy.client(signed_in=False) as client:
        assert (await client.get("/health/live")).status_code == 200


async def test_ready_when_every_service_is(toy: Toy) -> None:
    async with toy.client(signed_in=False) as client:
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "services": {"toy": None}})
        toy.health.services = {"toy": None, "other": "migrations are behind"}
        answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["services"]["other"] == "migrations are behind"


async def test_not_ready_while_draining(toy: Toy) -> None:
    toy.health.draining = True
    async with toy.client(signed_in=False) as client:
        assert (await client.get("/health/ready")).status_code == 503


async def test_a_report_that_hangs_is_given_up(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "PATIENCE", 0.01)
    toy.health.hang = True
    async with toy.client(signed_in=False) as client:
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/health/flow")).status_code == 503


async def test_flow_tells_what_is_stuck(toy: Toy) -> None:
    async with toy.client(signed_in=False) as client:
        assert (await client.get("/health/flow")).status_code == 200
        toy.health.report = FlowReport(
            bus="no answer", services={}, tasks={}, stuck=("the bus does not answer",)
        )
        answer = await client.get("/health/flow")
    assert answer.status_code == 503
    assert answer.json()["stuck"] == ["the bus does not answer"]


# metrics


async def _samples(client: httpx.AsyncClient) -> dict[tuple[str, ...], float]:
    text = (await client.get("/metrics")).text
    return {
        tuple(sample.labels[name] for name in ("service", "route", "method", "status")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "aftercare_http_requests_total"
    }


async def test_requests_are_counted_by_service_and_template(toy: Toy) -> None:
    async with toy.client() as client:
        before = await _samples(client)
        for name in ("a", "b", "c"):
            await client.get(f"/toy/by-name/{name}")
        await client.get("/toy/by-name/%00")
        await client.get("/toy/breaks")
        after = await _samples(client)
    grown = {labels: after[labels] - before.get(labels, 0) for labels in after}
    assert grown["toy", "/toy/by-name/{name}", "GET", "2xx"] == 3
    assert grown["toy", "/toy/breaks", "GET", "5xx"] == 1
    assert grown["toy", "unmatched", "GET", "4xx"] == 1  # refused before it was routed


async def test_what_callers_invent_makes_no_labels(toy: Toy) -> None:
    async with toy.client() as client:
        await _samples(client)
        for number in range(20):
            await client.get(f"/toy/invented-{number}")
            await client.get(f"/invented-{number}")
            await client.request(f"INVENTED{number}", "/toy/things")
        before = await _samples(client)
        for number in range(20, 40):
            await client.get(f"/toy/invented-{number}")
            await client.get(f"/invented-{number}")
            await client.request(f"INVENTED{number}", "/toy/things")
        assert (await _samples(client)).keys() == before.keys()
    assert not any("invented" in label.lower() for labels in before for label in labels)


# traces


async def test_a_trace_is_continued_and_told_back(toy_settings: Settings) -> None:
    router = APIRouter(route_class=ServiceRoute)

    @router.get("/trace", dependencies=[Depends(public())])
    async def trace() -> str | None:
        return current_traceparent()

    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    async with client_of(app_of(toy_settings, toy=router)) as client:
        answer = await client.get("/toy/trace", headers={"traceparent": parent})
        assert answer.json() == answer.headers["traceparent"]
        assert answer.json().split("-")[1] == parent.split("-")[1]
        assert answer.json() != parent
        for wrong in ("", "00-0-0-01", parent.upper(), "00-" + "0" * 32 + "-00f067aa0ba902b7-01"):
            answer = await client.get("/toy/trace", headers={"traceparent": wrong})
            assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", answer.json())
            assert parent.split("-")[1] not in answer.json()
        twice = [("traceparent", parent), ("traceparent", parent)]
        assert parent.split("-")[1] not in (await client.get("/toy/trace", headers=twice)).json()


async def test_errors_name_the_trace_that_the_log_has(toy: Toy, lines: io.StringIO) -> None:
    async with toy.client() as client:
        answer = await client.get("/toy/breaks")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "Something is broken on our side; the trace identifier leads to it."
    logged = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert answer.json()["trace_id"] in [line.get("trace_id") for line in logged]
    assert answer.headers["traceparent"].split("-")[1] == answer.json()["trace_id"]


# headers


@pytest.mark.parametrize(
    "path", ["/toy/open", "/toy/breaks", "/nowhere", "/toy/mine", "/health/live", "/toy/a%00"]
)
async def test_every_answer_carries_the_security_headers(toy: Toy, path: str) -> None:
    async with toy.client() as client:
        headers = (await client.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert "server" not in headers


async def test_other_origins_are_allowed_nothing(toy: Toy) -> None:
    preflight = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    async with toy.client() as client:
        for answer in (
            await client.options("/toy/things", headers=preflight),
            await client.get("/toy/open", headers=preflight),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]


# description and declarations


def keys_of(operation: dict[str, Any]) -> list[bool]:
    """Whether each Idempotency-Key that an operation describes is required."""
    return [each["required"] for each in operation["parameters"] if each["name"] == "Idempotency-Key"]


async def test_the_description_names_services_and_problems(toy: Toy) -> None:
    async with toy.client(signed_in=False) as client:
        schema = (await client.get("/openapi.json")).json()
        assert (await client.get("/docs")).status_code == 404
    operation = schema["paths"]["/toy/things"]["post"]
    assert operation["tags"] == ["toy"]
    assert "application/problem+json" in operation["responses"]["default"]["content"]
    assert "ProblemDetails" in schema["components"]["schemas"]
    assert keys_of(operation) == [False]
    assert keys_of(schema["paths"]["/toy/sure-things"]["post"]) == [True]
    parameters = schema["paths"]["/toy/things/{id}"]["put"]["parameters"]
    assert "If-Match" in [parameter["name"] for parameter in parameters]


async def test_production_describes_nothing(toy_settings: Settings) -> None:
    production = toy_settings.model_copy(update={"environment": "production"})
    async with client_of(app_of(production, toy=APIRouter())) as client:
        for path in ("/openapi.json", "/docs", "/redoc"):
            assert (await client.get(path)).status_code == 404


def test_a_route_that_does_not_say_who_may_use_it_keeps_the_process_from_starting(
    toy_settings: Settings,
) -> None:
    router = APIRouter(route_class=ServiceRoute)

    @router.get("/forgotten")
    async def forgotten() -> None: ...

    with pytest.raises(Undeclared, match="/toy/forgotten"):
        app_of(toy_settings, toy=router)


def test_access_can_be_read_from_every_route(toy: Toy) -> None:
    declared = {
        str(route.path): [access.roles for access in access_of(route)]
        for route in iter_route_contexts(toy.app.routes)
        if isinstance(route.original_route, APIRoute)
    }
    assert declared["/toy/mine"] == [frozenset({"engineer", "dispatcher"})]
    assert declared["/toy/open"] == [None]
    assert declared["/health/live"] == [None]


def test_access_declared_where_a_router_is_included_counts(toy_settings: Settings) -> None:
    inner = APIRouter(route_class=ServiceRoute)

    @inner.get("/things")
    async def things() -> None: ...

    outer = APIRouter()
    outer.include_router(inner, prefix="/inner", dependencies=[Depends(allow("care"))])
    app = app_of(toy_settings, toy=outer)
    route = next(each for each in iter_route_contexts(app.routes) if each.path == "/toy/inner/things")
    assert [access.roles for access in access_of(route)] == [frozenset({"care"})]


# the index of routes


async def test_routes_are_found_as_fastapi_would_find_them(toy_settings: Settings) -> None:
    def routers() -> dict[str, APIRouter]:
        feature, service = APIRouter(route_class=ServiceRoute), APIRouter()
        for method, path in [
            *(("GET", "/list"), ("POST", "/list"), ("GET", "/{id}"), ("GET", "/{id}/lines")),
            *(("GET", "/{id}/lines/{line:int}"), ("GET", "/files/{name:path}"), ("GET", "/{id}.csv")),
        ]:

            async def show(path: str = path, id: str = "", line: int = 0, name: str = "") -> list[Any]:
                return [path, id, line, name]

            feature.add_api_route(path, show, methods=[method], dependencies=[Depends(public())])
        service.include_router(feature, prefix="/feature")
        service.include_router(feature)
        return {"toy": service, "other": feature}

    indexed, plain = app_of(toy_settings, **routers()), app_of(toy_settings, **routers())
    plain.router.middleware_stack = plain.router.app
    async with client_of(indexed) as one, client_of(plain) as two:
        for service in ("toy", "toy/feature", "other", "nobody"):
            for path in (
                "",
                "list",
                "42",
                "42/lines",
                "42/lines/7",
                "42/lines/x",
                "files/a/b/c",
                "42.csv",
                "a/b/c/d",
            ):
                for method in ("GET", "POST", "DELETE"):
                    found = await one.request(method, f"/{service}/{path}")
                    expected = await two.request(method, f"/{service}/{path}")
                    assert (found.status_code, found.json() if found.status_code == 200 else 0) == (
                        expected.status_code,
                        expected.json() if expected.status_code == 200 else 0,
                    ), f"{method} /{service}/{path}"


# problems


def test_problems_show_only_what_their_class_declares() -> None:
    class TicketAlreadyClosed(AftercareError):
        """The ticket was closed before; reopen it first."""

        kind = "conflict"
        shown = ("closed_at",)

    problem = problem_of(TicketAlreadyClosed(closed_at="yesterday", customer="Zebulon"))
    assert (problem.status, problem.slug, problem.title) == (
        409,
        "ticket-already-closed",
        "Ticket already closed",
    )
    assert problem.members == {"closed_at": "yesterday"}
    assert "Zebulon" not in str(problem)
