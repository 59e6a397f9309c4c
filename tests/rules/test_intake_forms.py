"""What customers type into the form."""

from dataclasses import replace

import pytest

from intake.forms.rules import FIELDS, Typed, faults, first_fault, place_of

WHOLE = Typed("示例", "138 0013 8000", "east", "上海", "空调漏水")


def test_a_complete_form_has_no_fault() -> None:
    assert faults(WHOLE) == {}
    assert first_fault({}) is None


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("phone", ""),
        ("phone", "call me"),
        ("phone", "1" * 65),
        ("region", ""),
        ("city", ""),
        ("description", ""),
        ("description", "x" * 5001),
        ("name", "x" * 201),
    ],
)
def test_a_fault_is_told_of_its_field_alone(field: str, typed: str) -> None:
    assert list(faults(replace(WHOLE, **{field: typed}))) == [field]


def test_what_is_wrong_comes_in_the_order_of_the_fields() -> None:
    found = faults(Typed())
    assert list(found) == [name for name in FIELDS if name in found]
    assert first_fault(found) == "description"


def test_the_same_form_sent_twice_is_one_and_a_changed_one_another() -> None:
    assert place_of("a", WHOLE) == place_of("a", replace(WHOLE))
    assert place_of("a", WHOLE) != place_of("b", WHOLE)
    assert place_of("a", WHOLE) != place_of("a", replace(WHOLE, description="空调漏水了"))
