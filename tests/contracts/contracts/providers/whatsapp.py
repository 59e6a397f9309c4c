"""WhatsApp signs the raw body with the app's secret; it escapes slashes and what is not ASCII."""

import json
from typing import Any

from contracts.providers import Genuine, named
from contracts.signing import META, meta_signed


def value(*messages: Any, name: str = "messages", **more: Any) -> dict[str, Any]:
    """One change of one entry, with contacts for all who wrote."""
    senders = [each["from"] for each in messages if isinstance(each, dict) and "from" in each]
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "8613900000000", "phone_number_id": "1065403522"},
        "contacts": [{"profile": {"name": "示例客户"}, "wa_id": each} for each in senders],
        name: list(messages),
        **more,
    }


def batch(*values: dict[str, Any], field: str = "messages") -> bytes:
    changes = [{"value": each, "field": field} for each in values]
    told = {"object": "whatsapp_business_account", "entry": [{"id": "1022901293", "changes": changes}]}
    return json.dumps(told).replace("/", "\\/").encode()


def text(number: int, body: str = "水泵漏水 😀 https://a.example/b") -> dict[str, Any]:
    return {
        "from": f"8613{number % 10**9:09d}",
        "id": f"wamid.HBg{number}=",
        "timestamp": "1760000000",
        "type": "text",
        "text": {"body": body},
    }


genuine = Genuine(
    channel="whatsapp",
    secrets=META,
    message=lambda number: batch(value(text(number))),
    sign=meta_signed,
    proof="x-hub-signature-256",
    ids=named("id"),
)
