"""What is wrong with a value, in the words of JSON and in the reader's language.

Pydantic tells its faults in English and names Python's types; people and clients know neither.
The codes are those of https://docs.pydantic.dev/latest/errors/validation_errors/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from shared.i18n.language import N_, current_language, gettext

_OBJECT: Final = N_("must be a JSON object")
_ARRAY: Final = N_("must be a JSON array")
_TEXT: Final = N_("must be a text")
_WHOLE: Final = N_("must be a whole number")
_NUMBER: Final = N_("must be a number")
_YES: Final = N_("must be true or false")
_MOMENT: Final = N_("must be a day and time, like 2026-03-02T09:00:00+08:00")
_DAY: Final = N_("must be a day, like 2026-03-02")
_TIME: Final = N_("must be a time of day, like 09:00:00")
_LENGTH: Final = N_("must be a length of time, like PT30M")
_UUID: Final = N_("must be a UUID")
_ONE_OF: Final = N_("must be {expected}")
_OR: Final = N_(" or ")  # i18n: between the last two of several values

_WORDS: Final[Mapping[str, str]] = {
    "missing": N_("is required"),
    "extra_forbidden": N_("is not known here"),
    "literal_error": _ONE_OF,
    "enum": _ONE_OF,
    "union_tag_invalid": N_("{discriminator} must be one of: {expected_tags}"),
    "union_tag_not_found": N_("{discriminator} is required"),
    "greater_than": N_("must be greater than {gt}"),
    "greater_than_equal": N_("must be {ge} or more"),
    "less_than": N_("must be less than {lt}"),
    "less_than_equal": N_("must be {le} or less"),
    "multiple_of": N_("must be a multiple of {multiple_of}"),
    "string_too_short": N_("should have at least {min_length} characters"),
    "string_too_long": N_("should have at most {max_length} characters"),
    "too_short": N_("should have at least {min_length} items"),
    "too_long": N_("should have at most {max_length} items"),
    "string_pattern_mismatch": N_("should match the pattern {pattern}"),
    "timezone_aware": N_("must name its time zone, like +08:00"),
    "timezone_naive": N_("must not name a time zone"),
    "finite_number": N_("must be a finite number"),
    "value_error": N_("The value is not acceptable"),
    "assertion_error": N_("The value is not acceptable"),
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "list_type": _ARRAY,
    "tuple_type": _ARRAY,
    "set_type": _ARRAY,
    "frozen_set_type": _ARRAY,
    "iterable_type": _ARRAY,
    "string_type": _TEXT,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "bool_type": _YES,
    "bool_parsing": _YES,
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
    "time_type": _TIME,
    "time_parsing": _TIME,
    "time_delta_type": _LENGTH,
    "time_delta_parsing": _LENGTH,
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
}
# How pydantic writes a timedelta: "1 day and 2 hours".
_LENGTHS: Final = re.compile(r"(?<!\S)(\d+) (day|hour|minute|second)s?\b")
_BOUNDS: Final = ("gt", "ge", "lt", "le")
_NONE: Final = timedelta(0)


def wording(fault: Mapping[str, Any]) -> str:
    """One of pydantic's errors for who sent the value; never with the value itself.

    A ValueError's text often quotes what it could not read; a validator that has something to say raises
    `PydanticCustomError`, whose text is its author's.
    """
    code, said = str(fault["type"]), str(fault["msg"])
    if code in _WORDS:
        return gettext(_WORDS[code]).format(**_facts(fault.get("ctx", {})))
    if code.endswith(("_parsing", "_type", "_error")):
        said = said.partition(", ")[0]
    return gettext(said)


def _facts(context: Mapping[str, Any]) -> dict[str, Any]:
    """What a sentence names: lengths of time as people write them, values joined as the language does."""
    language = current_language()
    facts: dict[str, Any] = {}
    for name, value in context.items():
        if name in _BOUNDS and (lengths := _LENGTHS.findall(str(value))):
            facts[name] = language.duration(
                sum((timedelta(**{f"{unit}s": int(n)}) for n, unit in lengths), _NONE)
            )
        elif name == "discriminator":
            facts[name] = str(value).strip("'")
        else:
            facts[name] = str(value).replace(" or ", gettext(_OR)) if name == "expected" else value
    return facts
