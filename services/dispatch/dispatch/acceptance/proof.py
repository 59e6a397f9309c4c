"""The proof that our page was shown: mail scanners open links, but do not send what the page holds."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Final

from dispatch.acceptance.rules import PROOF_LIVES
from shared.http.keys import keys_for
from shared.settings import Settings

_FORM: Final = re.compile(r"([0-9]{1,12})\.([\w-]{43})", re.ASCII)
_PURPOSE: Final = "acceptance proof"


def _message(token: str, issued: int) -> bytes:
    return f"{issued} {token}".encode()


def make_proof(token: str, now: datetime, settings: Settings) -> str:
    """What the page of this link, shown now, sends back with the answer."""
    issued = int(now.timestamp())
    signature = keys_for(_PURPOSE, settings)[0].sign(_message(token, issued))
    return f"{issued}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def proves(proof: str, token: str, now: datetime, settings: Settings) -> bool:
    """Whether our page of this very link showed `proof`, not too long ago."""
    match = _FORM.fullmatch(proof)
    if match is None:
        return False
    issued = int(match[1])
    age = now.timestamp() - issued
    signature = base64.urlsafe_b64decode(match[2] + "=")
    if not 0 <= age + 1 <= PROOF_LIVES.total_seconds():
        return False
    return any(key.verifies(_message(token, issued), signature) for key in keys_for(_PURPOSE, settings))
