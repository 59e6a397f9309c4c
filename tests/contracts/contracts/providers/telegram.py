"""Telegram posts updates with a secret of ours in a header."""

import json
from typing import Any

from contracts.providers import Genuine, Signed

_SECRET = "Secret_of-the_bot"


def _message(number: int) -> bytes:
    sender = {"id": 5_000_000_000 + number, "is_bot": False, "first_name": "示例", "language_code": "zh"}
    message = {
        "message_id": number,
        "from": sender,
        "chat": {"id": sender["id"], "type": "private", "first_name": "示例"},
        "date": 1_760_000_000,
        "text": "水泵漏水 😀",
    }
    return json.dumps({"update_id": number, "message": message}).encode()


def _ids(body: bytes) -> set[str]:
    """A message's id is its chat's and its own."""
    try:
        message: Any = json.loads(body)["message"]
        return {f"{message['chat']['id']}:{message['message_id']}"}
    except (ValueError, KeyError, TypeError, IndexError):
        return set()


def _sign(url: str, body: bytes) -> Signed:
    return Signed(body, {"content-type": "application/json", "x-telegram-bot-api-secret-token": _SECRET})


genuine = Genuine(
    channel="telegram",
    secrets={"secret_token": _SECRET},
    message=_message,
    sign=_sign,
    proof="x-telegram-bot-api-secret-token",
    ids=_ids,
    covers_body=False,
)
