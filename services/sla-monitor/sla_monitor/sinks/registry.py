"""Every way out there is: each module of `kinds` has one, so that another one is another file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from shared.errors import AftercareError
from sla_monitor.sinks import kinds
from sla_monitor.sinks.kind import Kind


class KindUnknown(AftercareError):
    """There is no kind of sink called {code}; there are {known}."""


def _found() -> dict[str, Kind]:
    modules = sorted(each.name for each in iter_modules(kinds.__path__))
    found: list[Kind] = [import_module(f"{kinds.__name__}.{name}").KIND for name in modules]
    return {kind.code: kind for kind in found}


KINDS: Final[Mapping[str, Kind]] = _found()


def kind_of(code: str) -> Kind:
    """The kind called `code`; `KindUnknown` names those there are."""
    if code not in KINDS:
        raise KindUnknown(code=code, known=", ".join(KINDS))
    return KINDS[code]
