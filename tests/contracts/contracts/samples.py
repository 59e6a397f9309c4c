"""A sample of every event, kept for ever: `python -m contracts.samples` writes those that are missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from shared.events import Payload
from shared.events.envelope import event_model

FOLDER: Final = Path(__file__).parents[1] / "events"
_ID: Final = "019a9d3c-8000-7000-8000-000000000001"  # made 2025-11-19, as UUIDv7
_MOMENT: Final = "2025-11-19T01:00:00Z"
_BY_FORMAT: Final = {"uuid": _ID, "date-time": _MOMENT}


def file_of(payload: type[Payload]) -> Path:
    """Where the sample of one event type and version is kept."""
    return FOLDER / f"{payload.type}.json"


def sample(payload: type[Payload]) -> dict[str, Any]:
    """One event as it travels, every field filled."""
    schema = event_model(payload).model_json_schema()
    data = _value(schema["properties"]["data"], schema.get("$defs", {}))
    return {
        "specversion": "1.0",
        "id": _ID,
        "source": f"/aftercare/{payload.owner()}",
        "type": payload.type,
        "subject": _ID,
        "sequence": "0000000001",
        "time": _MOMENT,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "data": data,
    }


def _value(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    """The plainest value a JSON schema allows."""
    if "$ref" in schema:
        return _value(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" in schema:
        return _value(next(each for each in schema["anyOf"] if each.get("type") != "null"), known)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            return {name: _value(each, known) for name, each in schema.get("properties", {}).items()}
        case "array" if "prefixItems" in schema:
            return [_value(each, known) for each in schema["prefixItems"]]
        case "array":
            return [_value(schema["items"], known)]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
    return _BY_FORMAT.get(schema.get("format", ""), "sample")


def missing() -> list[type[Payload]]:
    """The published event types without a sample."""
    from shared.events import payload_types
    from shared.events.language import OWNERS

    return [
        each for each in payload_types().values() if each.owner() in OWNERS and not file_of(each).exists()
    ]


if __name__ == "__main__":
    for each in missing():
        file_of(each).write_text(json.dumps(sample(each), indent=2, ensure_ascii=False) + "\n")
        print(f"wrote {file_of(each).name}")
