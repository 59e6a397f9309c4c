"""Signatures by OpenSSL's program, which shares nothing with the code under test but the standards."""

from __future__ import annotations

import base64
import subprocess
from functools import cache
from typing import Final

from contracts.providers import Signed

META: Final = {"app_secret": "5f4dcc3b5aa765d61d8327deb882cf99", "verify_token": "a token of ours"}


@cache
def hmac(algorithm: str, key: str, message: bytes) -> bytes:
    """Of `message`, by `openssl dgst`."""
    command = ["openssl", "dgst", f"-{algorithm}", "-mac", "HMAC", "-macopt", f"hexkey:{key.encode().hex()}"]
    return subprocess.run([*command, "-binary"], input=message, capture_output=True, check=True).stdout


def in_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def meta_signed(url: str, body: bytes) -> Signed:
    """With X-Hub-Signature-256, and the older one that Meta sends beside it."""
    return Signed(
        body,
        {
            "content-type": "application/json",
            "x-hub-signature": "sha1=" + hmac("sha1", META["app_secret"], body).hex(),
            "x-hub-signature-256": "sha256=" + hmac("sha256", META["app_secret"], body).hex(),
        },
    )
