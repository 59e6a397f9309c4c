"""What a message says: as data for programs, as a few lines for people. No contact data, as in events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from shared.i18n import N_, Language, gettext, speaking
from shared.i18n.catalogues import load
from sla_monitor.board import words

TEST: Final = "test"
_PACKAGE: Final = Path(__file__).parent.parent
_TITLES: Final = {
    "warning": N_("Time is running out: {}"),
    "breach": N_("Missed: {}"),
    "escalation": N_("Missed, and nobody looks after it: {}"),
    "called": N_("Leadership is asked to look at this: {}"),
    "returned": N_("Back from snooze: {}"),
    "assignment": N_("Please look after this: {}"),
    "retraction": N_("Taken back, nothing was missed: {}"),
    "ended": N_("Over: {}"),
    TEST: N_("This is a test: alerts come this way"),
}
_SEVERITIES: Final = {"general": N_("General"), "important": N_("Important"), "urgent": N_("Urgent")}

Recipient = tuple[str, UUID | None]


def body_of(
    what: str, alerts: Sequence[Mapping[str, Any]], recipients: Iterable[Recipient], made_at: datetime
) -> dict[str, Any]:
    """What is told, in the form of Standard Webhooks: `type`, `timestamp`, `data`.

    `data.alerts` lists every alert with its promise, deadline and a link; `data.recipients` the roles to
    tell, each with the person if events have told who it is.
    """
    told = sorted({(role, str(person) if person else "") for role, person in recipients})
    return {
        "type": f"sla.{what}",
        "timestamp": made_at.isoformat(),
        "data": {
            "recipients": [{"role": role, "person_id": person or None} for role, person in told],
            "alerts": list(alerts),
        },
    }


def alert_of(row: Any, public_url: str) -> dict[str, Any]:
    """One alert as a message lists it, from a row of `queue.load_told`.

    `raised_as` never changes, whatever becomes of the ticket: who names alerts by it finds each again.
    """
    return {
        "id": str(row.alert_id),
        "clock_id": str(row.clock_id),
        "about": str(row.subject_id),
        "about_kind": row.kind,
        "title": row.title,
        "promise": row.promise,
        "requirement": row.requirement,
        "severity": row.severity,
        "region": row.region,
        "threshold": row.threshold,
        "revision": row.revision,
        "rung": row.rung,
        "deadline": row.deadline.isoformat(),
        "raised_at": row.raised_at.isoformat(),
        "raised_as": {"severity": row.raised_severity, "region": row.raised_region},
        "outcome": row.outcome,
        "confirmed": row.confirmed,
        "owner_id": str(row.owner_id) if row.owner_id else None,
        "url": f"{public_url}/sla/subjects/{row.subject_id}",
    }


def what_of(body: Mapping[str, Any]) -> str:
    """Which kind of message a body is: `breach`, `test`."""
    return str(body["type"]).removeprefix("sla.")


def title_of(body: Mapping[str, Any], tag: str) -> str:
    """One line that says what it is about."""
    alerts = body["data"]["alerts"]
    with speaking(_language(tag)):
        names = list(dict.fromkeys(gettext(words.promise(each["promise"])) for each in alerts))
        number = f" ({len(alerts)})" if len(alerts) > 1 else ""
        return gettext(_TITLES[what_of(body)]).format(", ".join(names[:3]) + number)


def text_of(body: Mapping[str, Any], tag: str) -> str:
    """A few lines for each alert: what was promised to whom, when it is due, and where to look."""
    with speaking(_language(tag)) as language:
        return "\n\n".join(_lines(each, language) for each in body["data"]["alerts"])


def _lines(alert: Mapping[str, Any], language: Language) -> str:
    grade, kind = _SEVERITIES.get(alert["severity"]), words.SUBJECTS[alert["about_kind"]]
    severity = gettext(grade) if grade else None
    subject = alert["title"] or gettext(kind)
    due = gettext("due {moment}").format(moment=language.moment(datetime.fromisoformat(alert["deadline"])))
    doubt = gettext("unconfirmed: events delayed") if alert["confirmed"] is False else None
    head = " · ".join(filter(None, (severity, gettext(words.promise(alert["promise"])), alert["region"])))
    return "\n".join((head, subject, " · ".join(filter(None, (due, doubt))), alert["url"]))


@lru_cache(maxsize=8)
def _language(tag: str) -> Language:
    return Language(tag, load(_PACKAGE, tag))
