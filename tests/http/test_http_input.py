"""Whatever is sent, the answer is a problem and nothing changes: no 5xx, no echo, no stall."""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from doors import Toy

JSON = {"Content-Type": "application/json"}
MEBIBYTE = 1024 * 1024


def nested(depth: int) -> bytes:
    return b'{"name":"x","lines":' + b"[" * depth + b"]" * depth + b"}"


def with_value(value: bytes) -> bytes:
    return b'{"name":"x","weight":' + value + b"}"


def with_name(text: bytes) -> bytes:
    return b'{"name":"' + text + b'"}'


# body, status, end of the problem's type, pointer of the first error
BODIES: dict[str, tuple[bytes, int, str, str | None]] = {
    "empty": (b"", 422, "invalid-input", ""),
    "only spaces": (b"   ", 400, "not-json", None),
    "truncated": (b'{"name":"x"', 400, "not-json", None),
    "two values": (b'{"name":"x"} {}', 400, "not-json", None),
    "single quotes": (b"{'name':'x'}", 400, "not-json", None),
    "trailing comma": (b'{"name":"x",}', 400, "not-json", None),
    "comment": (b'{"name":"x"/**/}', 400, "not-json", None),
    "1 MiB + 1": (with_name(b"x" * (MEBIBYTE - 10)), 413, "body-too-large", None),
    "depth 1,000": (nested(1000), 422, "unacceptable-json", ""),
    "depth 33": (nested(32), 422, "unacceptable-json", ""),
    "only brackets": (b"[" * (MEBIBYTE - 1), 422, "unacceptable-json", ""),
    "100k keys": (
        json.dumps({f"k{n}": 0 for n in range(60_000)}).encode(),
        422,
        "unacceptable-json",
        "",
    ),
    "100k items": (b'{"name":"x","lines":[' + b"0," * 100_000 + b"0]}", 422, "unacceptable-json", ""),
    "duplicate keys": (b'{"name":"x","name":"y"}', 422, "unacceptable-json", "/name"),
    "duplicate keys below": (
        b'{"name":"x","lines":[{"part":"p","quantity":1,"quantity":2}]}',
        422,
        "unacceptable-json",
        "/lines/0/quantity",
    ),
    "the same key, once escaped": (b'{"name":"x","n\\u0061me":"y"}', 422, "unacceptable-json", "/name"),
    "NaN": (with_value(b"NaN"), 422, "unacceptable-json", "/weight"),
    "Infinity": (with_value(b"Infinity"), 422, "unacceptable-json", "/weight"),
    "-Infinity": (with_value(b"-Infinity"), 422, "unacceptable-json", "/weight"),
    "1e400": (with_value(b"1e400"), 422, "unacceptable-json", "/weight"),
    "10^5 digits": (with_value(b"9" * 100_000), 422, "unacceptable-json", "/weight"),
    "10^5 digits after the point": (with_value(b"1." + b"9" * 100_000), 422, "unacceptable-json", "/weight"),
    "2^63": (b'{"name":"x","quantity":9223372036854775808,"id":1}', 422, "invalid-input", "/id"),
    "lone surrogate": (with_name(b"\\ud800"), 422, "unacceptable-json", "/name"),
    "lone low surrogate": (with_name(b"\\uDC00"), 422, "unacceptable-json", "/name"),
    "surrogates in the wrong order": (with_name(b"\\udc00\\ud800"), 422, "unacceptable-json", "/name"),
    "surrogate as UTF-8": (with_name(b"\xed\xa0\x80"), 400, "not-json", None),
    "invalid UTF-8": (with_name(b"\xff"), 400, "not-json", None),
    "overlong UTF-8": (with_name(b"\xc0\x80"), 400, "not-json", None),
    "UTF-16": ('{"name":"x"}'.encode("utf-16"), 400, "not-json", None),
    "U+0000": (with_name(b"\\u0000"), 422, "unacceptable-json", "/name"),
    "U+0000 as it is": (with_name(b"\0"), 400, "not-json", None),
    "U+0000 in a key": (b'{"name":"x","a\\u0000":1}', 422, "unacceptable-json", ""),
    "byte order mark": (b'\xef\xbb\xbf{"name":"x"}', 400, "not-json", None),
    "unknown field": (b'{"name":"x","owner":"me"}', 422, "invalid-input", "/owner"),
    "__proto__": (b'{"name":"x","__proto__":{"admin":true}}', 422, "invalid-input", "/__proto__"),
    "array for an object": (b"[]", 422, "invalid-input", ""),
    "text for an object": (b'"name"', 422, "invalid-input", ""),
    "null": (b"null", 422, "invalid-input", ""),
    "id as array": (b'{"name":"x","id":["a"]}', 422, "invalid-input", "/id"),
    "id as object": (b'{"name":"x","id":{"$ne":1}}', 422, "invalid-input", "/id"),
    "naive datetime": (b'{"name":"x","due":"2026-11-22T10:00:00"}', 422, "invalid-input", "/due"),
    "year 0000": (b'{"name":"x","due":"0000-01-01T00:00:00Z"}', 422, "invalid-input", "/due"),
    "year 10000": (b'{"name":"x","due":"10000-01-01T00:00:00Z"}', 422, "invalid-input", "/due"),
    "zone +99:99": (b'{"name":"x","due":"2026-11-22T10:00:00+99:99"}', 422, "invalid-input", "/due"),
    "no such day": (b'{"name":"x","due":"2026-02-30T10:00:00Z"}', 422, "invalid-input", "/due"),
    "a field of a line": (
        b'{"name":"x","lines":[{"part":"p","quantity":0}]}',
        422,
        "invalid-input",
        "/lines/0/quantity",
    ),
    "fraction for a whole number": (b'{"name":"x","quantity":1.5}', 422, "invalid-input", "/quantity"),
    "text too long": (with_name(b"x" * 101), 422, "invalid-input", "/name"),
    "refused by a rule of ours": (with_name(b"cursed pump"), 422, "invalid-input", "/name"),
}  # fmt: skip


