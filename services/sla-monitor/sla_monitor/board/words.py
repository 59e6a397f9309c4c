"""What codes are called where people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.i18n import N_, gettext
from shared.i18n.language import current_language

if TYPE_CHECKING:  # the command line knows these words, too, and no service
    from sla_monitor.clocks.dossier import Difference
    from sla_monitor.clocks.evidence import Deed, Said

PROMISES: Final = {
    "answer_call": N_("Answer the call"),
    "return_call": N_("Call back"),
    "first_reply": N_("First reply"),
    "accept": N_("Accept the task"),
    "on_site": N_("Arrive on site"),
    "visit_agreed": N_("Agree on a visit"),
    "appointment_kept": N_("Keep the appointment"),
    "resolution": N_("Solve the problem"),
    "leadership_acknowledged": N_("Leadership knows"),
    "progress": N_("Tell how it goes"),
}
SUBJECTS: Final = {
    "ticket": N_("Ticket"),
    "request": N_("Request"),
    "call": N_("Phone call"),
}
SEVERITIES: Final = {
    "urgent": N_("Urgent"),
    "important": N_("Important"),
    "general": N_("General"),
}
CHANNELS: Final = {
    "phone": N_("Phone"),
    "email": N_("E-mail"),
    "web_chat": N_("Online chat"),
    "web_form": N_("Web form"),
    "social": N_("Social media"),
    "sms": N_("SMS"),
    "webhook": N_("Another system"),
}
STATES: Final = {
    "opened": N_("opened"),
    "needs_decision": N_("waiting for a decision"),
    "assigned": N_("assigned"),
    "accepted": N_("accepted by the engineer"),
    "visit_agreed": N_("visit agreed"),
    "travelling": N_("engineer on the way"),
    "on_site": N_("engineer on site"),
    "resolved": N_("waiting for the customer"),
    "closed": N_("closed"),
}
"""Of a ticket, as dispatch tells it to the page."""
REACH: Final = {
    "R54": N_("same city"),
    "R55": N_("cross-region"),
    "R56": N_("same city"),
    "R57": N_("cross-region"),
}
FILTERS: Final = {
    "region": N_("Region"),
    "team": N_("Service centre"),
    "severity": N_("Severity"),
    "channel": N_("Channel"),
    "promise": N_("Promise"),
}
WHOLE: Final = {
    "tickets": N_("Tickets in time today"),
    "clocks": N_("Promises in time today"),
}
COUNTED: Final = {
    "tickets": N_("All response promises of a ticket, R50–R58"),
    "clocks": N_("Response promises, R50–R58"),
}
"""What the whole figures count (R110, decision 7): the other promises have figures of their own."""
PAST: Final = {
    "tickets": N_("Tickets in time"),
    "clocks": N_("Promises in time"),
}
OTHERWISE: Final = {
    "dispatch.ticket_assigned": N_("handed on {}"),
    "dispatch.assignment_declined": N_("declined {}"),
}
"""How a missed promise ended that nobody kept; see `otherwise`."""
OUTCOMES: Final = {
    "running": N_("running"),
    "met": N_("kept"),
    "breached": N_("missed"),
    "cancelled": N_("cancelled"),
}
RULES: Final = {
    "wall": N_("{} by the wall clock"),
    "working": N_("{} of working time"),
    "next_working_day": N_("By a set time of the next working day, {} in all"),
    "appointed": N_("By the time that was agreed on, {} in all"),
}
HAND_REASONS: Final = {
    "customer_asked": N_("the customer asked to wait"),
    "site_not_accessible": N_("the site is not accessible"),
    "third_party": N_("waiting for a third party"),
    "force_majeure": N_("weather or another force majeure"),
    "other": N_("another reason"),
}
REASONS: Final = HAND_REASONS | {
    "customers_wish": N_("a later visit at the customer's wish"),
    "awaiting_acceptance": N_("the customer tries the result"),
    "waiting_for_customer": N_("waiting for the customer"),
    "wall_clock": N_("counts, by the wall clock"),
    "working_time": N_("counts, working time"),
    "outside_working_hours": N_("does not count, outside working hours"),
}
EVENTS: Final = {
    "intake.call_answered": N_("call answered"),
    "intake.call_busy": N_("caller got the busy signal"),
    "intake.call_missed": N_("call missed"),
    "intake.call_ended": N_("caller hung up"),
    "intake.call_returned": N_("customer called back"),
    "intake.request_answered": N_("customer answered"),
    "intake.request_merged": N_("merged into another request, whose reply is for both"),
    "intake.request_closed": N_("ticket closed without a written reply"),
    "dispatch.ticket_assigned": N_("given to another engineer"),
    "dispatch.assignment_accepted": N_("task accepted"),
    "dispatch.assignment_declined": N_("task declined"),
    "dispatch.visit_agreed": N_("visit agreed"),
    "dispatch.engineer_arrived": N_("engineer on site"),
    "dispatch.leadership_informed": N_("leadership informed anew"),
    "dispatch.leadership_acknowledged": N_("leadership acknowledged"),
    "dispatch.customer_informed": N_("customer told how it goes"),
    "dispatch.ticket_resolved": N_("engineer is done"),
    "dispatch.result_rejected": N_("customer rejected the result"),
    "dispatch.ticket_closed": N_("ticket closed"),
    "dispatch.ticket_cancelled": N_("ticket cancelled"),
    "dispatch.assignment_withdrawn": N_("taken from the engineer"),
    "dispatch.ticket_progressed": N_("work begun"),
    "regraded": N_("another severity, another promise"),
    "withdrawn": N_("its beginning turned out never to have been"),
}
# The same and more as they happen, not as they end a promise.
HAPPENED: Final = EVENTS | {
    "intake.request_registered": N_("request registered"),
    "intake.request_reclassified": N_("request judged anew"),
    "intake.request_merged": N_("merged into another request"),
    "intake.request_split": N_("a request of its own again"),
    "intake.request_closed": N_("request closed with its ticket"),
    "intake.request_reopened": N_("request taken up again with its ticket"),
    "intake.call_rang": N_("call rang"),
    "dispatch.ticket_opened": N_("ticket opened"),
    "dispatch.owner_changed": N_("another owner"),
    "dispatch.group_formed": N_("emergency group formed"),
    "dispatch.leadership_informed": N_("leadership informed"),
    "dispatch.ticket_assigned": N_("task given to an engineer"),
    "dispatch.ticket_regraded": N_("severity changed"),
    "dispatch.ticket_amended": N_("details changed"),
    "dispatch.ticket_paused": N_("work waits"),
    "dispatch.ticket_resumed": N_("work goes on"),
    "dispatch.ticket_reopened": N_("reopened, another episode"),
    "sla.promises_paused": N_("paused by hand"),
    "sla.promises_resumed": N_("counts again, by hand"),
}
SAID: Final = {
    "clock_started": N_("started"),
    "clock_paused": N_("stands: {reason}"),
    "clock_resumed": N_("counts again"),
    "clock_met": N_("kept"),
    "clock_warned": N_("{threshold} percent of the time is gone"),
    "clock_breached": N_("missed"),
    "clock_amended": N_("corrected: was {before}, is {after}"),
    "clock_cancelled": N_("cancelled: {reason}"),
    "alert_acknowledged": N_("somebody looks after it"),
    "leadership_called": N_("leadership told by hand"),
}
UNCONFIRMED: Final = N_("missed, unconfirmed: events delayed")
CONFIRMED: Final = N_("confirmed: missed")
DEEDS: Final = {
    "acknowledged": N_("taken over"),
    "snoozed": N_("put aside"),
    "returned": N_("back again"),
    "assigned": N_("asked to look after it"),
    "escalated": N_("told to more people"),
    "called": N_("leadership told by hand"),
    "retracted": N_("taken back"),
}
COMPARED: Final = {
    "requirement": N_("Requirement"),
    "rule": N_("Rule"),
    "measure": N_("Measure"),
    "allowance": N_("Time allowed"),
    "severity": N_("Severity"),
    "started_at": N_("Start"),
    "deadline": N_("Deadline"),
    "standing": N_("Stands"),
    "outcome": N_("Outcome"),
    "stopped_at": N_("End"),
    "reason": N_("Why it ended"),
}


def promise(code: str) -> str:
    """The name of a promise, to be translated; one that the house made up itself is called by its code."""
    return PROMISES.get(code, code)


_WAITING_FOR: Final = {
    "customer": N_("for the customer"),
    "parts": N_("for parts"),
    "vendor": N_("for a vendor"),
    "other_department": N_("for another department"),
}
_VALUES: Final = {
    "severity": SEVERITIES,
    "channel": CHANNELS,
    "promise": PROMISES,
    "waiting_for": _WAITING_FOR,
}


def value(filter: str, code: str) -> str:
    """What a value of a filter is called; regions and service centres are called by their codes."""
    return _VALUES.get(filter, {}).get(code, code)


def called(filter: str, code: str) -> str:
    """The same in the reader's language; what another system made up may look like anything, and stays so."""
    known = _VALUES.get(filter, {}).get(code)
    return gettext(known) if known else code


