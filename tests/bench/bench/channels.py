"""What the doors of channels cost over the plain one: a signature, an account's secrets, another shape."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

import httpx

from allinone.services import topology
from bench.doors import CLIENTS, at
from bench.figure import Figure, Numbers, Ratio, Side
from bench.load import post, post_signed
from bench.stage import Stage
from bench.suite import REQUEST, SETTINGS, adapter_token
from chaos.processes import running
from intake.app import service as intake
from shared.clock import uuid7
from shared.http.auth import Principal, mint

PLAIN: Final = "POST /intake/requests"
WHATSAPP: Final = "POST /intake/channels/whatsapp"
MAIL: Final = "POST /intake/channels/email"
DOORS: Final = (PLAIN, WHATSAPP, MAIL)

_ACCOUNT: Final = "bench"
_SECRETS: Final = {"app_secret": "5f4dcc3b5aa765d61d8327deb882cf99", "verify_token": "bench"}
_PER_SECOND: Final = 5_000
"""Messages that are signed beforehand; more than are taken, or the same ones would come again."""
_RUNS: Final = count(1000)
"""Each run has customers of its own, by the beginning of their numbers."""


@asynccontextmanager
async def sides(stage: Stage) -> AsyncIterator[Sequence[Side]]:
    broker, database = await stage.vhost(topology()), await stage.database(intake)
    product = stage.replica(
        "intake", AFTERCARE_DATABASE_URL=database("intake"), AFTERCARE_AMQP_URL=broker("intake")
    )
    seconds = 1 if stage.quick else 2
    async with running(product):
        base = f"http://127.0.0.1:{product.port}"
        await _set_up(base)
        plain = partial(_post_plain, base)
        whatsapp = partial(_post_whatsapp, base, stage.folder)
        mail = partial(_post_mail, base)
        yield [
            Side(at(name, clients), partial(run, clients=clients, seconds=seconds))
            for clients in CLIENTS
            for name, run in zip(DOORS, (plain, whatsapp, mail), strict=True)
        ]


async def _set_up(base: str) -> None:
    token = mint(Principal("bench", frozenset({"admin"})), SETTINGS, timedelta(hours=1))
    wanted = {"secrets": _SECRETS, "region": "east", "city": "shanghai"}
    async with httpx.AsyncClient(base_url=base, headers={"authorization": f"Bearer {token}"}) as client:
        answer = await client.put(f"/intake/channels/whatsapp/accounts/{_ACCOUNT}", json=wanted)
        answer.raise_for_status()


async def _post_plain(base: str, *, clients: int, seconds: float) -> Numbers:
    body = REQUEST.replace("+8613$digits", f"+86{next(_RUNS)}$digits")
    return await post(f"{base}/intake/requests", clients, seconds, body, adapter_token())


async def _post_whatsapp(base: str, folder: Path, *, clients: int, seconds: float) -> Numbers:
    file = folder / f"signed-{uuid7().hex}"
    run = next(_RUNS)
    file.write_bytes(b"".join(_signed(run, number) for number in range(int(_PER_SECOND * seconds))))
    try:
        url = f"{base}/intake/channels/whatsapp/{_ACCOUNT}"
        return await post_signed(url, clients, seconds, "X-Hub-Signature-256", file)
    finally:
        file.unlink()


async def _post_mail(base: str, *, clients: int, seconds: float) -> Numbers:
    url = f"{base}/intake/channels/email?account=bench&region=east&city=shanghai"
    content_type = "message/rfc822"
    return await post(url, clients, seconds, _mail(next(_RUNS)), adapter_token(), content_type=content_type)


def _mail(run: int) -> str:
    """A mail of one new customer as a mail program writes it, with the words of the plain door's request."""
    told = json.loads(REQUEST)
    mail = EmailMessage()
    mail["From"] = f"Example customer <customer-{run}-$digits@example.com>"
    mail["To"] = "bench@example.com"
    mail["Subject"] = "Example request"
    mail["Message-ID"] = "<$key@example.com>"
    mail.set_content(told["description"], charset="utf-8", cte="8bit")
    mail.add_alternative(f"<p>{told['description']}</p>", subtype="html", charset="utf-8", cte="8bit")
    return mail.as_bytes(policy=SMTP).decode()


def _signed(run: int, number: int) -> bytes:
    """One message of one new customer, in a batch of its own, with the words of the plain door's request."""
    id = uuid7().hex
    told = json.loads(REQUEST.replace("$number", str(number)))
    message = {
        "from": f"86{run}{number:09d}",
        "id": f"wamid.{id}",
        "timestamp": "1760000000",
        "type": "text",
        "text": {"body": told["description"]},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "8613900000000", "phone_number_id": "1065403522"},
        "contacts": [{"profile": {"name": "Example customer"}, "wa_id": message["from"]}],
        "messages": [message],
    }
    entry = {"id": "1022901293", "changes": [{"field": "messages", "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    digest = hmac.new(_SECRETS["app_secret"].encode(), body, hashlib.sha256).hexdigest()
    return f"sha256={digest}\t".encode() + body + b"\n"


FIGURE: Final = Figure(
    "channels",
    "One message of a new customer through a provider's door (verified, parsed) and through that of mails (a "
    "mail with text and HTML, read by the reading process), stored with all that follows, beside the same "
    "words through the plain JSON door of the same process.",
    sides,
    tuple(
        Ratio(f"{name} over plain JSON, {clients}", "requests/s", at(door, clients), at(PLAIN, clients))
        for name, door in (("WhatsApp", WHATSAPP), ("e-mail", MAIL))
        for clients in CLIENTS
    ),
)
