"""What is wrong with a value is said in the words of JSON, whole, and in the reader's language."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from shared.http.problem import describe
from shared.i18n.catalogues import SHARED, load
from shared.i18n.language import Language, speaking


class Mail(BaseModel):
    kind: Literal["mail"]
    pages: int = 1


class Call(BaseModel):
    kind: Literal["call"]


class Asked(BaseModel):
    channel: Literal["email", "web", "phone"] = "web"
    event: Literal["rang", "answered"] = "rang"
    by: Annotated[Mail | Call, Field(discriminator="kind")] = Mail(kind="mail")
    lines: tuple[int, ...] = ()
    steps: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    length: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(1)


def told(value: object, chinese: bool = False) -> dict[str, str]:
    """What a client hears: pointer, detail."""
    language = Language("zh-CN", load(SHARED, "zh-CN")) if chinese else Language("en")
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Asked).validate_python(value, from_attributes=True)
    faults: list[dict[str, Any]] = [{**each, "loc": ("body", *each["loc"])} for each in caught.value.errors()]
    with speaking(language):
        return {each["pointer"]: each["detail"] for each in describe(faults, value)}


@pytest.mark.parametrize(
    ("value", "pointer", "english", "chinese"),
    [
        (
            {"channel": "fax"},
            "/channel",
            "must be 'email', 'web' or 'phone'",
            "应为 'email', 'web' 或 'phone'",
        ),
        ({"event": "zz"}, "/event", "must be 'rang' or 'answered'", "应为 'rang' 或 'answered'"),
        (
            {"by": {"kind": "fax"}},
            "/by",
            "kind must be one of: 'mail', 'call'",
            "kind 应为以下之一：'mail', 'call'",
        ),
        (None, "", "must be a JSON object", "必须是 JSON 对象"),
        ([], "", "must be a JSON object", "必须是 JSON 对象"),
        (1, "", "must be a JSON object", "必须是 JSON 对象"),
        ({"by": 1}, "/by", "must be a JSON object", "必须是 JSON 对象"),
        ({"steps": ["one"]}, "/steps/0", "must be a whole number", "必须是整数"),
        ({"by": {"kind": "mail", "pages": "x"}}, "/by/pages", "must be a whole number", "必须是整数"),
        ({"steps": []}, "/steps", "should have at least 1 items", "至少 1 项"),
        ({"lines": 1}, "/lines", "must be a JSON array", "必须是 JSON 数组"),
        ({"length": "-PT5M"}, "/length", "must be greater than 0 sec", "应大于 0秒"),
    ],
)
def test_values_are_named_whole_and_types_as_json_has_them(
    value: object, pointer: str, english: str, chinese: str
) -> None:
    assert told(value) == {pointer: english}
    assert told(value, chinese=True) == {pointer: chinese}
