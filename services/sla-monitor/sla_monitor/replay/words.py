"""What a replay found, where people read it."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from shared.i18n import N_, gettext
from shared.i18n.language import current_language
from sla_monitor.board import words
from sla_monitor.replay.rules import Reason

WHY: Final = {
    "promised": N_("promised only there ({after})"),
    "not_promised": N_("not promised there ({before})"),
    "start": N_("counted from {after} instead of {before}"),
    "severity": N_("taken as {after} instead of {before}"),
    "measure": N_("counted {after} instead of {before}"),
    "allowance": N_("{after} allowed instead of {before}"),
    "pauses": N_("paused for {after} instead of {before}"),
    "calendar": N_("other working hours"),
    "ending": N_("ended by “{after}” instead of “{before}”"),
    "deadline": N_("due {after} instead of {before}"),
    "outcome": N_("{before} becomes {after}"),
}
MEASURES: Final = {"wall": N_("by the wall clock"), "working": N_("in working time")}
SEVERITIES: Final = {"general": N_("General"), "important": N_("Important"), "urgent": N_("Urgent")}
STATES: Final = {
    "waiting": N_("waiting"),
    "running": N_("running"),
    "done": N_("done"),
    "failed": N_("failed"),
}
NOT_PROMISED: Final = N_("not promised")


def outcome(code: str | None) -> str:
    """What became of a promise, to be translated."""
    return words.OUTCOMES[code] if code else NOT_PROMISED


def told(reason: Reason, zone: tzinfo) -> str:
    """A reason as a phrase of the reader's language; instants as clocks in `zone` show them."""
    before, after = _value(reason, reason.before, zone), _value(reason, reason.after, zone)
    return gettext(WHY[reason.why]).format(before=before, after=after)


def _value(reason: Reason, value: Any, zone: tzinfo) -> str:
    match reason.why:
        case "outcome":
            return gettext(outcome(value))
        case "deadline" | "start":
            return moment(datetime.fromisoformat(value), zone)
        case "allowance" | "pauses":
            length = None if value is None else timedelta(seconds=value)
            return "…" if length is None else current_language().duration(length)
        case "measure":
            return gettext(MEASURES[value])
        case "severity":
            return gettext(SEVERITIES[value]) if value in SEVERITIES else "—"
        case "ending":
            return gettext(words.EVENTS.get(value, value)) if value else "—"
        case _:
            return str(value or "")


def moment(instant: datetime, zone: tzinfo) -> str:
    """Day and minute, with the year: histories are old."""
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
