"""Behind one address every page leads to all services, whichever process answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from allinone.services import SERVICES
from contracts.sample import service
from contracts.serving import Served, serving
from shared.http.directory import Directory, Entry

ELSEWHERE = Entry(
    "/elsewhere/list",
    frozenset({"operations"}),
    {"en": ("Elsewhere", "What another process shows."), "zh-CN": ("别处", "另一个进程的页面。")},
)


@pytest_asyncio.fixture(scope="module")
async def sample(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, service) as running:
        pages = running.app.state.pages
        pages.directory = Directory((*pages.directory.entries, ELSEWHERE))
        yield running


async def test_the_way_to_another_process_is_shown_to_those_who_may_follow_it(sample: Served) -> None:
    client = await sample.signed_in("operations")
    for language, label in (("en", "Elsewhere"), ("zh-CN", "别处")):
        for path in ("/", "/sample/board"):
            text = (await client.get(path, headers={"accept-language": language})).text
            assert 'href="/elsewhere/list"' in text
            assert label in text
    other = (await (await sample.signed_in("engineer")).get("/")).text
    assert "/elsewhere/list" not in other


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    directory = Directory.of(each.site for each in SERVICES if each.site)
    (tmp_path / "directory.json").write_text(directory.dump())
    assert Directory.load(tmp_path / "directory.json") == directory
    paths = [each.path for each in directory.links(frozenset({"operations"}), "zh-CN")]
    assert {"/intake/desk", "/dispatch/board", "/sla/board"} <= set(paths)
    assert directory.links(frozenset(), "en") == []
