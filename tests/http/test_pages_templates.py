"""Pages: headers, escaping, problems for people, assets."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from contracts.sample import NewPromise, make_promise, service
from contracts.serving import Served, serving
from shared.db import Tx
from shared.http import pages as pages_module
from shared.http.assets import Assets

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{ 7*7 }}"


@pytest_asyncio.fixture(scope="module")
async def sample(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, service) as running:
        yield running


async def test_every_answer_forbids_what_a_page_does_not_need(sample: Served) -> None:
    client = await sample.signed_in("operations")
    for path in ("/sign-in", "/sample/board", "/nowhere", "/sample/promises/x", "/health/live"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers.get_list("content-security-policy") == [policy]


async def test_pages_hold_nothing_the_policy_would_block(sample: Served) -> None:
    client = await sample.signed_in("operations", "dispatcher")
    for path in ("/", "/sign-in", "/sample/board", "/nowhere"):
        text = (await client.get(path)).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text), path
        assert not re.search(r"<script(?![^>]*\ssrc=\"/)", text), path
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", text), path


async def test_what_a_customer_wrote_is_text_and_nothing_else(sample: Served) -> None:
    async def make(tx: Tx) -> str:
        promise = NewPromise(customer=HOSTILE, subject=HOSTILE, due_at=tx.now + timedelta(days=1))
        return await make_promise(tx, promise)

    await sample.database.transact(make)
    text = (await (await sample.signed_in("operations")).get("/sample/board")).text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7*7 }}" in text


async def test_pages_are_not_kept(sample: Served) -> None:
    answer = await (await sample.signed_in("operations")).get("/sample/board")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-language"] == "en"


async def test_a_browser_gets_a_problem_as_a_page_and_a_program_as_json(sample: Served) -> None:
    client = await sample.signed_in("operations")
    page = await client.get("/sample/promises/x", headers=BROWSER)
    assert page.status_code == 404
    assert page.headers["content-type"].startswith("text/html")
    assert "There is nothing here" in page.text
    for headers in ({"accept": "application/json"}, {"accept": "*/*"}, {**BROWSER, "hx-request": "true"}):
        answer = await client.get("/sample/promises/x", headers=headers)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_problem_page_keeps_status_and_meaning(sample: Served) -> None:
    client = await sample.signed_in("care")
    answer = await client.get("/sample/board", headers={**BROWSER, "accept-language": "zh"})
    assert answer.status_code == 403
    assert "您无权执行此操作" in answer.text
    wrong_method = await client.delete("/sample/board", headers=BROWSER)
    assert wrong_method.status_code == 405
    assert wrong_method.headers["allow"] == "GET"


async def test_who_is_not_signed_in_comes_back_afterwards(sample: Served) -> None:
    client = sample.client()
    answer = await client.get("/sample/board?by=region&at=%2F")
    assert answer.status_code == 303
    form = await client.get(answer.headers["location"])
    assert 'name="next" value="/sample/board?by=region&amp;at=%2F"' in form.text


async def test_the_first_page_leads_only_where_one_may_go(sample: Served) -> None:
    assert "/sample/board" in (await (await sample.signed_in("operations")).get("/")).text
    assert "/sample/board" not in (await (await sample.signed_in("care")).get("/")).text
    assert (await sample.client().get("/")).headers["location"] == "/sign-in"


async def test_the_first_page_speaks_in_the_words_of_each_service(sample: Served) -> None:
    client = await sample.signed_in("operations")
    text = (await client.get("/", headers={"accept-language": "zh"})).text
    assert "承诺" in text
    assert "即将到期与已经超时的事项。" in text


async def test_assets_are_kept_for_ever_under_the_name_of_their_content(sample: Served) -> None:
    client = sample.client()
    text = (await client.get("/sign-in")).text
    found = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
    assert len(set(found)) == 5
    for path in found:
        answer = await client.get(path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        again = await client.get(path, headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304


async def test_during_a_roll_out_the_other_version_is_served_but_not_kept(sample: Served) -> None:
    answer = await sample.client().get("/static/aftercare.000000000000.css")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.css", "..%2fpages.py", "htmx-2.0.11.min", ".js", "%00.js"])
async def test_only_the_files_of_the_folder_are_served(sample: Served, name: str) -> None:
    answer = await sample.client().get(f"/static/{name}", headers={"accept": "*/*"})
    assert answer.status_code in (404, 422)


def test_an_asset_changes_its_name_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("p {}")
    before = Assets(tmp_path, "/static").url("a.css")
    (tmp_path / "a.css").write_text("p { margin: 0 }")
    assert Assets(tmp_path, "/static").url("a.css") != before


def test_htmx_comes_with_its_licence() -> None:
    static = pages_module.HERE / "static"
    assert "Zero-Clause BSD" in (static / "htmx-2.0.11.LICENSE").read_text()
    assert 'version:"2.0.11"' in (static / "htmx-2.0.11.min.js").read_text()


async def test_an_outage_is_told_before_the_clock_is_known(
    sample: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await sample.signed_in("operations")
    monkeypatch.setattr("shared.clock.clock._anchor", None)
    answer = await client.get("/sample/board")
    assert answer.status_code == 503
    assert "Please wait a moment" in answer.text
