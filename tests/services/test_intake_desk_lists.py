"""The desk's lists, figures and search: older requests are reached, and what is counted is all there is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
import pytest_asyncio

from contracts.hearing import Hearing, hearing
from intake.app import service
from intake.desk import feeds
from intake.desk.choice import Choice
from intake.desk.store import COUNTED, load_chosen, load_figures
from intake.requests.access import NO_LIMITS, Limits
from intake.requests.actions import register
from intake.requests.rules import Identity, Normalised
from intake.search.loops import BATCH, make_findable
from shared.clock import clock, uuid7
from shared.http.auth import Principal

LIMITED = Limits(regions=frozenset({"east"}))


@pytest_asyncio.fixture(scope="module")
async def desk(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as running:
        yield running


async def asked(desk: Hearing, *texts: str, region: str = "east", level: str = "standard") -> list[UUID]:
    came = [
        Normalised(
            channel="web_form",
            account="test",
            external_id=str(uuid7()),
            identities=(Identity("external", str(uuid7())),),
            name="某人",
            text=text,
            title=text[:20],
            received_at=clock.now(),
            raw=b"x",
            content_type="text/plain",
            region=region,
            level=level,  # type: ignore[arg-type]
        )
        for text in texts
    ]
    async with desk.database.transaction() as tx:
        return [each.request_id for each in await register(tx, came)]


async def found(desk: Hearing, chosen: dict[str, str], limits: Limits = NO_LIMITS) -> list[UUID]:
    async with desk.database.transaction() as tx:
        return [each.id for each in await load_chosen(tx, Choice.model_validate(chosen), limits, 500)]


async def index(desk: Hearing) -> None:
    while await desk.database.transact(lambda tx: make_findable(tx, clock.now())):
        pass


def ids_in(shown: str) -> Sequence[str]:
    return re.findall(r'href="/intake/desk/([0-9a-f-]{36})"', shown)


async def test_older_requests_are_reached_page_by_page_and_the_figures_count_all(desk: Hearing) -> None:
    made = [str(id) for id in await asked(desk, *[f"冰箱冒烟 {n}" for n in range(feeds.SHOWN + 5)])]
    browser = await desk.served.signed_in("care")
    first = (await browser.get("/intake/desk", headers={"accept-language": "en"})).text
    [older] = re.findall(r'href="(/intake/desk\?before=[^"]+)"', first)
    second = (await browser.get(older, headers={"accept-language": "en"})).text
    assert [*ids_in(first), *ids_in(second)][: len(made)] == made[::-1]
    assert 'data-feed="intake.requests"' in first
    assert "data-feed" not in second
    async with desk.database.transaction() as tx:
        figures = await load_figures(tx, NO_LIMITS)
    assert figures.urgent >= feeds.SHOWN + 5
    assert figures.open == await desk.admin.fetchval("SELECT count(*) FROM request WHERE closed_at IS NULL")


@pytest.mark.parametrize("query", ["severity=grave", "before=1", "owner=x", "q=" + "x" * 201])
async def test_a_choice_that_cannot_be_read_is_refused(desk: Hearing, query: str) -> None:
    assert (await desk.client("care").get(f"/intake/desk?{query}")).status_code == 422


async def test_filters_leave_only_what_fits(desk: Hearing) -> None:
    [urgent, general] = await asked(desk, "锅炉冒烟", "请问怎么用", region="north")
    await desk.admin.execute(
        "UPDATE request SET answered_at = now(), closed_at = now() WHERE id = $1",
        general,
    )
    north = {"region": "north"}
    assert await found(desk, north) == [general, urgent]
    for chosen, left in (
        ({"severity": "urgent"}, [urgent]),
        ({"kind": "enquiry"}, [general]),
        ({"channel": "email"}, []),
        ({"answered": "no"}, [urgent]),
        ({"ticket": "no"}, [general, urgent]),
        ({"state": "closed"}, [general]),
        ({"before": str(general)}, [urgent]),
    ):
        assert await found(desk, north | chosen) == left, chosen


async def test_words_of_two_characters_are_found_and_what_was_erased_is_not(desk: Hearing) -> None:
    """Decision 23."""
    [leaks, noisy] = await asked(desk, "客廳的空調從昨天起漏水，型號 AM12", "洗衣机异响")
    assert await found(desk, {"q": "漏水"}) == []
    await index(desk)
    assert await found(desk, {"q": "漏水 空调 am12"}) == [leaks]
    assert await found(desk, {"q": "异响"}) == [noisy]
    await desk.admin.execute("UPDATE message SET text = '' WHERE request_id = $1", leaks)
    await desk.admin.execute("UPDATE request SET title = '—' WHERE id = $1", leaks)
    await index(desk)
    assert await found(desk, {"q": "漏水"}) == []


async def test_more_than_one_batch_becomes_findable(desk: Hearing) -> None:
    await asked(desk, *["批量漏油"] * (BATCH + 1))
    await index(desk)
    assert len(await found(desk, {"q": "漏油"})) == BATCH + 1


async def test_who_is_limited_sees_and_counts_only_their_own(desk: Hearing) -> None:
    """R125."""
    [east] = await asked(desk, "水泵漏水", region="east")
    [south] = await asked(desk, "水泵漏水", region="south")
    shown = await found(desk, {}, LIMITED)
    assert (east in shown, south in shown) == (True, False)
    async with desk.database.transaction() as tx:
        whole, own = await load_figures(tx, NO_LIMITS), await load_figures(tx, LIMITED)
        viewer = Principal("x", frozenset({"care"}), regions=LIMITED.regions)
        assert feeds.REQUESTS.narrow is not None
        rows = await feeds.REQUESTS.narrow(feeds.MINE, viewer).snapshot(tx)
        assert not any(feeds.REQUESTS.visible(row, viewer) for row in rows)
    assert own.open < whole.open < COUNTED
    assert (str(east) in [row.id for row in rows], str(south) in [row.id for row in rows]) == (True, False)
    client = desk.client("care", regions=LIMITED.regions)
    assert [(await client.get(f"/intake/desk/{id}")).status_code for id in (east, south)] == [200, 404]
