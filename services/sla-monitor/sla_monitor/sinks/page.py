"""The pages of sinks: how each fares, and the form that sets one up, with a field for all its kind asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

from fastapi import Request, Response

from shared.http.auth import Principal
from shared.http.pages import Link, page
from shared.i18n import LANGUAGES, N_
from sla_monitor.sinks.answers import SinkShown
from sla_monitor.sinks.kind import Kind
from sla_monitor.sinks.registry import KINDS
from sla_monitor.sinks.rules import ROLES, Terms

LINK: Final = Link(
    "/sla/sinks",
    N_("Notifications"),
    N_("Who is told of alerts outside of these pages, and whether it arrives."),
    frozenset({"operations", "admin"}),
)
MESSAGES: Final = 20  # the latest that the page of a sink lists
ROLE_NAMES: Final = {
    "owner": N_("Owner"),
    "supervisor": N_("Supervisor"),
    "team_lead": N_("Team lead"),
    "leadership": N_("Leadership"),
    "assignee": N_("Whoever it is assigned to"),
}
ASPECTS: Final = {"owner": N_("Owner"), "region": N_("Region"), "promise": N_("Promise")}
CHOICES: Final = {
    "starttls": N_("STARTTLS"),
    "tls": N_("TLS from the beginning"),
    "plain": N_("None, where the operator allows it"),
}
MESSAGE_STATES: Final = {
    "pending": N_("waits"),
    "sending": N_("on its way"),
    "sent": N_("delivered"),
    "failed": N_("failed, will be tried again"),
    "unknown": N_("unknown: the process ended while sending"),
    "given_up": N_("given up"),
}
WHATS: Final = {
    "warning": N_("warning"),
    "breach": N_("missed promise"),
    "escalation": N_("next step of the ladder"),
    "called": N_("call for leadership"),
    "returned": N_("back from snooze"),
    "assignment": N_("assignment"),
    "retraction": N_("taken back"),
    "ended": N_("over"),
    "test": N_("test"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form: how it is filled in, and what stands in it."""

    name: str
    label: str
    form: Literal["text", "number", "choice", "list", "pairs"]
    value: str
    required: bool
    choices: tuple[str, ...] = ()
    example: str = ""


def show_all(request: Request, viewer: Principal, sinks: Sequence[SinkShown]) -> Response:
    """All sinks and how they fare."""
    may_change = "admin" in viewer.roles
    return page(request, "sinks.html", sinks=sinks, kinds=KINDS, may_change=may_change)


def show_form(
    request: Request, viewer: Principal, kind: Kind, sink: SinkShown | None, messages: Sequence[Any] = ()
) -> Response:
    """One sink, or a new one of `kind`; who may not change it sees the same."""
    return page(
        request,
        "sink.html",
        kind=kind,
        sink=sink,
        fields=list(fields_of(kind, sink)),
        terms=sink.terms if sink else Terms(),
        roles=[(role, ROLE_NAMES[role]) for role in ROLES],
        aspects=ASPECTS,
        choices=CHOICES,
        languages_of_messages=LANGUAGES,
        messages=messages,
        states=MESSAGE_STATES,
        whats=WHATS,
        may_change="admin" in viewer.roles,
    )


def fields_of(kind: Kind, sink: SinkShown | None) -> Iterator[Field]:
    """The fields that `kind` asks for, filled in as `sink` was set up."""
    for name, declared in kind.config.model_fields.items():
        value = sink.config.get(name) if sink else None if declared.is_required() else declared.default
        origin, options = get_origin(declared.annotation), get_args(declared.annotation)
        form: Literal["text", "number", "choice", "list", "pairs"] = "text"
        if origin is Literal:
            form = "choice"
        elif origin is tuple:
            form = "list"
        elif origin is dict:
            form = "pairs"
        elif declared.annotation is int:
            form = "number"
        yield Field(
            name=name,
            label=declared.title or name,
            form=form,
            value=_written(value),
            required=declared.is_required(),
            choices=tuple(options) if form == "choice" else (),
            example=str(declared.examples[0]) if declared.examples else "",
        )


def _written(value: Any) -> str:
    match value:
        case None:
            return ""
        case dict():
            return "\n".join(f"{name} = {each}" for name, each in value.items())
        case list() | tuple():
            return "\n".join(str(each) for each in value)
    return str(value)
