"""Nothing that belongs to a person reaches a log, a metric or an error, whichever way it comes in."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
import structlog

from shared import logs
from shared.http.metrics import exposition
from shared.logs import redact

if TYPE_CHECKING:
    import httpx

    from doors import Toy

NAME = "Zebulon-Quixote"
PHONE = "+86 138 0013 8000"
MAIL = "zebulon@quixote.example"
TOKEN = "eyJhbGciOiJub25lIn0.emVidWxvbg.c2lnbmF0dXJl"
CANARIES = (NAME, PHONE, MAIL, TOKEN, "138 0013 8000", "13800138000", "quixote")
EVERYTHING = f"{NAME} {PHONE} {MAIL} Bearer {TOKEN}"


def clean(text: str) -> None:
    for canary in CANARIES:
        assert canary.lower() not in text.lower(), f"{canary} in {text}"


Send = Callable[["httpx.AsyncClient"], Any]

WAYS_IN: dict[str, Send] = {
    "body": lambda client: client.post("/toy/things", json={"name": EVERYTHING, "quantity": "x"}),
    "unknown field": lambda client: client.post("/toy/things", json={"name": "x", EVERYTHING: 1}),
    "wrong type": lambda client: client.post("/toy/things", json={"name": ["x", EVERYTHING]}),
    "broken body": lambda client: client.post("/toy/things", content=b'{"name":"' + EVERYTHING.encode()),
    "another media type": lambda client: client.post("/toy/things", content=EVERYTHING.encode()),
    "refused by a validator": lambda client: client.post(
        "/toy/things", json={"name": f"cursed {NAME} {PHONE}"}
    ),
    "query": lambda client: client.get("/toy/search", params={"limit": EVERYTHING, "q": "x"}),
    "unknown path": lambda client: client.get(f"/toy/{EVERYTHING}"),
    "unknown service": lambda client: client.get(f"/{NAME}/{MAIL}"),
    "path": lambda client: client.put(f"/toy/things/{EVERYTHING}", json={"name": "x"}),
    "method": lambda client: client.request(NAME.upper(), "/toy/things"),
    "header": lambda client: client.post("/toy/things", json={}, headers={"Idempotency-Key": EVERYTHING}),
    "trace": lambda client: client.get("/toy/breaks", headers={"traceparent": EVERYTHING}),
    "token": lambda client: client.get("/toy/mine", headers={"Authorization": f"Bearer {TOKEN}"}),
    "scheme": lambda client: client.get("/toy/mine", headers={"Authorization": f"{NAME} {TOKEN}"}),
    "cookie": lambda client: client.get("/toy/breaks", headers={"Cookie": f"session={TOKEN}; name={NAME}"}),
    "cursor": lambda client: client.get("/toy/things", params={"cursor": TOKEN}),
    "If-Match": lambda client: client.put(
        "/toy/things/018f0000-0000-7000-8000-000000000000", json={"name": "x"}, headers={"If-Match": NAME}
    ),
    "form": lambda client: client.post("/toy/forms", data={"name": EVERYTHING}),
    "exception of a handler": lambda client: client.get("/toy/breaks", params={"q": EVERYTHING}),
}


@pytest.mark.parametrize("way", WAYS_IN)
async def test_what_comes_in_goes_nowhere_else(toy: Toy, lines: io.StringIO, way: str) -> None:
    async with toy.client() as client:
        answer = await WAYS_IN[way](client)
    assert answer.status_code >= 400
    clean(answer.text)
    clean(str(answer.headers))
    clean(lines.getvalue())
    clean((await exposition()).body.decode())  # type: ignore[union-attr]


async def test_a_unique_violation_names_its_constraint_and_not_the_row(toy: Toy, lines: io.StringIO) -> None:
    """PostgreSQL's DETAIL repeats the values: `Key (name)=(…) already exists`."""
    async with toy.client() as client:
        name = EVERYTHING[:100]
        assert (await client.post("/toy/things", json={"name": name})).status_code == 201
        answer = await client.post("/toy/things", json={"name": name})
    assert answer.status_code == 500
    clean(answer.text)
    clean(lines.getvalue())
    failed = _line(lines, "request failed")
    assert failed["trace_id"] == answer.json()["trace_id"]
    assert failed["service"] == "toy"
    links = failed["exception"]
    assert links[0]["class"] == "sqlalchemy.exc.IntegrityError"
    assert any(link.get("sqlstate") == "23505" for link in links)
    assert any(link.get("constraint_name") == "thing_name_key" for link in links)
    assert any("doors.py" in frame and "_add" in frame for frame in links[0]["frames"])


