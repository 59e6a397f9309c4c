"""The route every service uses: strict input, and a transaction that ends before the answer leaves.

    router = APIRouter(route_class=ServiceRoute)

    @router.post("/tickets", status_code=201, dependencies=[Depends(allow("dispatcher"))])
    async def create(tx: WriteTx, body: NewTicket) -> Ticket: ...

A plain `yield` dependency would end its transaction after the answer has started, so that a client could
hold a 201 for something that never was. Here the endpoint runs, its answer is built, the transaction
commits, and only then does the answer leave. What is raised rolls back; what is returned commits, unless
its status is 500 or more. When PostgreSQL asks to try again, the endpoint runs again on the same input, so
it does nothing outside of its transaction.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import Depends, Request, Response, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.clock import clock
from shared.db import Database, Tx, retryable
from shared.db.engine import ATTEMPTS, connected
from shared.http.auth import Access, access_of
from shared.http.body import StrictRequest
from shared.http.limits import allow_body
from shared.http.query import check_query, known_to
from shared.http.scope import service_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Guard = Callable[[Response], Awaitable[None]]

_STATE: Final = "transaction"


class Answered(Exception):
    """The answer is known without the endpoint; what this attempt wrote is rolled back."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__()


class RequestTransaction:
    """The transaction of one attempt at a request, opened when a dependency first asks for it.

    guard   called with the built answer just before the commit
    """

    def __init__(self, database: Database, stack: AsyncExitStack) -> None:
        self.guard: Guard | None = None
        self._database = database
        self._stack = stack

    async def write(self) -> Tx:
        return await self._stack.enter_async_context(self._database.transaction())

    async def read(self) -> Tx:
        return await self._stack.enter_async_context(reading(self._database))


@asynccontextmanager
async def reading(database: Database) -> AsyncIterator[Tx]:
    """One snapshot for several reads; PostgreSQL refuses any write in it."""
    async with connected(database.engine) as connection:
        await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        tx = Tx(connection, database.service, clock.now(), "live")
        yield tx
        if tx.drafts:
            raise RuntimeError("an event was emitted in a transaction that only reads; take WriteTx")


def transaction_of(request: Request) -> RequestTransaction:
    """The transaction of this request; only within a `ServiceRoute`."""
    transaction: RequestTransaction | None = request.scope["state"].get(_STATE)
    if transaction is None:
        raise LookupError("this route is not a ServiceRoute: use APIRouter(route_class=ServiceRoute)")
    return transaction


async def _write(request: Request) -> Tx:
    return await transaction_of(request).write()


async def _read(request: Request) -> Tx:
    return await transaction_of(request).read()


WriteTx = Annotated[Tx, Depends(_write)]
"""A transaction that commits before the answer leaves."""

ReadTx = Annotated[Tx, Depends(_read)]
"""One read-only snapshot, given back before the answer leaves."""


class ServiceRoute(APIRoute):
    """A route whose callers are known before their input is read, and whose answer is true when it leaves."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        dependencies: Sequence[params.Depends] | None = None,
        max_body_size: int | None = None,
        **options: Any,
    ) -> None:
        self.largest_body = max_body_size  # in bytes; kept from FastAPI, whose limit answers in plain text
        # FastAPI would ask these again, after it has read the body.
        declared = [each.dependency for each in dependencies or ()]
        self.access = tuple(each for each in declared if isinstance(each, Access))
        others = [each for each in dependencies or () if not isinstance(each.dependency, Access)]
        super().__init__(path, endpoint, dependencies=others, **options)
        if _write in _calls(self.dependant) and {"GET", "HEAD"} & (self.methods or set()):
            raise TypeError(f"GET {path} takes a WriteTx; reading must change nothing: take ReadTx")

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        run = _in_transaction(handler) if {_write, _read} & set(_calls(self.dependant)) else handler
        access, largest_body, known = access_of(self), self.largest_body, known_to(self.dependant)
        body = self.body_field
        is_form = body is not None and isinstance(body.field_info, params.Form)

        async def door(plain: Request) -> Response:
            request = StrictRequest(plain.scope, plain.receive)
            if largest_body is not None:
                allow_body(request, largest_body)
            for declared in access:  # a session's proof may stand in the body, so its limit is set before
                await declared(request)
            check_query(request, known)
            if body is not None:
                await request.read(form=is_form)
            return await run(request)

        return door


def _calls(dependant: Dependant) -> Iterator[Callable[..., Any] | None]:
    for dependency in dependant.dependencies:
        yield dependency.call
        yield from _calls(dependency)


def _in_transaction(handler: Handler) -> Handler:
    async def run(request: Request) -> Response:
        assert isinstance(request, StrictRequest)
        database = service_of(request).database
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await _attempt(database, request, handler)
            except Answered as answered:
                return answered.response
            except Exception as error:
                if attempt == ATTEMPTS or not retryable(error):
                    raise
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
            await request.rewind()
        raise AssertionError("unreachable")

    return run


async def _attempt(database: Database, request: Request, handler: Handler) -> Response:
    async with AsyncExitStack() as stack:
        transaction = RequestTransaction(database, stack)
        request.scope["state"][_STATE] = transaction
        response = await handler(request)
        if response.status_code >= 500:
            raise Answered(response)
        if transaction.guard is not None:
            await transaction.guard(response)
    return response