def exact(instant: datetime, zone: str) -> str:
    """To the second, and beyond where there is more: what a sum is checked with."""
    local = instant.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M:%S}{_fraction(local.microsecond)}"


def length(span: timedelta) -> str:
    """Hours, minutes and seconds: 26:00:00 is a day and two hours."""
    seconds, rest = divmod(span, timedelta(seconds=1))
    hours, seconds = divmod(seconds, 3600)
    return f"{hours}:{seconds // 60:02}:{seconds % 60:02}{_fraction(rest.microseconds)}"


def _fraction(microseconds: int) -> str:
    return f".{microseconds:06}".rstrip("0") if microseconds else ""


def ended(reason: str) -> str:
    """What ended a clock, to be translated."""
    return EVENTS.get(reason) or HAPPENED.get(reason, reason)


def otherwise(reason: str | None) -> str:
    """How a missed promise that was never kept ended, to be translated; `{}` is when."""
    return OTHERWISE.get(reason or "", ENDED)


ENDED: Final = N_("ended {}")


def said(event: Said) -> str:
    """What was told about a clock, in the reader's language."""
    data = event.data
    if event.what == "clock_breached" and not data["confirmed"]:
        return gettext(UNCONFIRMED)
    if event.what == "clock_amended" and data["outcome"] == data["previous_outcome"] == "breached":
        return gettext(CONFIRMED)
    reason = data.get("reason", "")
    return gettext(SAID.get(event.what, event.what)).format(
        reason=gettext(REASONS.get(reason) or ended(reason)),
        threshold=data.get("threshold", ""),
        before=gettext(OUTCOMES.get(data.get("previous_outcome", ""), "")),
        after=gettext(OUTCOMES.get(data.get("outcome", ""), "")),
    )