@pytest.mark.parametrize("case", BODIES)
async def test_bodies(toy: Toy, case: str) -> None:
    body, status, slug, pointer = BODIES[case]
    async with toy.client() as client:
        begun = time.process_time()
        answer = await client.post("/toy/things", content=body, headers=JSON)
        spent = time.process_time() - begun
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    _is_problem(answer)
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert answer.json()["errors"][0]["source"] == "body"
    assert spent < 0.2
    assert await toy.names() == []


@pytest.mark.parametrize(
    "text", ["zero\u200bwidth", "\u202egnp.exe", "名前", "😀", "a" * 100, "__proto__", "\ud83d\ude00"]
)
async def test_what_is_odd_but_valid_is_stored_as_it_is(toy: Toy, text: str) -> None:
    body = json.dumps({"name": text}).encode()  # with escapes, as many clients send it
    async with toy.client() as client:
        answer = await client.post("/toy/things", content=body, headers=JSON)
    assert answer.status_code == 201
    assert await toy.names() == [json.loads(body)["name"]]


async def test_years_1_and_9999_are_dates_like_others(toy: Toy) -> None:
    async with toy.client() as client:
        for year in ("0001", "9999"):
            body = {"name": year, "due": f"{year}-12-31T23:59:59Z"}
            assert (await client.post("/toy/things", json=body)).status_code == 201