async def test_other_libraries_are_quoted_without_their_arguments(lines: io.StringIO) -> None:
    for name in (
        "aio_pika.exchange",
        "aiormq.connection",
        "sqlalchemy.engine.Engine",
        "asyncpg",
        "any.thing",
    ):
        logging.getLogger(name).error("Publishing %r to %s", EVERYTHING.encode(), NAME)
        logging.getLogger(name).info("[cached] %r", (EVERYTHING,))
        logging.getLogger(name).error(f"calling with {PHONE}, {MAIL} and Bearer {TOKEN}")
    logging.getLogger("any.thing").error(ValueError(EVERYTHING))
    logging.getLogger("uvicorn.error").error("Exception for %s", MAIL, exc_info=ValueError(EVERYTHING))
    logging.getLogger("uvicorn.access").info('%s - "%s"', "1.2.3.4", f"GET /sign-in?token={TOKEN}")
    clean(lines.getvalue())
    assert _line(lines, "Publishing %r to %s")["logger"] == "aio_pika.exchange"
    assert "[phone], [mail] and [token]" in lines.getvalue()


async def test_a_task_nobody_waited_for_says_nothing_of_its_error(lines: io.StringIO) -> None:
    async def failing() -> None:
        raise ValueError(EVERYTHING)

    task = asyncio.create_task(failing())
    await asyncio.wait([task])
    task.get_loop().call_exception_handler(
        {"message": "Task exception was never retrieved", "exception": task.exception(), "task": task}
    )
    clean(lines.getvalue())
    assert "Task exception was never retrieved" in lines.getvalue()


def test_the_last_words_of_a_process_are_clean(lines: io.StringIO) -> None:
    try:
        raise ValueError(EVERYTHING)
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    clean(lines.getvalue())
    assert _line(lines, "uncaught exception")["exception"][0]["class"] == "builtins.ValueError"


def test_fields_that_are_not_listed_are_left_out_and_named(lines: io.StringIO) -> None:
    structlog.get_logger("test").info(
        "seen", customer=EVERYTHING, body={"phone": PHONE}, reason=f"mail to {MAIL}", attempts=3
    )
    clean(lines.getvalue())
    line = _line(lines, "seen")
    assert line["left_out"] == ["body", "customer"]
    assert (line["reason"], line["attempts"]) == ("mail to [mail]", 3)


def test_what_is_in_a_listed_field_is_searched_too(lines: io.StringIO) -> None:
    structlog.get_logger("test").info("seen", reason=[MAIL, {"a": PHONE}], error=ValueError(EVERYTHING))
    clean(lines.getvalue())


async def test_an_event_that_cannot_be_written_is_logged_without_its_body(
    toy: Toy, lines: io.StringIO
) -> None:
    connection: asyncpg.Connection = toy.admin
    with pytest.raises(asyncpg.PostgresError) as raised:
        await connection.execute("INSERT INTO toy.event_log (id, body) VALUES (NULL, $1)", EVERYTHING)
    structlog.get_logger("test").error("event not written", exc_info=raised.value)
    clean(lines.getvalue())
    assert _line(lines, "event not written")["exception"][0]["sqlstate"] == "23514"


def test_groups_and_causes_are_told_by_class(lines: io.StringIO) -> None:
    try:
        try:
            raise KeyError(EVERYTHING)
        except KeyError as cause:
            raise ExceptionGroup(EVERYTHING, [ValueError(MAIL), OSError(PHONE)]) from cause
    except ExceptionGroup as group:
        structlog.get_logger("test").error("failed", exc_info=group)
    clean(lines.getvalue())
    classes = [link["class"] for link in _line(lines, "failed")["exception"]]
    assert classes == [f"builtins.{name}" for name in ("ExceptionGroup", "ValueError", "OSError", "KeyError")]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "13800138000",
            "+8613800138000",
            "138-0013-8000",
            "138 0013 8000",
            "(010) 6552 9988",
            "010-65529988",
        ),
        *("a@b.cn", "x.y+z@mail.example.com", "<a@b.cn>", "mailto:a@b.cn"),
        *("Bearer abc.def", "bearer abc", "Basic dXNlcjpwYXNz", TOKEN),
    ],
)
def test_what_looks_like_a_person_is_replaced(text: str) -> None:
    assert text not in redact(f"before {text} after")
    assert "[" in redact(f"before {text} after")


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-22", "2026-11-22T10:11:12", "5432", "1,234", "3 of 5", "v1.2.3", "127.0.0.1:5432"),
        *("018f3c1e-7b3a-7abc-8def-0123456789ab", "01834567-1234-7123-8123-012345678901", "/toy/things/{id}"),
    ],
)
def test_what_does_not_is_kept(text: str) -> None:
    assert redact(f"before {text} after") == f"before {text} after"


def test_levels_are_respected(lines: io.StringIO) -> None:
    logs.configure("warning", lines)
    structlog.get_logger("test").info("quiet")
    logging.getLogger("any.thing").info("quiet")
    structlog.get_logger("test").warning("loud")
    assert [json.loads(line)["event"] for line in lines.getvalue().splitlines()] == ["loud"]


def _line(lines: io.StringIO, event: str) -> dict[str, Any]:
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    line: dict[str, Any] = next(line for line in found if line["event"] == event)
    return line
