"""WeChat's and WeCom's side of the wire, by their documentation and not with the code under test."""

import base64
import hashlib
import os
import re
from datetime import UTC, datetime
from urllib.parse import urlencode

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from contracts.providers import Signed
from shared.clock import clock

TOKEN = "QDG6eK"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
BEGUN = datetime(2026, 3, 2, 9, tzinfo=UTC)
RECEIVER = "wx5823bf96d3bd56c7"


def text(number: int, said: str = "水泵漏水 😀") -> bytes:
    return (
        f"<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName>"
        f"<FromUserName><![CDATA[o6_{number}]]></FromUserName><CreateTime>{int(clock.now().timestamp())}</CreateTime>"
        f"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{said}]]></Content>"
        f"<MsgId>{number}</MsgId><AgentID>218</AgentID></xml>"
    ).encode()


def seal(message: bytes, receiver: str = RECEIVER, *, length: int | None = None, raw: bool = False) -> str:
    """`length` is what the four bytes say; with `raw`, `message` is all of it, padding too."""
    plain = message
    if not raw:
        told = len(message) if length is None else length
        padder = PKCS7(256).padder()
        whole = os.urandom(16) + told.to_bytes(4) + message + receiver.encode()
        plain = padder.update(whole) + padder.finalize()
    key = base64.b64decode(AES_KEY + "=")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()


def signature(*parts: str) -> str:
    return hashlib.sha1("".join(sorted((TOKEN, *parts))).encode()).hexdigest()


def call(sealed: str, *, ago: float = 0, nonce: str | None = None) -> Signed:
    """A sealed message as it is posted."""
    told = {
        "timestamp": str(int(clock.now().timestamp() - ago)),
        "nonce": nonce or str(int.from_bytes(os.urandom(6))),
    }
    query = {**told, "msg_signature": signature(*told.values(), sealed)}
    body = f"<xml><ToUserName><![CDATA[x]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    return Signed(body.encode(), {"content-type": "text/xml"}, urlencode(query))


def sign(url: str, body: bytes) -> Signed:
    return call(seal(body))


def ids(body: bytes) -> set[str]:
    """MsgId, as it is written."""
    found = re.search(rb"<MsgId>(?:<!\[CDATA\[)?([^<\]]+)", body)
    return {found[1].decode("utf-8", "replace")} if found else set()
