"""The backend of a chat on a page of ours signs by Standard Webhooks."""

import base64
import hashlib
import hmac
import json

from contracts.providers import Genuine, Signed
from shared.clock import clock, uuid7

_KEY = b"0123456789abcdef0123456789abcdef"


def _message(number: int) -> bytes:
    customer = {"id": f"visitor-{number}", "name": "示例", "phone": "", "email": ""}
    told = {
        "session_id": f"s-{number}",
        "message_id": str(number),
        "text": "水泵漏水 😀",
        "customer": customer,
    }
    return json.dumps(told).encode()


def _ids(body: bytes) -> set[str]:
    """A message's id is its session's and its own: backends may count in each session from 1."""
    try:
        told = json.loads(body)
        return {f"{told['session_id']}:{told['message_id']}"}
    except (ValueError, KeyError, TypeError):
        return set()


def _sign(url: str, body: bytes) -> Signed:
    id, timestamp = f"msg_{uuid7()}", str(int(clock.now().timestamp()))
    digest = hmac.new(_KEY, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
    return Signed(body, headers)


genuine = Genuine(
    channel="chat",
    secrets={"secret": "whsec_" + base64.b64encode(_KEY).decode()},
    message=_message,
    sign=_sign,
    proof="webhook-signature",
    ids=_ids,
)
