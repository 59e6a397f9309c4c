"""Where a message goes, when it is tried again, and who may decide what. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from intake.channels.contract import Account
from intake.sending.contract import Later, Outcome, Outgoing, Refused, Sender, Sent, Why
from shared.outgoing import pause

MAIL: Final = "email"
SMS: Final = "twilio"
CALLED_BACK: Final = frozenset({"web_form", "phone"})
"""Channels without an address of the customer: what these leave behind is a number to call."""
KEEP_TRYING: Final = timedelta(hours=24)
MOST_ATTEMPTS: Final = 100
_NO_WAY_AGAIN: Final = timedelta(seconds=30)
_FIRST: Final = timedelta(seconds=5)
_LONGEST: Final = timedelta(minutes=15)
_FIRST_REST: Final = timedelta(seconds=1)
_LONGEST_REST: Final = timedelta(minutes=1)

Decision = Literal["send_again", "it_arrived"]


@dataclass(frozen=True, slots=True)
class Asked:
    """The request that a message belongs to, as far as the way to its customer depends on it.

    address       the customer's, as the newest message of this request came with it
    sms, mailbox  the number and mailbox that this customer last wrote to us from, in any request: bound to
                  them by a channel, never merely typed into a form (S7)
    """

    channel: str
    account: str
    door: str | None
    address: str | None
    sms: tuple[str, str] | None = None
    mailbox: str | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """Through which account to which address."""

    channel: str
    account: str
    address: str

    @property
    def lane(self) -> str:
        return f"{self.channel}/{self.account}"


@dataclass(frozen=True, slots=True)
class NoWay:
    """Why a message waits, and what of."""

    why: Why
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Ways:
    """What is set up here: accounts by place, senders by channel, and whether there is a mail server."""

    accounts: Mapping[str, Account]
    senders: Mapping[str, Sender]
    mail: bool


def way_of(asked: Asked, ways: Ways) -> Way | NoWay:
    """The channel the request came in by; only without an address there, what else is bound to the customer.

    Of these first the phone's (SMS), then the mailbox.
    """
    own = _own_way(asked, ways)
    if isinstance(own, Way) or asked.address or asked.door or asked.channel in ("webhook", MAIL):
        return own
    if asked.sms is not None:
        place, number = asked.sms
        found = _through(place, number, ways)
        if isinstance(found, Way):
            return found
    if asked.mailbox is not None and ways.mail:
        return Way(MAIL, "", asked.mailbox)
    return own


def unreachable(asked: Asked, *, has_link: bool) -> bool:
    """Whether nobody would read what is written to a customer: no address, none bound to them, no page.

    Only where people tell us by telephone or form how to call them. Mail and chats have a way back, or lack
    what may be set up later.
    """
    addresses = (asked.door, asked.address, asked.sms, asked.mailbox)
    return asked.channel in CALLED_BACK and not has_link and not any(addresses)


def planned(asked: Asked, ways: Ways, queued_at: datetime, now: datetime) -> Way | NoWay:
    """The same, but not for what has waited for a day: nobody wants all old answers at once, later."""
    way = way_of(asked, ways)
    return NoWay("too_old") if isinstance(way, Way) and now - queued_at >= KEEP_TRYING else way


def places_of(asked: Asked) -> tuple[str, ...]:
    """The accounts that the way may lead through."""
    return (asked.account, f"webhook/{asked.account}", *([asked.sms[0]] if asked.sms else []))


def _own_way(asked: Asked, ways: Ways) -> Way | NoWay:
    if asked.door is not None:
        return _through(asked.account, asked.address, ways)
    if asked.channel == "webhook":
        return _through(f"webhook/{asked.account}", asked.address or asked.account, ways)
    if asked.address is None:
        return NoWay("no_address", asked.channel)
    if asked.channel == MAIL:
        return Way(MAIL, "", asked.address) if ways.mail else NoWay("no_sender", MAIL)
    return NoWay("no_sender", asked.channel)


def _through(place: str, address: str | None, ways: Ways) -> Way | NoWay:
    channel, _, name = place.partition("/")
    sender, account = ways.senders.get(channel), ways.accounts.get(place)
    if sender is None:
        return NoWay("no_sender", channel)
    if account is None:
        return NoWay("no_account", place)
    missing = [each for each in sender.needs if not account.secrets.get(each)]
    if sender.one_of and not any(account.secrets.get(each) for each in sender.one_of):
        missing.append(" / ".join(sender.one_of))
    if missing:
        return NoWay("not_set_up", f"{place}: {', '.join(missing)}")
    if not address:
        return NoWay("no_address", channel)
    return Way(channel, name, address)


def too_long(sender: Sender, outgoing: Outgoing) -> Refused | None:
    """The refusal of what the provider would cut or refuse; a person says it in fewer words."""
    length = len(outgoing.text.encode()) if sender.in_bytes else len(outgoing.text)
    if sender.longest is None or length <= sender.longest:
        return None
    return Refused(f"{length} > {sender.longest}", "too_long")


def window_over(sender: Sender, outgoing: Outgoing, now: datetime) -> Refused | None:
    """The refusal of what the provider no longer lets us say to this customer."""
    window = sender.window(outgoing.address)
    if window is None or (outgoing.heard_at is not None and now - outgoing.heard_at <= window):
        return None
    return Refused(f"the {window.total_seconds() / 3600:g} hours are over", "window_over")


_NOBODY: Final = re.compile(r"^(no-?reply|do-?not-?reply|mailer-daemon|postmaster|bounces?)([+.-].*)?@")
LATEST: Final = timedelta(hours=1)
"""So long after a request came in an acknowledgement is worth sending."""


def may_acknowledge(asked: Asked, received_at: datetime, answered: bool, now: datetime) -> bool:
    """Only to who wrote from this address by its own channel, soon, and before a person answered (S7)."""
    by_its_channel = asked.door is not None or asked.channel == MAIL
    if not by_its_channel or not asked.address or answered or now - received_at > LATEST:
        return False
    return not _NOBODY.match(asked.address.casefold())


@dataclass(frozen=True, slots=True)
class Change:
    """What a message is after an attempt: its state, when it is tried again, and why."""

    state: Literal["waiting", "sent", "failed", "unknown"]
    due_at: datetime | None = None
    why: Why | None = None
    detail: str | None = None


def after_attempt(
    outcome: Outcome, attempts: int, queued_at: datetime, now: datetime, chance: float, *, repeat: bool
) -> Change:
    """`repeat`: the receiver drops what it has, so that what is uncertain may be tried again.

    `queued_at` is when the message was made or a person last had it sent; `chance` is 0 to 1.
    """
    if isinstance(outcome, Sent):
        return Change("sent")
    if isinstance(outcome, Refused):
        return Change("failed", None, outcome.why, outcome.detail)
    if not isinstance(outcome, Later):
        if not repeat:
            return Change("unknown", None, "uncertain", outcome.detail)
        outcome = Later(outcome.detail, None, "unreachable")
    again = now + pause(_FIRST, _LONGEST, attempts, chance)
    if outcome.after is not None:
        again = max(again, now + outcome.after)
    if attempts >= MOST_ATTEMPTS or again >= queued_at + KEEP_TRYING:
        return Change("failed", None, "given_up", outcome.detail)
    return Change("waiting", again, outcome.why, outcome.detail)


def look_again_at(queued_at: datetime, now: datetime) -> datetime | None:
    """When to look for a way again; never for what has waited for a day: nobody wants old answers at once."""
    age = now - queued_at
    return None if age >= KEEP_TRYING else now + max(_NO_WAY_AGAIN, age / 2)


def rest_of_lane(failures: int, after: timedelta | None, chance: float) -> timedelta:
    """How long an account is left alone after so many failures in a row."""
    return max(pause(_FIRST_REST, _LONGEST_REST, failures, chance), after or timedelta())


def may_decide(state: str, decision: Decision) -> bool:
    """Whether a person may decide so: only what is not on its way may be sent, only a doubt can be ended."""
    if decision == "it_arrived":
        return state == "unknown"
    return state in ("waiting", "failed", "unknown")


def state_now(state: str, told: frozenset[str]) -> str:
    """What the provider told later counts more than that it took the message: failed, read, delivered."""
    if state not in ("sent", "unknown"):
        return state
    for word in ("failed", "read", "delivered"):
        if word in told:
            return word
    return "sent" if "sent" in told else state
