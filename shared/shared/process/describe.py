"""What services tell each other, described from the `Service` values: AsyncAPI 3 and the event map."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, Final

from shared.bus.topology import EXCHANGE, Topology, queue_name
from shared.events.envelope import CONTENT_TYPE, Payload, event_model, payload_types
from shared.process.service import Service

VERSION: Final = "1.0.0"
_REF: Final = "#/components/schemas/{model}"


def asyncapi(services: Sequence[Service], topology: Topology) -> dict[str, Any]:
    """The AsyncAPI 3.0 document of what `services` publish and read."""
    names = {each.name for each in services}
    payloads = [
        each
        for each in _payloads()
        if each.owner() in names or topology.listeners.get(each.type, set()) & names
    ]
    schemas: dict[str, Any] = {}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Aftercare events",
            "version": VERSION,
            "description": "CloudEvents 1.0 in the JSON batch format, over AMQP 0-9-1 (RabbitMQ). "
            "A message holds one or more events of one type; delivery is at least once, in any order.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {each.type: _channel(each) for each in payloads},
        "operations": dict(_operations(payloads, names, topology)),
        "components": {
            "messages": {each.type: _message(each, schemas) for each in payloads},
            "schemas": schemas,
        },
    }


def event_map(services: Iterable[Service], topology: Topology) -> str:
    """The table of events for the README: who tells, what, and who listens."""
    names = {each.name for each in services}
    lines = ["| event | means | read by |", "|---|---|---|"]
    for payload in _payloads():
        if payload.owner() in names:
            readers = ", ".join(sorted(topology.listeners.get(payload.type, ()))) or "—"
            lines.append(f"| `{payload.type}` | {_means(payload)} | {readers} |")
    return "\n".join(lines) + "\n"


def _payloads() -> list[type[Payload]]:
    return [payload for _, payload in sorted(payload_types().items())]


def _means(payload: type[Payload]) -> str:
    return " ".join(inspect.cleandoc(payload.__doc__ or "").split("\n\n")[0].split())


def _channel(payload: type[Payload]) -> dict[str, Any]:
    return {
        "address": payload.type,
        "messages": {"event": {"$ref": f"#/components/messages/{payload.type}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": EXCHANGE, "type": "topic", "durable": True, "vhost": "/"},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operations(
    payloads: Sequence[type[Payload]], names: set[str], topology: Topology
) -> Iterable[tuple[str, dict[str, Any]]]:
    for payload in payloads:
        channel = {"$ref": f"#/channels/{payload.type}"}
        if payload.owner() in names:
            yield f"{payload.owner()}.send.{payload.type}", {"action": "send", "channel": channel}
        for reader in sorted(topology.listeners.get(payload.type, set()) & names):
            yield (
                f"{reader}.receive.{payload.type}",
                {
                    "action": "receive",
                    "channel": channel,
                    "summary": f"from the queue {queue_name(reader, 'live')}",
                },
            )


def _message(payload: type[Payload], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = event_model(payload).model_json_schema(ref_template=_REF, mode="serialization")
    schemas |= schema.pop("$defs", {})
    name = event_model(payload).__name__
    schemas[name] = schema
    return {
        "name": payload.type,
        "title": payload.__name__,
        "summary": _means(payload),
        "contentType": CONTENT_TYPE,
        "payload": {"type": "array", "minItems": 1, "items": {"$ref": _REF.format(model=name)}},
    }
