"""`aftercare normalise`: files in, one JSON document a line out; no server, no database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from allinone.faults import NotUsable
from intake.channels import trial
from shared.clock import clock


def secrets_of(written: Sequence[str], headers: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """What `NAME=VALUE` says, and the headers in a JSON file. Raises `NotUsable`."""
    pairs = [each.partition("=") for each in written]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise NotUsable(f"--secret {wrong[0]!r} is not NAME=VALUE")
    told: Any = {}
    if headers is not None:
        try:
            told = json.loads(headers.read_bytes())
        except (OSError, ValueError) as reason:
            raise NotUsable(f"{headers}: {reason}") from None
    if not isinstance(told, dict) or not all(isinstance(each, str) for each in told.values()):
        raise NotUsable(f"{headers}: a JSON object of texts is expected")
    return {name: value for name, _, value in pairs}, told


@dataclass(frozen=True, slots=True)
class Call:
    """How a body came: with which headers, to which address, when."""

    headers: Mapping[str, str]
    url: str
    at: datetime


def _call_of(file: Path, usual: Call) -> Call:
    """As the file `NAME.call` beside it says, a JSON object of headers, url and at; else as usual.

    Raises `NotUsable`.
    """
    beside = file.with_name(file.name + ".call")
    if not beside.exists():
        return usual
    try:
        told: Any = json.loads(beside.read_bytes())
        at = datetime.fromisoformat(told["at"]) if "at" in told else usual.at
        call = Call(told.get("headers", usual.headers), told.get("url", usual.url), at)
    except (OSError, ValueError, TypeError, AttributeError) as reason:
        raise NotUsable(f"{beside}: {reason}") from None
    if not isinstance(call.url, str) or not isinstance(call.headers, dict) or call.at.tzinfo is None:
        raise NotUsable(f"{beside}: headers is an object, url a text, at an instant with its zone")
    return call


def lines(
    channel: str,
    files: Sequence[Path],
    secrets: Mapping[str, str],
    headers: Mapping[str, str],
    url: str,
    at: datetime,
) -> Iterator[dict[str, Any]]:
    """What would be made of each file, in order; one that cannot be read says so under `unread`.

    A file may have its own headers, address and time beside it, see `_call_of`.

    Raises `NotUsable` for a channel that is not there and secrets that do not suffice.
    """
    if channel not in trial.names():
        raise NotUsable(f"there is no channel {channel!r}; there are {', '.join(trial.names())}")
    trying = trial.Trial(channel, secrets)
    if missing := trying.missing():
        raise NotUsable(f"to check signatures, {channel} also needs --secret {', '.join(missing)}")
    usual = Call(headers, url, at)
    for file in files:
        try:
            body = file.read_bytes()
        except OSError as reason:
            yield {"file": str(file), "unread": reason.strerror or str(reason)}
            continue
        call = _call_of(file, usual)
        clock.set(call.at)
        query = dict(reversed(parse_qsl(urlsplit(call.url).query, keep_blank_values=True)))
        for each in trying.look(trial.incoming_of(body, call.headers, call.url, query, call.at)):
            yield {"file": str(file), "verified": trying.verified and each.genuine, **each.document()}
