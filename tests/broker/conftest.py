"""One stage per test, on each bus in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from toy.stage import SERVICES, Broker, Stage, quicken, raised


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch.setattr)