@pytest.mark.parametrize(
    "kind",
    [
        *("", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"),
        *("json", "application/jsonp", "application/json\x0b", "text/json", "application/json, text/plain"),
    ],
)
async def test_another_media_type_is_refused(toy: Toy, kind: str) -> None:
    async with toy.client() as client:
        headers = {"Content-Type": kind} if kind else {}
        answer = await client.post("/toy/things", content=b'{"name":"x"}', headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-media-type")


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"]
)
async def test_json_by_its_other_names_is_accepted(toy: Toy, kind: str) -> None:
    async with toy.client() as client:
        headers = {"Content-Type": kind}
        answer = await client.post("/toy/things", content=b'{"name":"x"}', headers=headers)
    assert answer.status_code == 201


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x-gzip", "GZIP"])
async def test_compressed_bodies_are_refused_before_they_are_read(toy: Toy, encoding: str) -> None:
    bomb = gzip.compress(b"\0" * MEBIBYTE * 8)
    async with toy.client() as client:
        headers = {**JSON, "Content-Encoding": encoding}
        answer = await client.post("/toy/things", content=bomb, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (415, "/problems/unsupported-encoding")


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("/toy/search?q=%00", "query"),
        ("/toy/search?q=a%00b", "query"),
        ("/toy/search?%00=1", "query"),
        ("/toy/search?q=%ff", "query"),
        ("/toy/search?q=%ed%a0%80", "query"),
        ("/toy/search?q=%c0%80", "query"),
        ("/toy/by-name/%00", "path"),
        ("/toy/by-name/a%00b", "path"),
        ("/toy/by-name/%ff", "path"),
        ("/toy/by-name/%ed%a0%80", "path"),
    ],
)
async def test_addresses_that_no_database_can_store_are_refused(toy: Toy, target: str, source: str) -> None:
    async with toy.client() as client:
        answer = await client.get(target)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-input")
    assert answer.json()["errors"][0]["source"] == source


@pytest.mark.parametrize("name", ["%E5%90%8D", "100%25", "a%20b", "a+b", "%F0%9F%98%80"])
async def test_addresses_with_other_characters_are_fine(toy: Toy, name: str) -> None:
    async with toy.client() as client:
        assert (await client.get(f"/toy/by-name/{name}")).status_code == 200
        assert (await client.get(f"/toy/search?q={name}")).status_code == 200


async def test_an_endless_address_is_refused(toy: Toy) -> None:
    async with toy.client() as client:
        answer = await client.get("/toy/search?q=" + "x" * 9000)
    assert (answer.status_code, answer.json()["type"]) == (414, "/problems/target-too-long")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("", "/q"),
        ("q=x&limit=0", "/limit"),
        ("q=x&limit=1e9", "/limit"),
        ("q=x&limit=" + "9" * 5000, "/limit"),
        ("q=x&limit=NaN", "/limit"),
        ("q=x&since=2026-01-01T00:00:00", "/since"),
        ("q=x&since=%2B99:99", "/since"),
    ],
)
async def test_queries(toy: Toy, query: str, pointer: str) -> None:
    async with toy.client() as client:
        answer = await client.get(f"/toy/search?{query}")
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["source"], error["pointer"]) == ("query", pointer)


@pytest.mark.parametrize("value", ["%00", "a%00", "%ff"])
async def test_forms_are_held_to_the_same(toy: Toy, value: str) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with toy.client() as client:
        answer = await client.post("/toy/forms", content=f"name={value}", headers=kind)
        assert answer.status_code in (400, 422)
        _is_problem(answer)
        assert (await client.post("/toy/forms", content="name=%E5%90%8D", headers=kind)).json() == "名"
        assert (await client.post("/toy/forms", json={"name": "x"})).status_code == 415


async def test_unknown_paths_and_methods_are_problems_too(toy: Toy) -> None:
    async with toy.client() as client:
        for method, path, status in [
            ("GET", "/nowhere", 404),
            ("GET", "/toy/nowhere", 404),
            ("GET", "/toy/things/", 404),
            ("DELETE", "/toy/things", 405),
            ("OPTIONS", "/toy/things", 405),
            ("BREW", "/toy/things", 405),
        ]:
            answer = await client.request(method, path)
            assert answer.status_code == status
            _is_problem(answer)
            if status == 405:
                assert answer.headers["Allow"] == "GET, POST"


async def test_only_so_many_errors_are_told(toy: Toy) -> None:
    async with toy.client() as client:
        answer = await client.post("/toy/things", json={"name": "x", "lines": [{}] * 500})
    assert len(answer.json()["errors"]) == 50


def _is_problem(answer: httpx.Response) -> None:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Content-Language"] == "en"
    assert {"type", "title", "status", "detail", "trace_id"} <= answer.json().keys()
    assert answer.json()["status"] == answer.status_code
    assert len(answer.content) < 2000 or "errors" in answer.json()
