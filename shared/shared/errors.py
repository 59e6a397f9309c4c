"""The tree of errors: one class per situation, its docstring the message, its kind the consequence.

AftercareError
├── kind "invalid"          422: what was sent cannot be accepted as it is
├── kind "unauthenticated"  401: nobody we know
├── kind "forbidden"        403: known, but not allowed
├── kind "not_found"        404
├── kind "conflict"         409: the state moved on; read it again
├── kind "precondition"     412: If-Match does not match what is stored
├── kind "too_large"        413
├── kind "too_many"         429
└── kind "unavailable"      503: an outage; the same call later succeeds

The kind decides the HTTP status, and whether a consumer waits (``unavailable``) or parks the event.
"""

from __future__ import annotations

import inspect
from typing import ClassVar, Literal

Kind = Literal[
    "invalid",
    "unauthenticated",
    "forbidden",
    "not_found",
    "conflict",
    "precondition",
    "too_large",
    "too_many",
    "unavailable",
]


class AftercareError(Exception):
    """Something went wrong that the product has a name for."""

    kind: ClassVar[Kind] = "invalid"

    def __init__(self, **data: object) -> None:
        self.data = data
        super().__init__(inspect.cleandoc(type(self).__doc__ or type(self).__name__).format(**data))


class Outage(AftercareError):
    """{what} cannot be reached; work waits and goes on by itself when it is back."""

    kind = "unavailable"
