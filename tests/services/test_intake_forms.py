"""The customers' form: nothing typed is lost, nothing is registered twice."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service

TYPED = {
    "name": "示例",
    "phone": "13800000009",
    "region": "east",
    "city": "上海",
    "description": "<b>冰箱</b>冒烟",
}
NUMBER = re.compile(r"R-[0-9]+")


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def sent(desk: Hearing, typed: dict[str, str], language: str = "en") -> httpx.Response:
    asks = {"accept": "text/html", "accept-language": language}
    return await desk.served.client().post("/intake/form", data=typed, headers=asks)


async def drawn(desk: Hearing) -> str:
    """The key of a form as it is shown."""
    asks = {"accept": "text/html", "accept-language": "en"}
    shown = (await desk.served.client().get("/intake/form", headers=asks)).text
    assert '<option value="east">East' in shown
    [key] = re.findall(r'name="key" value="([^"]+)"', shown)
    return str(key)


@pytest.mark.parametrize(
    ("wrong", "field", "language", "sentence"),
    [
        ({"phone": "call me"}, "phone", "en", "This does not look like a phone number"),
        ({"phone": "call me"}, "phone", "zh-CN", "看起来不像电话号码"),
        ({"region": ""}, "region", "zh-CN", "请选择您所在的区域"),
        ({"city": "a;b"}, "city", "en", "letters, digits, blanks and hyphens"),
        ({"description": " "}, "description", "zh-CN", "请简单说明"),
    ],
)
async def test_a_mistake_is_told_at_its_field_and_nothing_typed_is_lost(
    desk: Hearing, wrong: dict[str, str], field: str, language: str, sentence: str
) -> None:
    answer = await sent(desk, TYPED | wrong, language)
    assert answer.status_code == 422
    kept = [value for name, value in TYPED.items() if name not in (*wrong, "region", "description")]
    assert [value for value in kept if f'value="{value}"' not in answer.text] == []
    assert ("&lt;b&gt;冰箱&lt;/b&gt;冒烟" in answer.text) == ("description" not in wrong)
    [place] = re.findall(r"<[^>]*autofocus[^>]*>", answer.text)
    assert f'name="{field}"' in place
    assert f'aria-describedby="{"description-hint " * (field == "description")}' in place
    assert sentence in answer.text
    assert "pattern" not in answer.text


async def test_a_form_sent_twice_is_one_request_and_a_changed_one_another(desk: Hearing) -> None:
    typed = TYPED | {"key": await drawn(desk)}
    first, again = [NUMBER.findall((await sent(desk, typed)).text) for _ in range(2)]
    changed = NUMBER.findall((await sent(desk, typed | {"description": "冰箱还在冒烟"})).text)
    other = NUMBER.findall((await sent(desk, typed | {"key": await drawn(desk)})).text)
    assert first == again
    assert len({*first, *changed, *other}) == 3


async def test_chinese_places_become_codes_and_elsewhere_is_left_to_a_person(desk: Hearing) -> None:
    found = []
    for where in ({"region": "华东", "city": "上海"}, {"region": "elsewhere", "city": "New Atlantis"}):
        id = await desk.numbered((await sent(desk, TYPED | where)).text)
        row = await desk.admin.fetchrow("SELECT region, city FROM request WHERE id = $1", id)
        found.append(tuple(row))
    assert found == [("east", "shanghai"), ("unknown", "unknown")]
