"""What the parts of a policy are called where people edit them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from shared.i18n import N_

ROLES: Final = {
    "owner": N_("owner"),
    "supervisor": N_("supervisor"),
    "team_lead": N_("team lead"),
    "leadership": N_("leadership"),
}
ABOUT: Final = {"ticket": N_("a ticket"), "request": N_("a request"), "call": N_("a phone call")}
PER: Final = {
    "subject": N_("once"),
    "episode": N_("once until it is closed, and anew when it is reopened"),
    "start": N_("anew with every starting event"),
}
EVENTS: Final = {
    "starts": N_("Starts with the first of"),
    "unless": N_("unless one of these came before"),
    "stops": N_("Is kept by the first of"),
    "cancels": N_("Is cancelled by"),
    "begins": N_("The clock stands from"),
    "ends": N_("until"),
}
TARGETS: Final = {
    "wall": N_("by the clock on the wall"),
    "working": N_("of working time"),
    "next_working_day": N_("by a time of the next working day"),
    "appointed": N_("by the time that was agreed on"),
    "by_hours": N_("one in working time, another outside of it"),
}
PAUSES: Final = {
    "waiting": N_("from one event to another"),
    "at_customers_wish": N_("until a later visit that the customer wished"),
}
FACTS: Final = {"severity": N_("Severity"), "same_city": N_("Same city"), "channel": N_("Channel")}
VALUES: Final = {
    "severity": {"urgent": N_("urgent"), "important": N_("important"), "general": N_("general")},
    "same_city": {True: N_("same city"), False: N_("cross-region")},
    "channel": {
        "phone": N_("phone"),
        "email": N_("e-mail"),
        "web_chat": N_("online chat"),
        "web_form": N_("web form"),
        "social": N_("social media"),
        "sms": N_("SMS"),
        "webhook": N_("another system"),
    },
}
ASKED: Final = {"ticket": ("severity", "same_city"), "request": ("channel", "severity"), "call": ()}
"""Which facts the cases of a promise choose by here; others stand in the JSON."""

UNITS: Final = {"D": N_("days"), "H": N_("hours"), "M": N_("minutes"), "S": N_("seconds")}
_SIZES: Final = {"D": 86_400, "H": 3_600, "M": 60, "S": 1}
STATES: Final = {"coming": N_("coming"), "in_force": N_("in force"), "past": N_("past")}


def split(length: timedelta) -> tuple[int, str]:
    """A length of whole seconds as a number of the largest unit that divides it; two days stay 48 hours."""
    seconds = round(length.total_seconds())
    for unit, size in _SIZES.items():
        if seconds and seconds % size == 0 and (unit != "D" or seconds > 3 * size):
            return seconds // size, unit
    return seconds, "M" if seconds == 0 else "S"
