"""What forms, chats, telephone systems and other systems send, held to what can be worked with."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from intake.places.rules import Words
from intake.requests.rules import UNKNOWN, email_identity, phone_identity
from shared.events.terms import Channel, Code, Level
from shared.sent import Sent

_UNSEEN: Final = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf"})
_DATE_AND_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")


def is_blank(text: str) -> bool:
    """Whether nobody would see anything: blanks, and what has no width."""
    return all(unicodedata.category(each) in _UNSEEN for each in text)


def _says_something(text: str) -> str:
    if is_blank(text):
        raise PydanticCustomError("blank", "There are only blanks")
    return text


def _written_out(sent: Any) -> Any:
    """Numbers would pass for seconds or milliseconds, whichever gives a time that looks right."""
    if isinstance(sent, int | float) or (isinstance(sent, str) and not _DATE_AND_TIME.match(sent)):
        raise PydanticCustomError("date_time", "Write date, time and offset, as in 2026-03-02T09:00:00+08:00")
    return sent


def _phone(number: str) -> str:
    if number and phone_identity(number) is None:
        raise PydanticCustomError("phone", "This cannot be a phone number")
    return number


def _email(address: str) -> str:
    if address and email_identity(address) is None:
        raise PydanticCustomError("email", "This cannot be an e-mail address")
    return address


NotBlank = AfterValidator(_says_something)
Instant = Annotated[AwareDatetime, BeforeValidator(_written_out)]
Phone = AfterValidator(_phone)


class Customer(Sent):
    """Who asks; at least one way to recognise them: phone, email or external_id."""

    name: Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)] = ""
    phone: Annotated[str, StringConstraints(max_length=64), Phone] | None = None
    email: Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)] | None = None
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=200), NotBlank] | None = None
    level: Level = "standard"

    @model_validator(mode="after")
    def _can_be_recognised(self) -> Self:
        if not (self.phone or self.email or self.external_id):
            raise PydanticCustomError("customer", "A customer needs a phone, an email or an external_id")
        return self


class NewRequest(Sent):
    """A request as forms, chats and other systems send it (R03: who, which product, what is wrong, when)."""

    channel: Channel = "web_form"
    external_id: Annotated[str, StringConstraints(min_length=1, max_length=200), NotBlank] | None = None
    customer: Customer
    region: Words = UNKNOWN
    city: Words = UNKNOWN
    latitude: float | None = Field(default=None, ge=-90, le=90)
    longitude: float | None = Field(default=None, ge=-180, le=180, validate_default=True)
    product_line: Code | None = None
    title: Annotated[str, StringConstraints(max_length=500)] = ""
    description: Annotated[str, StringConstraints(min_length=1, max_length=20_000), NotBlank]
    occurred_at: Instant | None = None

    @field_validator("longitude")
    @classmethod
    def _with_latitude(cls, longitude: float | None, info: ValidationInfo) -> float | None:
        if "latitude" in info.data and (longitude is None) != (info.data["latitude"] is None):
            raise PydanticCustomError("place", "latitude and longitude are told together or not at all")
        return longitude

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "channel": "web_form",
                    "customer": {"name": "示例客户", "phone": "+8613800000000"},
                    "region": "east",
                    "city": "shanghai",
                    "product_line": "cooling",
                    "description": "空调漏水，不制冷。",
                }
            ]
        },
    )
