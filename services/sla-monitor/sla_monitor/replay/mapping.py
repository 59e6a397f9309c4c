"""How the columns of somebody else's file become histories: a small document, TOML or JSON.

source = "old-desk"                # whose tickets they are
rows = "tickets"                   # one row each; "changes": one row per change of a ticket
ticket = "Number"                  # the column that names the ticket
zone = "Asia/Shanghai"             # of instants that name none
formats = ["%Y-%m-%d %H:%M", "iso"]
missing = ["", "-"]                # what stands for nothing

[facts]
region = { column = "Region" }
severity = { column = "Priority", values = { High = "urgent", Low = "general" } }
same_city = { constant = true }

[[events]]
kind = "dispatch.ticket_assigned"
at = "Assigned"
when = { column = "State", becomes = ["Open"] }   # optional; also `leaves = […]`, `changes = true`
"""

from __future__ import annotations

import json
import tomllib
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from shared.events.intake import HistoryFacts
from shared.events.terms import Code
from shared.sent import Sent
from sla_monitor.policies.rules import Kind

ISO: Final = "iso"
Column = Annotated[str, StringConstraints(min_length=1, max_length=200)]
FactName = Literal[
    "severity", "channel", "region", "team", "product_line", "customer_level", "same_city",
    "at_customers_wish", "starts_at", "reason",
]  # fmt: skip
Value = str | bool


class _Data(Sent):
    model_config = ConfigDict(frozen=True)


class Fact(_Data):
    """Where a fact comes from: a constant, or a column whose values may be translated.

    Without `values` a value is taken as it stands; with them `otherwise` is for all others.
    """

    column: Column | None = None
    values: dict[str, Value] = Field(default={})
    otherwise: Value | None = None
    constant: Value | None = None

    @model_validator(mode="after")
    def _from_somewhere(self) -> Fact:
        if (self.column is None) == (self.constant is None):
            raise PydanticCustomError("fact_source", "A fact has either a column or a constant")
        return self


class Condition(_Data):
    """When a row means an event: what a column becomes, stops being (or both), or that it changes.

    Compared with the row before it of the same ticket; in the first row everything has just become so.
    """

    column: Column
    becomes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    changes: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        if bool(self.becomes or self.leaves) == self.changes:
            raise PydanticCustomError("condition", "A condition says becomes, leaves or both; or changes")
        return self


class Rule(_Data):
    """An event of ours, the column that holds its instant, and when a row means it."""

    kind: Kind
    at: Column
    when: Condition | None = None


class Mapping(_Data):
    """What `read` needs to know of a file; see above."""

    source: Code
    rows: Literal["tickets", "changes"] = "tickets"
    ticket: Column
    order: Column | None = None
    encoding: Literal["utf-8", "gb18030", "latin-1", "cp1252"] = "utf-8"
    delimiter: Literal[",", ";", "\t", "|"] = ","
    zone: str = "Asia/Shanghai"
    formats: tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...] = (ISO,)
    missing: tuple[str, ...] = ("",)
    facts: dict[FactName, Fact] = Field(default={})
    events: tuple[Rule, ...] = Field(min_length=1, max_length=100)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise PydanticCustomError("zone", "No time zone has that name; Asia/Shanghai is one") from None
        return zone

    @field_validator("formats")
    @classmethod
    def _readable_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        example = datetime(2026, 11, 20, 13, 45)  # noqa: DTZ001 - a format is tried, no instant is meant
        for each in formats:
            try:
                datetime.strptime(example.strftime(each), each)  # noqa: DTZ007 - likewise
            except ValueError:
                if each != ISO:
                    raise PydanticCustomError("format", "A format is like %d/%m/%Y %H:%M, or iso") from None
        return formats

    @model_validator(mode="after")
    def _facts_can_be(self) -> Mapping:
        for name, fact in self.facts.items():
            for value in (*fact.values.values(), fact.otherwise, fact.constant):
                if value is not None:
                    HistoryFacts.model_validate({name: value})  # names what it may be
        if self.order is not None and self.rows == "tickets":
            raise PydanticCustomError("order", "Only rows of changes have an order")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        named = [self.ticket, self.order]
        named += [fact.column for fact in self.facts.values()]
        for rule in self.events:
            named += [rule.at, rule.when.column if rule.when else None]
        return tuple(dict.fromkeys(name for name in named if name is not None))


def parse(text: str) -> Mapping:
    """A mapping from TOML or JSON; ValueError (pydantic's included) says what is wrong with it."""
    document: Any = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    return Mapping.model_validate(document)