def person(id: str) -> str:
    """Who did something: the name they sign in with; of an identifier, which says nothing, its end."""
    try:
        return gettext("somebody (…{})").format(UUID(id).hex[-6:])
    except ValueError:
        return id


def done(deed: Deed) -> str:
    """What was done about an alert, with the words somebody left."""
    reason = deed.detail.get("reason")
    return gettext(DEEDS.get(deed.what, deed.what)) + (f": {reason}" if isinstance(reason, str) else "")


def compared(difference: Difference, zone: str) -> tuple[str, str, str]:
    """The name of a value that differs, as it is stored, and as it follows from the history."""
    name = gettext(COMPARED[difference.name])
    return name, _written(difference.stored, zone), _written(difference.folded, zone)


def _written(value: Any, zone: str) -> str:
    match value:
        case None:
            return "—"
        case datetime():
            return exact(value, zone)
        case timedelta():
            return length(value)
        case _:
            return gettext(OUTCOMES.get(value, str(value)))


def _said_by_hand(told: Mapping[str, Any]) -> dict[str, str]:
    """Which promise somebody let stand, why and how long; or that it counts again."""
    by = told.get("paused_by") or told.get("resumed_by")
    if by is None:
        return {}
    known = {"which": gettext(promise(told["promise"])) if "promise" in told else gettext(EVERY)}
    if "pause_reason" in told:
        reason = gettext(HAND_REASONS.get(told["pause_reason"], told["pause_reason"]))
        known |= {"why": f"{reason} ({told['pause_note']})"}
    if "until" in told:
        until = current_language().moment(datetime.fromisoformat(told["until"]))
        known |= {"until": gettext("until {moment}").format(moment=until)}
    return {**known, "by": by}


EVERY: Final = N_("all promises that may be paused")
_SHOWN: Final = (
    "severity", "channel", "centre", "region", "starts_at", "at_customers_wish", "reason", "waiting_for",
)  # fmt: skip


def facts(told: Mapping[str, Any]) -> str:
    """Of what an event told, that by which promises are decided."""
    known = {name: told[name] for name in _SHOWN if told.get(name) not in (None, False)}
    known |= _said_by_hand(told)
    if "starts_at" in known:
        known["starts_at"] = current_language().moment(datetime.fromisoformat(known["starts_at"]))
    if known.pop("at_customers_wish", None):
        wish = REASONS["customers_wish"]
        known["wish"] = gettext(wish)
    return ", ".join(gettext(value(name, str(each))) for name, each in known.items())
