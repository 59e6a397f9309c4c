"""The strict reader agrees with any other on what is clean, and points at what is not."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.strict import MOST_VALUES, NotJson, UnacceptableJson, parse
from shared.i18n import Language, explain, speaking
from shared.i18n.catalogues import SHARED, load

CLEAN_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | FINITE | CLEAN_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(CLEAN_TEXT, inner, max_size=4),
    max_leaves=20,
)
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)


@given(VALUES, st.booleans())
def test_what_is_clean_comes_back_as_it_was_written(value: Any, escaped: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=escaped).encode()) == value


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode(errors="surrogatepass")))
def test_anything_else_is_refused_by_name(raw: bytes) -> None:
    with suppress(NotJson, UnacceptableJson):
        parse(raw)


@given(
    st.lists(NAMES | st.integers(0, 3), max_size=6),
    st.sampled_from(["NaN", "1e999", '"\\ud800"', '"\\u0000"']),
)
def test_the_pointer_leads_to_the_fault(path: list[str | int], fault: str) -> None:
    text = fault
    for step in reversed(path):
        before = '["{}",[1,{"a":2}]],' * step if isinstance(step, int) else ""
        text = (
            f"[{before}{text},3]" if isinstance(step, int) else f'{{"first":[1],"{step}_":{text},"last":"x"}}'
        )
    with pytest.raises(UnacceptableJson) as raised:
        parse(text.encode())
    expected = "".join(f"/{step}" if isinstance(step, int) else f"/{step}_" for step in path)
    assert raised.value.data["errors"][0]["pointer"] == expected  # type: ignore[index]


def test_keys_that_are_no_names_are_not_repeated() -> None:
    with pytest.raises(UnacceptableJson) as raised:
        parse(b'{"13800138000":{"a@b.cn":[NaN]}}')
    assert raised.value.data["errors"][0]["pointer"] == "/*/*/0"  # type: ignore[index]


def test_escapes_that_make_a_pair_are_no_fault() -> None:
    assert parse(b'["\\ud83d\\ude00", "\\\\u0000", "\\\\ud800"]') == ["😀", "\\u0000", "\\ud800"]


def test_brackets_in_texts_do_not_count() -> None:
    value = {"note": "[{" * 50_000, "more": '"[' * 1000}
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize("values", [MOST_VALUES - 1, MOST_VALUES])
def test_there_may_be_so_many_values_and_no_more(values: int) -> None:
    raw = json.dumps([0] * values).encode()
    if values < MOST_VALUES:
        assert len(parse(raw)) == values
    else:
        with pytest.raises(UnacceptableJson):
            parse(raw)


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b'{"a":[1,NaN]}', "the number at /a/1 is NaN or infinite, which JSON does not know"),
        (b'{"a":-Infinity}', "the number at /a is NaN or infinite, which JSON does not know"),
        (b"1e400", "the number at the top level is out of range"),
        (b"[" * 100_000, "it is nested deeper than 32 levels"),
        (b"[" + b"0," * 100_000 + b"0]", "it holds more than 30000 values"),
        (b'{"a":{"b":1,"b":2}}', "the key /a/b stands twice in its object"),
        (b'{"a\\u0000":1}', "a key at the top level has a character that cannot be stored"),
        (b'{"a":"\\ud800"}', "the text at /a has a character that cannot be stored"),
        (b"{name:1}", "a key in double quotes is expected at character 2"),
        ('{"名" 1}'.encode(), "a colon is expected at character 6"),
        (b"[1 2]", "a comma or a closing bracket is expected at character 4"),
        (b'{"a":undefined}', "a value is expected at character 6"),
        (b"{} {}", "there is something after the end at character 4"),
        (b'"open', "there is the beginning of a text without an end at character 1"),
        (b'"\t"', "there is a control character that must be escaped at character 2"),
        (b'"\\x"', "there is an invalid escape at character 2"),
        ('{"名":'.encode() + b"\xff}", "there is invalid UTF-8 at character 6"),
        (b"\xef\xbb\xbf{}", "there is a byte order mark at character 1"),
        (b'{"' + b"x" * 9000 + b'":NaN}', "the number at /* is NaN or infinite, which JSON does not know"),
    ],
)
def test_the_sentence_says_what_is_wrong_and_where(raw: bytes, detail: str) -> None:
    with pytest.raises((NotJson, UnacceptableJson)) as raised:
        parse(raw)
    begins = "The body is not JSON" if raised.type is NotJson else "The body cannot be accepted"
    assert explain(raised.value) == f"{begins}: {detail}."


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b'{"a":NaN}', "请求正文无法接受：/a 处的数是 NaN 或无穷大，JSON 中没有这样的数。"),
        (b"[" * 100, "请求正文无法接受：嵌套超过 32 层。"),
        (b"{name:1}", "正文不是 JSON：第 2 个字符处应为带双引号的键。"),
    ],
)
def test_the_sentence_is_told_in_chinese_too(raw: bytes, detail: str) -> None:
    with speaking(Language("zh-CN", load(SHARED, "zh-CN"))):
        with pytest.raises((NotJson, UnacceptableJson)) as raised:
            parse(raw)
        assert explain(raised.value) == detail


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'["' + b"\\" * 1_000_000,
        b'"' * 1_000_000,
        b'"' + b'\\"' * 500_000,
        b"9" * 1_000_000,
        b"-" * 1_000_000,
        b"1e" + b"9" * 1_000_000,
        b"[" + b"1," * 500_000 + b"1]",
        b"[" + b"[]," * 300_000 + b"[]]",
        b"[]" * 500_000,
        b"[" + b'"\\u0041",' * 19_000 + b"NaN]",
        b'{"' + b"a" * 1_000_000 + b'":NaN}',
        b" " * 1_000_000,
    ],
)
def test_nothing_takes_long(raw: bytes) -> None:
    begun = time.process_time()
    with pytest.raises((NotJson, UnacceptableJson)):
        parse(raw)
    assert time.process_time() - begun < 0.2
