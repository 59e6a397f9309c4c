"""What customers ask, drawn from a seed, and so what must come out: the oracle.

A wish's reference stands in its title, so that it is found again in every table whatever brought it there.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

CUSTOMERS: Final = 60
JSON: Final = "application/json"
_WORDS: Final = (  # text, severity, kind
    ("设备冒烟，完全不能用！", "urgent", "fault"),
    ("The compressor overheats and sometimes stops.", "important", "fault"),
    ("空调漏水，制冷效果差。", "important", "fault"),
    ("请问滤芯多久更换一次？", "general", "enquiry"),
    ("Please install the new pump next week.", "general", "installation"),
    ("Where is my order? The delivery date has passed.", "general", "order_query"),
)
_PLACES: Final = (("east", "shanghai"), ("east", "suzhou"), ("north", "beijing"), ("north", "tianjin"))
_FORMS: Final = ("web_form", "web_chat", "social", "sms")
_WAYS: Final = {"form": 5, "source": 2, "mail": 3, "phone": 1}
_BAD_SHARE: Final = 0.06
_REPEATED_SHARE: Final = 0.15


@dataclass(frozen=True)
class Wish:
    """One request of one customer as its channel brings it.

    `refused` is the status of what must be refused, None for what must be accepted. `repeated`: the channel
    delivers it twice, as channels do. `keyed`: the channel sends an Idempotency-Key, and a new one with each
    delivery if it names the message itself.
    """

    reference: str
    path: str
    body: bytes
    severity: str = ""
    kind: str = ""
    content_type: str = JSON
    params: Mapping[str, str] = field(default_factory=dict)
    keyed: bool = True
    named: bool = False
    anonymous: bool = False
    repeated: bool = False
    refused: int | None = None

    def key(self, delivery: int) -> str:
        return f"{self.reference}/{delivery}" if self.named else self.reference


class Wishes:
    """Deals out wishes; `dealt` has all of them."""

    def __init__(self, seed: int, count: int) -> None:
        self.dealt: list[Wish] = []
        self._count = count
        self._chance = random.Random(f"{seed}/wishes")

    def __iter__(self) -> Iterator[Wish]:
        """`count` good ones, and the bad ones between them."""
        good = 0
        while good < self._count:
            bad = self._chance.random() < _BAD_SHARE
            good += not bad
            self.dealt.append(self._bad() if bad else self._good())
            yield self.dealt[-1]

    def _good(self) -> Wish:
        reference = f"ref-{len(self.dealt):06}"
        text, severity, kind = self._chance.choice(_WORDS)
        way = self._chance.choices(tuple(_WAYS), tuple(_WAYS.values()))[0]
        make = {"form": self._form, "source": self._source, "mail": self._mail, "phone": self._phone}[way]
        return make(reference, text, severity, kind, self._chance.random() < _REPEATED_SHARE)

    def _form(self, reference: str, text: str, severity: str, kind: str, repeated: bool) -> Wish:
        body = json.dumps(self._described(reference, text))
        return Wish(reference, "/intake/requests", body.encode(), severity, kind, repeated=repeated)

    def _source(self, reference: str, text: str, severity: str, kind: str, repeated: bool) -> Wish:
        """Another system, which names its messages, and sends one again under a new key."""
        body = json.dumps({**self._described(reference, text), "external_id": reference})
        path = "/intake/requests"
        return Wish(reference, path, body.encode(), severity, kind, named=True, repeated=repeated)

    def _mail(self, reference: str, text: str, severity: str, kind: str, repeated: bool) -> Wish:
        region, city = self._chance.choice(_PLACES)
        body = (
            f"From: Customer <{self._customer()}@example.com>\r\nMessage-ID: <{reference}@example.com>\r\n"
            f"Subject: {reference}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        )
        return Wish(
            reference, "/intake/channels/email", body.encode(), severity, kind, content_type="message/rfc822",
            params={"region": region, "city": city}, keyed=False, repeated=repeated,
        )  # fmt: skip

    def _phone(self, reference: str, text: str, severity: str, kind: str, repeated: bool) -> Wish:
        told = self._described(reference, text)
        region = told.pop("region")
        del told["channel"]
        body = json.dumps({"call_id": reference, "event": "answered", "region": region, "request": told})
        path = "/intake/channels/phone"
        return Wish(reference, path, body.encode(), severity, kind, named=True, repeated=repeated)

    def _bad(self) -> Wish:
        reference = f"bad-{len(self.dealt):06}"
        form = self._described(reference, "This must never be stored.")
        path = "/intake/requests"

        def sent(changed: Mapping[str, object]) -> bytes:
            return json.dumps({**form, **changed}).encode()

        faults = (
            Wish(reference, path, sent({"description": ""}), refused=422),
            Wish(reference, path, sent({"description": "\0"}), refused=422),
            Wish(reference, path, sent({"owner_id": "me"}), refused=422),
            Wish(reference, path, sent({"customer": {"name": "nobody"}}), refused=422),
            Wish(reference, path, sent({"occurred_at": "2001-01-01T00:00:00Z"}), refused=422),
            Wish(reference, path, sent({})[:-1], refused=400),
            Wish(reference, path, sent({}), keyed=False, refused=400),
            Wish(reference, path, sent({}), anonymous=True, refused=401),
            Wish(reference, "/intake/channels/email", sent({}), keyed=False, refused=415),
        )
        return self._chance.choice(faults)

    def _described(self, reference: str, text: str) -> dict[str, object]:
        region, city = self._chance.choice(_PLACES)
        return {
            "channel": self._chance.choice(_FORMS),
            "customer": {"name": reference, "phone": f"+86138{self._customer().zfill(8)}"},
            "region": region,
            "city": city,
            "title": reference,
            "description": text,
        }

    def _customer(self) -> str:
        return str(self._chance.randrange(CUSTOMERS))
