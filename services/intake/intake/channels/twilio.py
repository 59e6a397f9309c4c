"""Twilio's signature, and the form it signs.

Source: https://www.twilio.com/docs/usage/security#validating-requests, and for ports, repeated parameters and
JSON bodies what its own libraries do (github.com/twilio/twilio-python, twilio/request_validator.py).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from intake.channels.contract import Account, Incoming, NotGenuine
from intake.channels.lenient import storable

_PORTS: Final = {"https": 443, "http": 80}
_BODY_DIGEST: Final = "bodySHA256"
_SECRETS: Final = ("auth_token", "previous_auth_token")


def verify(incoming: Incoming, account: Account) -> None:
    """HMAC-SHA1 over the address and the sorted form; of a JSON body, over an address that has its digest."""
    signed = _signed(incoming)
    sent = incoming.headers.get("x-twilio-signature", "").encode()
    tokens = [account.secrets[name].encode() for name in _SECRETS if account.secrets.get(name)]
    signatures = [
        _signature(token, url.encode() + signed) for token in tokens for url in _addresses(incoming.url)
    ]
    if not sum(hmac.compare_digest(sent, each) for each in signatures):  # all of them, whichever fits
        raise NotGenuine(channel="Twilio")


def is_json(incoming: Incoming) -> bool:
    """Whether the address, not a form, says what the body is."""
    return _BODY_DIGEST in incoming.query


def form(incoming: Incoming) -> Mapping[str, str]:
    """The first value of each parameter, as it can be stored."""
    fields: dict[str, str] = {}
    for name, value in _pairs(incoming.body):
        fields.setdefault(_text(name), _text(value))
    return fields


def _signed(incoming: Incoming) -> bytes:
    """What is signed behind the address. Raises `NotGenuine`."""
    if not is_json(incoming):
        return b"".join(name + value for name, value in sorted(set(_pairs(incoming.body))))
    digest = hashlib.sha256(incoming.body).hexdigest()
    if not hmac.compare_digest(digest.encode(), incoming.query[_BODY_DIGEST].lower().encode()):
        raise NotGenuine(channel="Twilio")
    return b""


def _signature(token: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.new(token, signed, hashlib.sha1).digest())


def _addresses(url: str) -> Iterable[str]:
    """With the port and without: which of them was signed depends on Twilio's product."""
    parts = urlsplit(url)
    bare = parts.netloc.removesuffix(f":{parts.port}") if parts.port else parts.netloc
    port = parts.port or _PORTS.get(parts.scheme)
    rest = url[len(parts.scheme) + len("://") + len(parts.netloc) :]
    return [f"{parts.scheme}://{host}{rest}" for host in (bare, f"{bare}:{port}")]


def _pairs(body: bytes) -> list[tuple[bytes, bytes]]:
    """The form's names and values byte for byte, for these are signed; Latin-1 has one character for each."""
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def _text(value: bytes) -> str:
    return storable(value.decode("utf-8", "replace"))
