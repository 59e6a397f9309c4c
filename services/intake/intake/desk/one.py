"""All that the page of one request shows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from intake.answers import store as answers
from intake.attachments import store as attachments
from intake.calls.routes import LISTENERS
from intake.customers import store as customers
from intake.desk import timeline
from intake.devices import store as devices
from intake.incidents import store as incidents
from intake.messages import suggestions
from intake.messages.rules import is_by_another
from intake.optouts.rules import wants_no_more
from intake.optouts.store import load_withdrawn
from intake.places.pages import look_at_place
from intake.progress.links import path_of
from intake.requests import access, store
from intake.requests.routes import absolute, look_at_customer
from intake.requests.rules import is_solvable
from intake.sending.fates import fates_of
from intake.sending.reach import nobody_reads
from intake.sending.words import language_of
from shared.db import Tx
from shared.http.auth import Principal
from shared.i18n import day_of
from shared.settings import Settings


async def look(tx: Tx, id: UUID, viewer: Principal, settings: Settings) -> dict[str, Any]:
    """What `request.html` needs; that they looked is recorded. Raises `NoSuchRequest`."""
    asked = await access.load(tx, viewer, id)
    customer = await look_at_customer(tx, asked, viewer.id)
    happened = await timeline.load(tx, asked)
    said = [each.it for each in happened if each.what == "message"]
    heard = next((each.text for each in reversed(said) if each.direction == "in"), None)
    identities = await customers.load_identities(tx, asked.customer_id)
    return {
        "asked": asked,
        "customer": customer,
        "identities": identities,
        "by_others": {each.id for each in said if is_by_another(each, identities)},
        "judgements": (await store.load_judgements(tx, [id]))[id],
        "happened": happened,
        "fates": await fates_of(tx, said),
        "attachments": await attachments.load_by_message(tx, [each.id for each in said]),
        "suggested": await suggestions.load(tx, id),
        "no_more": wants_no_more(asked.channel, await load_withdrawn(tx, [asked.customer_id])),
        "nobody_reads": await nobody_reads(tx, id),
        "place": await look_at_place(tx, asked),
        "follow": absolute(path_of(id, settings), settings.public_url),
        "incident": await incidents.load_of_request(tx, id),
        "may_listen": bool(LISTENERS & viewer.roles),
        "solvable": is_solvable(asked.kind, asked.closed_at),
        "templates": await answers.load_titles(tx, first=language_of(heard)),
        **await _products(tx, asked),
    }


async def _products(tx: Tx, asked: store.Request) -> dict[str, Any]:
    """What the customer owns, covered or not on the day they asked (R12, R76), and which it is about."""
    about = await devices.load_about(tx, asked.id)
    owned = [
        each for each in await devices.load_of(tx, asked.customer_id) if not about or each.id != about.id
    ]
    each_one = [about, *owned] if about else owned
    covered = await devices.covered(tx, each_one, day_of(asked.received_at))
    return {
        "about": about,
        "products": list(zip(each_one, covered, strict=True)),
        "contracts": await devices.load_contracts(tx, asked.customer_id),
    }
