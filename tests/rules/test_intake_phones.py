"""One number, one form: held against the library that knows every numbering plan (R105)."""

from __future__ import annotations

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat as Form
from phonenumbers import PhoneNumberType as Type

from intake.requests.rules import Identity, phone_identity

_WIDE = str.maketrans("+0123456789()- ", "＋０１２３４５６７８９（）－　")
_EXAMPLES = [
    number
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    for kind in (Type.FIXED_LINE, Type.MOBILE)
    if (number := phonenumbers.example_number_for_type(region, kind)) and number.italian_leading_zero is None
]
_CHINESE = [each for each in _EXAMPLES if each.country_code == 86]


@st.composite
def written(draw: st.DrawFn) -> tuple[str, str]:
    """A number as somebody writes it, and its E.164 form."""
    here = draw(st.booleans())
    number = draw(st.sampled_from(_CHINESE if here else _EXAMPLES))
    form = draw(
        st.sampled_from([Form.NATIONAL, Form.INTERNATIONAL] if here else [Form.E164, Form.INTERNATIONAL])
    )
    text = phonenumbers.format_number(number, form)
    if draw(st.booleans()):
        text = text.translate(_WIDE)
    elif text.startswith("+") and draw(st.booleans()):
        text = "00" + text[1:]
    text += draw(st.sampled_from(["", " 转801", "分机12", " ext. 7", "x3", "#44"]))
    return text, phonenumbers.format_number(number, Form.E164)


@given(written())
def test_every_way_of_writing_is_the_e164_of_the_numbering_plan(each: tuple[str, str]) -> None:
    text, expected = each
    assert phone_identity(text) == Identity("phone", expected)


def test_a_trunk_zero_in_brackets_is_no_part_of_a_number_from_abroad() -> None:
    assert phone_identity("+44 (0)20 7946 0000") == Identity("phone", "+442079460000")


@given(st.from_regex(r"\+861[3-9][0-9]{9}", fullmatch=True))
def test_a_chinese_mobile_number_is_taken_as_it_stands_as_the_library_would(number: str) -> None:
    kept = phonenumbers.format_number(phonenumbers.parse(number), Form.E164)
    assert phone_identity(number) == Identity("phone", kept)
