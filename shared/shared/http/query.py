"""Queries held to what a route declares: a filter that is misspelt must not pass for no filter.

    router = APIRouter(route_class=StrictRoute)

    @router.get("/help", dependencies=[Depends(public()), Depends(any_query())])

Two kinds of doors cannot know all that is added to their address, and say so by `any_query()`. Pages that
customers reach by a link: messengers and mail programs append parameters of theirs (`from=singlemessage`,
`fbclid`, `utm_source`). And doors whose address a provider writes: its handshake carries what it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from shared.http.problem import MOST_ERRORS, InvalidInput, fault
from shared.i18n.language import N_, gettext

UNKNOWN: Final = "extra_forbidden"  # as pydantic calls what a body has beyond its model
_KNOWN: Final = N_("There is no such parameter here; there are: {names}")
_NONE: Final = N_("There is no such parameter here; this address takes none")


@dataclass(frozen=True, slots=True)
class AnyQuery:
    """The declaration that parameters nobody knows are passed over."""

    async def __call__(self) -> None: ...


def any_query() -> AnyQuery:
    """Declare that a route passes over parameters it does not know: `Depends(any_query())`."""
    return AnyQuery()


def known_to(dependant: Dependant) -> frozenset[str] | None:
    """The names of the parameters that a route and what it depends on read; None if it takes all."""
    depended = [dependant, *_all_of(dependant)]
    if any(isinstance(each.call, AnyQuery) for each in depended):
        return None
    return frozenset(name for each in depended for name in _named(each))


def check_query(request: Request, known: frozenset[str] | None) -> None:
    """Raise `InvalidInput` with each parameter that is not `known`; None knows all."""
    if known is None or not request.scope["query_string"]:
        return
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        told = gettext(_KNOWN if known else _NONE).format(names=", ".join(sorted(known)))
        raise InvalidInput(errors=[fault("query", (name,), told, UNKNOWN) for name in unknown[:MOST_ERRORS]])


class StrictRoute(APIRoute):
    """A route that refuses parameters it does not declare; of a service, `ServiceRoute` does that too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler, known = super().get_route_handler(), known_to(self.dependant)

        async def door(request: Request) -> Response:
            check_query(request, known)
            return await handler(request)

        return door


def _all_of(dependant: Dependant) -> Iterator[Dependant]:
    for dependency in dependant.dependencies:
        yield dependency
        yield from _all_of(dependency)


def _named(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        model = parameter.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield from (each.alias or name for name, each in model.model_fields.items())
        else:
            yield parameter.alias
