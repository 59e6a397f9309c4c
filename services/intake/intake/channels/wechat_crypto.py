"""How WeChat and WeCom sign and seal what they post.

The signature is the SHA-1 of the token, the timestamp, the nonce and what is sealed, sorted and joined. The
seal is AES-256-CBC, the key's first 16 bytes its first block, over 16 random bytes, the length of the message
(four bytes, the highest first), the message, and for whom it is, padded to a multiple of 32 (PKCS#7).

Source: https://developer.work.weixin.qq.com/document/path/90968 and
https://developers.weixin.qq.com/doc/offiaccount/Message_Management/Message_encryption_and_decryption_instructions.html
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from intake.channels.contract import Incoming, NotGenuine, SignedTooLongAgo
from intake.channels.recent import lately

_RANDOM: Final = 16
_LENGTH: Final = 4
_BLOCK: Final = 16  # bytes, as AES has them
_LONGEST_PADDING: Final = 32


def signature(token: str, *parts: str) -> str:
    """What stands in `signature` (without a sealed part) and in `msg_signature` (with one)."""
    return hashlib.sha1("".join(sorted((token, *parts))).encode()).hexdigest()


def check(incoming: Incoming, provider: str, token: str, sealed: str | None = None) -> None:
    """Raise `NotGenuine` unless the call is signed with the token, and within five minutes of now."""
    told = incoming.query
    timestamp, nonce = told.get("timestamp", ""), told.get("nonce", "")
    name, parts = ("signature", ()) if sealed is None else ("msg_signature", (sealed,))
    expected = signature(token, timestamp, nonce, *parts)
    if not hmac.compare_digest(told.get(name, "").encode(), expected.encode()):
        raise NotGenuine(channel=provider)
    if not lately(timestamp, incoming.received_at):
        raise SignedTooLongAgo(channel=provider)


def unsealed(sealed: str, encoded_key: str, receiver: str, provider: str) -> bytes:
    """The message for `receiver` that is sealed with the account's EncodingAESKey.

    Comes after `check`: only then does it tell nobody anything that it fails. Raises `NotGenuine`.
    """
    plain = _decrypted(sealed, encoded_key)
    padding = plain[-1] if plain else 0
    if not 1 <= padding <= _LONGEST_PADDING or plain[-padding:] != bytes([padding]) * padding:
        raise NotGenuine(channel=provider)
    plain = plain[:-padding]
    begin = _RANDOM + _LENGTH
    end = begin + int.from_bytes(plain[_RANDOM:begin])
    if not begin < end <= len(plain) or not hmac.compare_digest(plain[end:], receiver.encode()):
        raise NotGenuine(channel=provider)
    return plain[begin:end]


def _decrypted(sealed: str, encoded_key: str) -> bytes:
    """With its padding; nothing of what cannot have been sealed with such a key."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    try:
        key = base64.b64decode(encoded_key + "=", validate=True)
        cipher = base64.b64decode(sealed, validate=True)
    except ValueError:
        return b""
    if len(key) != 32 or not cipher or len(cipher) % _BLOCK:
        return b""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(key[:_BLOCK])).decryptor()
    return decryptor.update(cipher) + decryptor.finalize()
