"""JSON bodies are taken as they are: what only looks like a number is refused, a time as a text is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args
from uuid import UUID

import pytest
from fastapi import FastAPI, params
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ValidationError

from allinone.services import SERVICES
from shared.sent import Sent

NOT_QUITE: Mapping[str, tuple[object, ...]] = {
    "integer": ("5", True, 5.0),
    "number": ("5", True),
    "boolean": ("true", 1),
}
EXACT = {"int_type", "float_type", "bool_type", "literal_error"}
WRITTEN = {"uuid": str(UUID(int=7 << 76)), "date": "2026-03-02", "date-time": "2026-03-02T09:00:00+08:00"}


def all_below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in model.__subclasses__():
        yield each
        yield from all_below(each)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a body is made of; one that holds itself is named once."""
    found: list[type[BaseModel]] = []
    waiting = [annotation]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, BaseModel) and each not in found:
            found.append(each)
            waiting += [field.annotation for field in each.model_fields.values()]
        waiting += get_args(each)
    return iter(found)


def bodies(*, forms: bool) -> Iterator[tuple[str, type[BaseModel]]]:
    """The models of all bodies by their routes, of JSON or of forms."""
    for service in SERVICES:
        app = FastAPI(openapi_url=None)
        app.include_router(service.router, prefix=f"/{service.name}")
        for route in iter_route_contexts(app.routes):
            body = getattr(route.original_route, "body_field", None)
            if body and isinstance(body.field_info, params.Form) == forms:
                for model in models_in(body.field_info.annotation):
                    yield f"{route.path}: {model.__name__}", model


FORMS = {model for _, model in bodies(forms=True)}
SENT = sorted({each for each in all_below(Sent) if "." in each.__module__} - FORMS, key=str)


def instead(schema: Mapping[str, Any]) -> list[Any]:
    """Values that only look like what a schema wants; none where a text is right as well."""
    if "anyOf" in schema:
        choices = [each for each in schema["anyOf"] if each.get("type") != "null"]
        return (
            []
            if any("string" in str(each) for each in choices)
            else [value for each in choices for value in instead(each)]
        )
    if schema.get("type") == "array":
        return [[each] * max(1, schema.get("minItems", 1)) for each in instead(schema.get("items", {}))]
    if isinstance(more := schema.get("additionalProperties"), dict):
        return [{"name": each} for each in instead(more)]
    return list(NOT_QUITE.get(str(schema.get("type")), ()))


def faults(model: type[BaseModel], name: str, value: object) -> set[str]:
    """The kinds of errors that a value of one field makes; what else is missing does not count."""
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        return {each["type"] for each in error.errors() if each["loc"][:1] == (name,)}
    return set()


def test_every_json_body_is_held_to_its_types() -> None:
    assert {name for name, model in bodies(forms=False) if not issubclass(model, Sent)} == set()


@pytest.mark.parametrize("model", SENT, ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_what_only_looks_like_a_value_is_refused(model: type[Sent]) -> None:
    for name, schema in model.model_json_schema().get("properties", {}).items():
        for value in instead(schema):
            assert faults(model, name, value) & EXACT, (name, value)


@pytest.mark.parametrize("model", SENT, ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_times_and_identifiers_come_as_texts(model: type[Sent]) -> None:
    for name, schema in model.model_json_schema().get("properties", {}).items():
        for each in (schema, *schema.get("anyOf", ())):
            if each.get("format") in WRITTEN:
                assert faults(model, name, WRITTEN[each["format"]]) <= {"value_error"}, name
