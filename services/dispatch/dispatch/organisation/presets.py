"""The organisations that ship as a beginning (R123)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

from dispatch.organisation.rules import Organisation

PresetName = Literal["flat", "functional", "matrix"]
PRESETS: Final[tuple[PresetName, ...]] = get_args(PresetName)
_FOLDER: Final = Path(__file__).parents[1] / "presets"


def written(name: PresetName) -> str:
    """A preset as its file has it."""
    return (_FOLDER / f"{name}.json").read_text(encoding="utf-8")


@cache
def preset(name: PresetName) -> Organisation:
    return Organisation.model_validate_json(written(name))
