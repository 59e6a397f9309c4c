"""What the client asked and was told, one JSON object a line: the evidence of checker C1.

    with journal.exchange(key, body) as exchange:
        response = await client.post(...)
        exchange.answered(response.status_code, response.json()["id"])

The request is on file before it is sent; leaving without an answer files it as unknown.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, Self

UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Entry:
    """One line: `at` in seconds of the host's monotonic clock, the body as SHA-256 in hex.

    `status` is None in the line of the request; in that of the answer it is the HTTP status, or "unknown"
    when the connection failed. `answer_id` is the id of what was created, as the answer says.
    """

    at: float
    key: str
    body_hash: str
    status: int | Literal["unknown"] | None = None
    answer_id: str | None = None


class Exchange:
    """One request under way."""

    def __init__(self) -> None:
        self.status: int | Literal["unknown"] = UNKNOWN
        self.answer_id: str | None = None

    def answered(self, status: int, answer_id: str | None = None) -> None:
        self.status, self.answer_id = status, answer_id


class Journal:
    """Appends to a file; tasks, threads and processes may share it.

    Each line is one write to a file opened for appending, which the kernel keeps whole.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    @contextmanager
    def exchange(self, key: str, body: bytes) -> Iterator[Exchange]:
        body_hash = hashlib.sha256(body).hexdigest()
        self._append(Entry(time.monotonic(), key, body_hash))
        exchange = Exchange()
        try:
            yield exchange
        finally:
            self._append(Entry(time.monotonic(), key, body_hash, exchange.status, exchange.answer_id))

    def _append(self, entry: Entry) -> None:
        os.write(self._file, json.dumps(asdict(entry)).encode() + b"\n")


def read_journal(path: Path) -> list[Entry]:
    return [Entry(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
