"""Messages never go into the house by accident: the guard of addresses that people typed in."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import UTC, datetime
from threading import Event
from typing import Any
from uuid import UUID

import pytest

from contracts.receiving import WebReceiver, receiving
from shared.outgoing import Allowed, Forbidden, Outgoing
from sla_monitor.sinks.kind import Parcel, SinkUnusable
from sla_monitor.sinks.kinds import alertmanager, apprise, mail, webhook
from sla_monitor.sinks.kinds.mail import MailConfig
from sla_monitor.sinks.kinds.webhook import WebhookConfig
from sla_monitor.sinks.messages import body_of, text_of, title_of
from sla_monitor.sinks.registry import KINDS, KindUnknown, kind_of
from sla_monitor.sinks.rules import Terms

STRICT = Outgoing(Allowed.read(""), "https://aftercare.example")
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:a00:1::]/",
        "https://[::ffff:0:a00:1]/",
        "https://[::7f00:1]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[fec0::1]/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https:///nowhere",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com",
        "https://[::1",
        "",
    ],
)
def test_addresses_that_are_never_called(url: str) -> None:
    with pytest.raises(Forbidden):
        STRICT.check_url(url)


@pytest.mark.parametrize(
    "url", ["https://example.com/hook?a=1", "https://8.8.8.8/", "https://example.com:8443/"]
)
def test_addresses_that_may_be_called(url: str) -> None:
    STRICT.check_url(url)


@pytest.mark.parametrize("host", ["localhost", "127.1", "2130706433", "0x7f.0.0.1"])
async def test_a_name_that_leads_into_the_house_is_found_out(host: str) -> None:
    STRICT.check_host(host, encrypted=True)  # as a name it may be anything
    with pytest.raises(Forbidden):
        await STRICT.find(host, 443)


async def test_what_the_operator_allows_is_called_without_tls_too() -> None:
    out = Outgoing(Allowed.read("alertmanager.internal, 127.0.0.0/8, ::1/128"))
    out.check_url("http://alertmanager.internal:9093")
    out.check_url("http://127.0.0.1:9093")
    assert await out.find("127.0.0.1", 80) == "127.0.0.1"
    assert await out.find("localhost", 80) in ("127.0.0.1", "::1")
    with pytest.raises(Forbidden):
        out.check_url("http://elsewhere.internal")
    with pytest.raises(Forbidden):
        await out.find("10.0.0.1", 80)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_***", KEY.removeprefix("whsec_")])
def test_a_webhook_needs_a_key_that_cannot_be_guessed(secret: str) -> None:
    with pytest.raises(SinkUnusable, match="secret"):
        webhook.check(WebhookConfig(url="https://example.com"), secret, STRICT)
    webhook.check(WebhookConfig(url="https://example.com"), KEY, STRICT)


def test_every_kind_has_a_module_and_no_other() -> None:
    assert list(KINDS) == ["alertmanager", "apprise", "mail", "webhook"]
    assert kind_of("mail") is mail.KIND
    with pytest.raises(KindUnknown):
        kind_of("pigeon")


def test_without_the_extra_a_chat_says_what_to_install() -> None:
    with pytest.raises(SinkUnusable, match=r"aftercare-sla-monitor\[apprise\]"):
        apprise.check(apprise.AppriseConfig(), "wecombot://key", STRICT)


# What messages say.


def told(**changes: Any) -> dict[str, Any]:
    return {
        "id": str(UUID(int=1)),
        "clock_id": str(UUID(int=2)),
        "about": str(UUID(int=3)),
        "about_kind": "ticket",
        "title": "The press stands still\r\nBcc: all@example.com",
        "promise": "on_site",
        "requirement": "R54",
        "severity": "urgent",
        "region": "east",
        "threshold": 100,
        "revision": 0,
        "rung": "100",
        "deadline": NOON.isoformat(),
        "raised_at": NOON.isoformat(),
        "outcome": "breached",
        "confirmed": False,
        "owner_id": str(UUID(int=4)),
        "url": "https://aftercare.example/sla/subjects/3",
        **changes,
    }


OWNER, LEAD = UUID(int=4), UUID(int=5)
MAIL = MailConfig(
    host="mail.example.com",
    sender="aftercare@example.com",
    to=("team@example.com",),
    roles={"team_lead": "lead@example.com"},
    people={OWNER: "owner@example.com"},
)


def parcel(body: dict[str, Any], config: Any, language: str = "en") -> Parcel:
    terms = Terms.model_validate({"language": language})
    return Parcel(UUID(int=9), NOON, NOON, body, config, "", terms, STRICT)


def test_a_mail_goes_to_people_else_to_their_role_else_to_the_team() -> None:
    tell = (("owner", OWNER), ("team_lead", LEAD), ("supervisor", None))
    body = body_of("breach", [told()], tell, NOON)
    assert mail.addresses_of(MAIL, body) == ["owner@example.com", "team@example.com", "lead@example.com"]
    assert mail.addresses_of(MAIL, body_of("test", (), (), NOON)) == ["team@example.com"]


def test_a_mail_has_one_message_id_for_ever_and_no_more_headers_than_ours() -> None:
    body = body_of("breach", [told(promise="x\r\nBcc: all@example.com")], (("owner", None),), NOON)
    written = mail.mail_of(parcel(body, MAIL))
    assert written["Message-ID"] == f"<{UUID(int=9)}@aftercare.example>"
    assert (written["Bcc"], written["Auto-Submitted"]) == (None, "auto-generated")
    assert "The press stands still" in written.get_content()


def test_a_message_speaks_the_language_of_its_sink() -> None:
    body = body_of("breach", [told(), told(promise="accept")], (), NOON)
    assert title_of(body, "en") == "Missed: Arrive on site, Accept the task (2)"
    assert title_of(body, "zh-CN").startswith("已超时：到达现场")
    assert "Urgent · Arrive on site · east" in text_of(body, "en")
    assert "unconfirmed" in text_of(body, "en")


def test_alertmanager_knows_an_alert_again_by_its_labels_and_is_told_its_end() -> None:
    begun = alertmanager.alerts_of(parcel(body_of("breach", [told()], (), NOON), None))[0]
    over = alertmanager.alerts_of(parcel(body_of("retraction", [told(rung="retraction")], (), NOON), None))[0]
    assert begun["labels"] == over["labels"]
    assert begun["labels"]["alertname"] == "PromiseMissed"
    assert (begun["endsAt"] > NOON.isoformat(), over["endsAt"]) == (True, NOON.isoformat())
    assert "" not in alertmanager.labels_of(told(region=None, severity=None)).values()
    json.dumps(begun)


# What hangs stops nobody else.


async def test_names_that_nobody_answers_for_keep_no_other_from_being_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = Event()
    known = socket.getaddrinfo

    def look_up(host: str, *more: Any, **named: Any) -> Any:
        if host == "hangs.example":
            answered.wait(30)
        return known("8.8.8.8", *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    hanging = [asyncio.create_task(STRICT.find("hangs.example", 443)) for _ in range(40)]
    try:
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
            assert await STRICT.find("well.example", 443) == "8.8.8.8"
    finally:
        answered.set()
        await asyncio.gather(*hanging)


async def test_receivers_that_hang_leave_the_way_open_for_others() -> None:
    hanging, well = WebReceiver(answers=lambda number: None), WebReceiver()
    out = Outgoing(Allowed.read("127.0.0.0/8"))
    async with receiving(hanging), receiving(well):
        stuck = [asyncio.create_task(out.post(hanging.url, b"", {})) for _ in range(101)]
        await hanging.arrived(100)
        try:
            async with asyncio.timeout(5):
                assert (await out.post(well.url, b"", {})).status == 204
        finally:
            for each in stuck:
                each.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
            await out.close()
