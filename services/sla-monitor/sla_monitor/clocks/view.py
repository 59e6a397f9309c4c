"""What of all clocks somebody looks at: the filters they chose, within what they may see."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import parse_qs, urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import ARRAY, Text, TextClause, bindparam, text

from shared.errors import AftercareError
from shared.events.terms import Channel, Code, Severity
from shared.http.auth import Principal
from sla_monitor.scope import limits

_MOST: Final = 20  # values of one filter; more are chosen by leaving it out
Codes: TypeAlias = Annotated[tuple[Code, ...], Field(max_length=_MOST)]

# By which column each filter and each limit goes. Of a ticket only its request knows how it came in.
_COLUMNS: Final = {
    "region": "clock.in_region",
    "team": "clock.of_team",
    "severity": "clock.severity",
    "channel": "coalesce(subject.channel, request.channel)",
    "promise": "clock.promise",
    "product_line": "subject.product_line",
    "customer_level": "subject.customer_level",
}
_LIMITS: Final = {"regions": "region", "lines": "product_line", "levels": "customer_level"}

FROM: Final = """
    FROM clock LEFT JOIN subject ON subject.id = clock.subject_id
    LEFT JOIN subject AS request ON request.id = subject.request_id
"""
"""What the columns of a view belong to. Every clock has a subject; a query that looks at nothing of it, or of
its request, is planned without it."""


class NoSuchFilter(AftercareError):
    """This is no filter of clocks: {query}. There are region, team, severity, channel and promise."""

    kind = "invalid"


class Filters(BaseModel):
    """Which clocks; one value of each named filter must fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: Codes = ()
    team: Codes = ()
    severity: Annotated[tuple[Severity, ...], Field(max_length=_MOST)] = ()
    channel: Annotated[tuple[Channel, ...], Field(max_length=_MOST)] = ()
    promise: Codes = ()

    @field_validator("*", mode="before")
    @classmethod
    def _without_blanks(cls, sent: Any) -> Any:
        """A form sends what was not chosen as nothing."""
        return [each for each in sent if each != ""] if isinstance(sent, list | tuple) else sent

    @classmethod
    def read(cls, query: str) -> Filters:
        """From what stands behind `?` in an address; `NoSuchFilter` for anything else."""
        try:
            return cls.model_validate(parse_qs(query, keep_blank_values=True, max_num_fields=5 * _MOST))
        except (ValidationError, ValueError):
            raise NoSuchFilter(query=query[:100]) from None

    @property
    def chosen(self) -> Mapping[str, tuple[str, ...]]:
        """By name, sorted, without the filters that let everything through."""
        named = {name: getattr(self, name) for name in Filters.model_fields}
        return {name: tuple(sorted(set(values))) for name, values in named.items() if values}

    @property
    def query(self) -> str:
        """As it stands in an address: the same for filters that let the same through."""
        return urlencode(self.chosen, doseq=True)


@dataclass(frozen=True, slots=True)
class View:
    """Filters, and the values that each filter and each limit of the viewer leaves."""

    viewer: Principal | None
    filters: Filters
    left: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, viewer: Principal | None, filters: Filters | None = None) -> View:
        """What `viewer` sees through `filters`; nobody in particular sees everything."""
        filters = filters or Filters()
        left = dict(filters.chosen)
        for limit, allowed in limits(viewer).items():
            name = _LIMITS[limit]
            if allowed is not None:
                left[name] = tuple(each for each in allowed if each in left.get(name, allowed))
        return cls(viewer, filters, tuple(sorted(left.items())))

    @property
    def key(self) -> Hashable:
        """The same for viewers who see the same through the same filters."""
        return self.left, str(limits(self.viewer))

    @property
    def parameters(self) -> dict[str, str | list[str]]:
        return {f"only_{name}": values[0] if len(values) == 1 else list(values) for name, values in self.left}


def within(query: str, view: View, columns: Mapping[str, str] = _COLUMNS) -> TextClause:
    """`query` with its `{within}` replaced by the conditions of `view`, whose parameters it takes.

    Only the conditions that there are: a plan for "no filter or this filter" could not use an index. And one
    value as such: an index gives the rows of one value in order, those of several it does not.
    """
    return _within(query, tuple((name, columns[name], len(values) == 1) for name, values in view.left))


@lru_cache(maxsize=512)
def _within(query: str, left: tuple[tuple[str, str, bool], ...]) -> TextClause:
    conditions, typed = "", []
    for name, column, is_one in left:
        conditions += f" AND {column} = " + (f":only_{name}" if is_one else f"ANY(:only_{name})")
        typed.append(bindparam(f"only_{name}", type_=Text() if is_one else ARRAY(Text)))
    return text(query.replace("{within}", conditions)).bindparams(*typed)
