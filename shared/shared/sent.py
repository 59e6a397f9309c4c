"""The base of all that is sent to us as JSON: nothing undeclared is taken, nothing converted on the quiet.

    class Delivery(Sent):
        quantity: int = Field(ge=1)

`"5"` is no whole number, `1` is not true and `true` is not 1: who sends them means something else than what
would be read. What JSON has no form for is a text all the same: times, UUIDs, decimals, lengths of time.
Queries and forms are texts by nature and have models of their own.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema

_EXACT: Final = frozenset({"int", "float", "bool"})
_NO_SCHEMA: Final = frozenset({"cls", "default", "expected", "metadata", "serialization"})


class Sent(BaseModel):
    """What somebody else wrote; frozen or not as the subclass says."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # Not `strict=True`: FastAPI hands over what JSON was parsed to, in which a strict UUID is no text.
        schema = handler(source)
        cls.__tighten(handler.resolve_ref_schema(schema))
        return schema

    @classmethod
    def __tighten(cls, part: Any) -> None:
        """Make the numbers and truth values of this model exact; models within it see to themselves."""
        match part:
            case {"type": "model", "cls": other} if other is not cls:
                return
            case {"type": str(kind)}:
                if kind in _EXACT:
                    part.setdefault("strict", True)
                within = [each for name, each in part.items() if name not in _NO_SCHEMA]
            case dict():  # schemas by names, such as fields, of which one may be called `type`
                within = [*part.values()]
            case list() | tuple():
                within = [*part]
            case _:
                return
        for each in within:
            cls.__tighten(each)
