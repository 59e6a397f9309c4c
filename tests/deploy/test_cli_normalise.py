"""`aftercare normalise`: what intake would make of a payload, told to who writes an adapter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from allinone.cli import app
from contracts import wechat as wire
from contracts.providers import ACCOUNT, genuine
from contracts.serving import clock_kept
from intake.channels.trial import language
from shared.clock import clock

MAIL = (
    "From: 张三 <zhang@example.com>\r\nSubject: =?utf-8?b?5rC05rO15ryP5rC0?=\r\nMessage-ID: <{id}>\r\n{more}"
)
ATTACHED = (
    'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\n\r\n水泵漏水了\r\n\r\n> 上次说\r\n'
    '--x\r\nContent-Type: application/pdf; name="a.pdf"\r\nContent-Disposition: attachment; '
    'filename="a.pdf"\r\n\r\n%PDF-1.4 x\r\n--x--\r\n'
)


def tell(*arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
    shown = CliRunner().invoke(app, ["normalise", *map(str, arguments)])
    assert shown.exit_code == code, shown.output
    return [json.loads(line) for line in shown.stdout.splitlines()]


def test_mails_are_told_as_intake_reads_them(tmp_path: Path) -> None:
    bodies = (
        MAIL.format(id="a@b", more=ATTACHED),
        MAIL.format(id="a@b", more="\r\nagain"),
        MAIL.format(id="c@b", more="Auto-Submitted: auto-replied\r\n\r\naway"),
    )
    files = [tmp_path / f"{number}.eml" for number in range(4)]
    for file, body in zip(files, bodies, strict=False):
        file.write_text(body, newline="")
    first, again, automatic, gone = tell("--channel", "email", *files, code=1)
    assert (first["verdict"], first["verified"], first["external_id"]) == ("request", False, "<a@b>")
    assert (first["subject"], first["text"], first["language"]) == ("水泵漏水", "水泵漏水了", "zh")
    assert first["sender"] == {"kind": "email", "id": "zhang@example.com"}
    assert [each["name"] for each in first["attachments"]] == ["a.pdf"]
    assert again["verdict"] == "duplicate"
    assert (automatic["verdict"], automatic["automatic"]) == ("event", "auto_submitted")
    assert "unread" in gone


def test_a_picture_speaks_the_language_of_its_caption(tmp_path: Path) -> None:
    """R03: what stands for the picture is nobody's words."""
    picture = {"caption": "看这里", "mime_type": "image/jpeg", "id": "777"}
    message = {
        "from": "8613800000000",
        "id": "1",
        "timestamp": "1795000000",
        "type": "image",
        "image": picture,
    }
    value = {"messages": [message], "contacts": []}
    call = tmp_path / "call.json"
    call.write_text(json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}))
    [line] = tell("--channel", "whatsapp", call)
    assert (line["language"], line["subject"]) == ("zh", "看这里")
    assert line["text"] == "看这里\n[image 777 image/jpeg]"


def test_forms_and_calls_are_held_to_their_rules(tmp_path: Path) -> None:
    form, call = tmp_path / "form.json", tmp_path / "call.json"
    form.write_text('{"customer": {}, "description": ""}')
    [refused] = tell("--channel", "web_form", form)
    assert refused["verdict"] == "refused"
    assert "/customer: " in refused["reason"] and "/description: " in refused["reason"]  # noqa: PT018
    call.write_text('{"call_id": "1", "event": "missed"}')
    rung, again = tell("--channel", "phone", call, call)
    assert (rung["verdict"], rung["reason"], again["verdict"]) == ("event", "call missed", "duplicate")


@pytest.fixture
def told_the_time() -> Iterator[None]:
    """A clock, also where no database has told the time yet."""
    with clock_kept():
        clock.set(clock.now() if clock.synced else wire.BEGUN)
        yield


@pytest.mark.usefixtures("told_the_time")
@pytest.mark.parametrize("channel", genuine())
def test_a_genuine_call_is_verified_and_a_forged_one_refused(channel: str, tmp_path: Path) -> None:
    provider = genuine()[channel]
    at = clock.now()
    call = provider.signed(provider.message(1))
    body, headers = tmp_path / "body", tmp_path / "headers.json"
    body.write_bytes(call.body)
    headers.write_text(json.dumps(dict(call.headers)))
    url = f"http://127.0.0.1:8000/intake/channels/{channel}/{ACCOUNT}"
    url += f"?{call.query}" if call.query else ""
    secrets = [f"--secret={name}={value}" for name, value in provider.secrets.items()]
    known: list[str | Path] = [
        "--channel",
        channel,
        "--headers",
        headers,
        "--url",
        url,
        "--at",
        at.isoformat(),
    ]
    lines = tell(*known, *secrets, body)
    assert {each["verdict"] for each in lines} == {"event" if provider.announces else "request"}
    assert {each["verified"] for each in lines} == {True}
    wrong = [f"{each}x" for each in secrets]
    assert [each["verdict"] for each in tell(*known, *wrong, body)] == ["refused"]


@pytest.mark.usefixtures("told_the_time")
@pytest.mark.parametrize("channel", genuine())
def test_many_calls_are_tried_at_once_each_as_it_came(channel: str, tmp_path: Path) -> None:
    provider, at = genuine()[channel], clock.now()

    def came(name: str, number: int, at: datetime, more: bytes = b"") -> Path:
        call = provider.signed(provider.message(number))
        file = tmp_path / name
        file.write_bytes(call.body + more)
        url = f"http://127.0.0.1:8000{provider.path}" + (f"?{call.query}" if call.query else "")
        told = {"headers": dict(call.headers), "url": url, "at": at.isoformat()}
        (tmp_path / f"{name}.call").write_text(json.dumps(told))
        return file

    files = [came("one", 1, at), came("two", 2, at), came("again", 1, at + timedelta(minutes=4))]
    files += [came("later", 3, at + timedelta(minutes=6)), came("changed", 4, at, b"\n")]
    secrets = [f"--secret={name}={value}" for name, value in provider.secrets.items()]
    one, two, again, later, changed = tell("--channel", channel, *secrets, *files)
    fine = "event" if provider.announces else "request"
    assert [each["verdict"] for each in (one, two)] == [fine] * 2
    assert again["verdict"] == ("event" if provider.announces else "duplicate")
    if channel in ("chat", "wechat", "wecom", "wecom_kf"):  # whose signatures run out
        assert (later["verdict"], later["verified"]) == ("refused", False)
        assert "more than five minutes" in later["reason"]
    assert (changed["verdict"] == "refused") is provider.covers_body


def test_what_cannot_be_tried_is_said(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"{}")
    tell("--channel", "pigeon", body, code=2)
    tell("--channel", "telegram", "--secret", "bot_token=x", body, code=2)
    assert [each["reason"] for each in tell("--channel", "telegram", body)] == ["unreadable"]
    for wrong in ("[]", '{"at": "soon"}', '{"at": "2026-03-02T09:00:00"}', '{"url": 1}', '{"headers": []}'):
        (tmp_path / "body.call").write_text(wrong)
        tell("--channel", "telegram", body, code=2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("水泵漏水", "zh"),
        ("AC-2000 不制冷", "zh"),
        ("The pump leaks", "en"),
        ("水が漏れる", "other"),
        ("물이 새요", "other"),
        ("насос течёт", "other"),
        ("12345", "other"),
    ],
)
def test_a_language_is_told_by_its_script(text: str, told: str) -> None:
    assert language(text) == told
