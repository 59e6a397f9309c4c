"""`aftercare normalise`: files in, one JSON document a line out; no server, no database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
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


def lines(
    channel: str,
    files: Sequence[Path],
    secrets: Mapping[str, str],
    headers: Mapping[str, str],
    url: str,
    at: datetime,
) -> Iterator[dict[str, Any]]:
    """What would be made of each file, in order; one that cannot be read says so under `unread`.

    Raises `NotUsable` for a channel that is not there and secrets that do not suffice.
    """
    if channel not in trial.names():
        raise NotUsable(f"there is no channel {channel!r}; there are {', '.join(trial.names())}")
    trying = trial.Trial(channel, secrets)
    if missing := trying.missing():
        raise NotUsable(f"to check signatures, {channel} also needs --secret {', '.join(missing)}")
    clock.set(at)
    query = dict(reversed(parse_qsl(urlsplit(url).query, keep_blank_values=True)))
    for file in files:
        try:
            body = file.read_bytes()
        except OSError as reason:
            yield {"file": str(file), "unread": reason.strerror or str(reason)}
            continue
        for each in trying.look(trial.incoming_of(body, headers, url, query, at)):
            yield {"file": str(file), "verified": trying.verified, **each.document()}
