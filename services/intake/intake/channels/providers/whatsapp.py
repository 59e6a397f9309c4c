"""WhatsApp Cloud API: messages and what became of ours, in batches.

Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
with its pages of each type, and .../business-scoped-user-ids (whoever took a user name is known by `user_id`,
with or without a number).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal

from intake.channels.contract import Account, Arrived, Channel, DeliveryTold, Incoming, Verdict, part
from intake.channels.meta import LARGEST, SECRETS, aside, entries, greet, one_by_one, verify
from intake.channels.reading import Object, degrees, id_of, lines, media_line, said, text_of, when
from intake.requests.rules import Identity, Normalised, phone_identity, title_of

_MEDIA: Final = ("image", "video", "audio", "document", "sticker")
_SILENT: Final = ("reaction", "edit", "revoke", "system", "unsupported", "unknown", "request_welcome")
_STATES: Final[Mapping[str, Literal["sent", "delivered", "read", "failed"]]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}


def parse(incoming: Incoming, account: Account) -> Sequence[Verdict]:
    """One verdict for each message and status of each change of each entry."""
    change = partial(_change, incoming=incoming, account=account)

    def entry(told: Object) -> Iterator[Verdict]:
        return one_by_one(told["changes"], change)

    return list(one_by_one(entries(incoming), entry))


def _change(change: Object, incoming: Incoming, account: Account) -> Iterator[Verdict]:
    value = change["value"]
    if change.get("field") != "messages" or not isinstance(value, dict):
        yield aside(f"whatsapp_{str(change.get('field'))[:40]}", change)
        return
    people = {key: each for each in _objects(value.get("contacts")) for key in _keys(each)}
    message = partial(_message, people=people, incoming=incoming, account=account)
    found = False
    for name, read in (("messages", message), ("statuses", partial(_status, incoming=incoming))):
        for each in one_by_one(value.get(name) or [], read):
            found = True
            yield each
    if not found or value.get("errors"):
        yield aside("whatsapp_errors" if value.get("errors") else "whatsapp_unknown", change)


def _objects(told: Any) -> list[Object]:
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def _keys(contact: Object) -> list[str]:
    return [str(contact[name]) for name in ("wa_id", "user_id") if contact.get(name)]


def _message(
    message: Object, people: Mapping[str, Object], incoming: Incoming, account: Account
) -> Iterator[Verdict]:
    kind, id = id_of(message["type"]), id_of(message["id"])
    if kind in _SILENT or not (text := _text(kind, message)):
        yield aside(kind, message, id)
        return
    sender = id_of(message.get("from") or message["from_user_id"])
    person = people.get(sender) or people.get(str(message.get("from_user_id"))) or {}
    place = message["location"] if kind == "location" else {}
    yield Arrived(
        Normalised(
            channel="social",
            door=account.channel,
            account=account.place,
            external_id=id,
            identities=_identities(sender, message.get("from_user_id") or person.get("user_id"), account),
            name=_name(person),
            text=text,
            title=title_of("", text),
            received_at=when(message["timestamp"], incoming.received_at),
            raw=part(message),
            content_type="application/json",
            region=account.region,
            city=account.city,
            latitude=degrees(place.get("latitude"), 90),
            longitude=degrees(place.get("longitude"), 180),
            product_line=account.product_line,
            answers=_answered(message),
            address=sender,
            session=f"{account.place}:{message.get('group_id') or sender}",
        )
    )


def _name(person: Object) -> str:
    profile = person.get("profile")
    told = profile if isinstance(profile, dict) else {}
    return text_of(told.get("name")) or text_of(told.get("username")) or "—"


def _identities(sender: str, user_id: Any, account: Account) -> tuple[Identity, ...]:
    """The number, which other channels know too, and the ids, which are WhatsApp's."""
    phone = phone_identity("+" + sender) if sender.isascii() and sender.isdigit() else None
    external = dict.fromkeys(f"{account.place}:{each}" for each in (sender, user_id) if each)
    return (*((phone,) if phone else ()), *(Identity("external", each) for each in external))


def _answered(message: Object) -> tuple[str, ...]:
    """The message that the customer quotes."""
    context = message.get("context")
    quoted = context.get("id") if isinstance(context, dict) else None
    return (quoted,) if isinstance(quoted, str) else ()


def _text(kind: str, message: Object) -> str | None:
    """What a person would read of it; None of a kind that nobody knows yet."""
    told: Any = message.get(kind)
    if kind == "text":
        return said(told["body"])
    if kind in _MEDIA:
        facts = (told["id"], told.get("mime_type"), told.get("filename"), told.get("sha256"))
        return lines(text_of(told.get("caption")), media_line(kind, *facts))
    if kind == "location":
        facts = (str(told["latitude"]), str(told["longitude"]), told.get("name"), told.get("address"))
        return media_line(kind, *facts)
    if kind == "contacts":
        return lines(*(media_line("contact", *_card(each)) for each in told))
    if kind == "button":
        return text_of(told.get("text")) or text_of(told.get("payload"))
    if kind == "interactive":
        return _chosen(told)
    if kind == "order":
        items = (f"{each['product_retailer_id']} × {each['quantity']}" for each in told["product_items"])
        return lines(text_of(told.get("text")), *(media_line("order", each) for each in items))
    return None


def _card(contact: Object) -> list[str]:
    name = contact.get("name") or {}
    phones = [text_of(each.get("phone")) for each in contact.get("phones") or []]
    return [text_of(name.get("formatted_name")), *phones]


def _chosen(interactive: Object) -> str | None:
    """The words on the button or in the list that a customer chose, or what they filled in."""
    kind = interactive["type"]
    if kind in ("button_reply", "list_reply"):
        choice = interactive[kind]
        return lines(said(choice["title"]), text_of(choice.get("description")))
    if kind == "nfm_reply":
        form = interactive[kind]
        return lines(text_of(form.get("body")), text_of(form.get("response_json")))
    return None


def _status(status: Object, incoming: Incoming) -> Iterator[Verdict]:
    state = _STATES.get(id_of(status["status"]))
    id = id_of(status["id"])
    if state is None:
        yield aside(f"status_{str(status['status'])[:40]}", status, id)
        return
    yield DeliveryTold(id, state, when(status["timestamp"], incoming.received_at), _fault(status))


def _fault(status: Object) -> str:
    """The provider's own words for why it failed, its number in front."""
    told = [
        f"{each.get('code')} {(each.get('error_data') or {}).get('details') or each.get('title')}"
        for each in status.get("errors") or []
    ]
    return "; ".join(told)


channel = Channel(
    name="whatsapp",
    secrets=SECRETS,
    optional=("access_token", "phone_number_id"),
    verify=verify,
    parse=parse,
    greet=greet,
    largest=LARGEST,
)
