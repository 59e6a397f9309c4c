"""The broker's users and what each may do, in the format RabbitMQ loads at boot and imports while it runs.

A service reads its own queues, publishes to `aftercare.*` exchanges, and on `aftercare.events` only what it
owns: routing keys that begin with its name. It declares nothing but its own transient queues.
"""

import hashlib
import re
import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping

ADMINISTRATOR = "admin"
EVENTS_EXCHANGE = "aftercare.events"


def users(passwords: Mapping[str, str]) -> list[dict[str, object]]:
    """One user per name; `admin` administers, and nobody else does. There is no `guest`."""
    return [
        {
            "name": name,
            "password_hash": password_hash(password, secrets.token_bytes(4)),
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["administrator"] if name == ADMINISTRATOR else [],
            "limits": {},
        }
        for name, password in passwords.items()
    ]


def rights(vhost: str, services: Iterable[str]) -> dict[str, object]:
    """The virtual host, with the rights of the administrator and of every service in it."""
    everything = {"user": ADMINISTRATOR, "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*"}
    return {
        "vhosts": [{"name": vhost}],
        "permissions": [everything, *(_permission(service, vhost) for service in services)],
        "topic_permissions": [_topic_permission(service, vhost) for service in services],
    }


def password_hash(password: str, salt: bytes) -> str:
    """RabbitMQ's salted SHA-256: base64 of the four bytes of salt and the digest of salt and password."""
    return b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _permission(service: str, vhost: str) -> dict[str, str]:
    return {
        "user": service,
        "vhost": vhost,
        "configure": r"^aftercare\.transient\..*",
        "write": r"^aftercare\..*",
        "read": rf"^{re.escape(service)}\.(live|bulk|dead)$|^aftercare\..*",
    }


def _topic_permission(service: str, vhost: str) -> dict[str, str]:
    return {
        "user": service,
        "vhost": vhost,
        "exchange": EVENTS_EXCHANGE,
        "write": rf"^{re.escape(service)}\.",
        "read": ".*",
    }
