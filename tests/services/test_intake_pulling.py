"""What a provider only announces is fetched: each message once, whatever breaks on the way (R01, R02)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts.customer_service import SECRET, CustomerService
from contracts.hearing import Hearing, hearing
from contracts.posting import later
from contracts.providers import genuine
from contracts.receiving import WebReceiver, receiving
from contracts.sending import LOCAL, Way, ways
from intake.app import service
from intake.channels.doors import take
from intake.pulling import store
from intake.pulling.loops import LEASE, Pulls
from intake.pulling.rules import EVERY
from intake.sending.calls import Calls
from shared.clock import clock
from shared.outgoing import Outgoing

KF = genuine()["wecom_kf"]
DOOR = "/intake/channels/wecom_kf/main"
TROUBLE = ((500, ""), (200, '{"errcode": -1}'), (200, "<html>"), (200, '{"errcode": 95007}'))


@dataclass
class Desk:
    """A desk, what fetches for it, and the provider."""

    way: Way
    pulls: Pulls
    provider: CustomerService
    url: str

    async def announced(self, desk: str = "wkdesk") -> None:
        """The provider says that there is something; what is due is fetched."""
        answer = await self.told(desk)
        assert (answer.status_code, answer.text) == (200, "success")
        await self.fetch()

    async def told(self, desk: str = "wkdesk") -> httpx.Response:
        call = KF.signed(self.provider.announce(desk))
        path = f"{DOOR}?{call.query}"
        return await self.way.desk.client().post(path, content=call.body, headers=dict(call.headers))

    async def fetch(self) -> None:
        await self.way.desk.database.transact(lambda tx: self.pulls.tick(tx, clock.now()))
        await self.pulls.settle()

    async def said(self) -> list[tuple[str, str]]:
        """By whom and what: of each conversation in the order it was stored."""
        rows = await self.way.desk.admin.fetch(
            "SELECT address, text FROM message WHERE direction = 'in' ORDER BY address, id"
        )
        return [tuple(row) for row in rows]

    async def source(self) -> dict[str, Any]:
        return dict(await self.way.desk.admin.fetchrow("SELECT * FROM pull"))


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service, public_url="https://aftercare.example") as made:
        yield made


@pytest_asyncio.fixture
async def desk(running: Hearing) -> AsyncIterator[Desk]:
    async with ways(running) as way:
        yield await desk_of(way, CustomerService())


async def desk_of(way: Way, provider: CustomerService) -> Desk:
    await way.desk.admin.execute("DELETE FROM pull")
    receiver = WebReceiver(reacts=provider.react)
    await way.stack.enter_async_context(receiving(receiver))
    await way.account("wecom_kf", "main", **KF.secrets, secret=SECRET, api_url=receiver.url)
    pulls = Pulls(way.desk.served.context)
    pulls.calls = Calls(Outgoing(LOCAL.allowed, LOCAL.public_url))
    way.stack.push_async_callback(pulls.stop)
    return Desk(way, pulls, provider, receiver.url)


async def test_an_announcement_brings_all_there_is_each_message_once(desk: Desk) -> None:
    for number in range(4):
        desk.provider.write(f"水泵漏水 {number}", "wm1")
    desk.provider.write("空调不制冷", "wm2")
    desk.provider.write("Elsewhere", "wm3", "wkother")
    for _ in range(5):  # as it repeats what it got no answer to
        await desk.announced()
    theirs = [("wkdesk:wm1", f"水泵漏水 {number}") for number in range(4)]
    assert await desk.said() == [*theirs, ("wkdesk:wm2", "空调不制冷")]
    rows = await desk.way.desk.admin.fetch("SELECT door, channel, account FROM request")
    assert [tuple(row) for row in rows] == [("wecom_kf", "social", "wecom_kf/main")] * 2
    assert (await desk.source())["cursor"] == "c5"
    asked = desk.provider.asked
    assert asked[0] == {"token": "ENC0", "open_kfid": "wkdesk", "limit": 200}
    assert asked[1] == {"cursor": "c3", **asked[0]}
    await desk.announced("wkother")
    assert (await desk.said())[-1] == ("wkother:wm3", "Elsewhere")


async def test_who_dies_between_storing_and_the_cursor_fetches_again_and_doubles_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any, **__: Any) -> bool:
        raise ConnectionResetError

    desk.provider.write("水泵漏水")
    with monkeypatch.context() as patch:
        patch.setattr(store, "advance", dies)
        await desk.announced()
    assert (len(await desk.said()), (await desk.source())["cursor"]) == (1, None)
    await desk.fetch()
    assert len(desk.provider.asked) == 1  # somebody may be at it
    later(LEASE)
    await desk.fetch()
    assert (len(await desk.said()), (await desk.source())["cursor"]) == (1, "c1")


async def test_what_is_announced_while_it_is_fetched_is_fetched_at_once(desk: Desk) -> None:
    await desk.told()
    transact = desk.way.desk.database.transact
    [claimed] = await transact(lambda tx: store.claim(tx, clock.now() + LEASE, 1))
    await desk.told()
    assert await transact(lambda tx: store.advance(tx, claimed, "c1", clock.now() + EVERY))
    desk.provider.write("水泵漏水")
    desk.provider.write("还在漏")
    await desk.fetch()
    assert [text for _, text in await desk.said()] == ["还在漏"]  # "c1" said that the first is stored


async def test_a_lost_announcement_is_made_up_for_without_its_token(desk: Desk) -> None:
    await desk.announced()
    desk.provider.write("水泵漏水")
    await desk.fetch()
    assert await desk.said() == []
    later(EVERY)
    await desk.fetch()
    assert (len(await desk.said()), "token" in desk.provider.asked[-1]) == (1, False)


async def test_tokens_that_are_over_are_done_without_or_got_anew(desk: Desk) -> None:
    desk.provider.write("one")
    await desk.announced()
    desk.provider.access, desk.provider.page = 2, 1  # the access token that we have is withdrawn
    desk.provider.write("two")
    desk.provider.write("three")
    await desk.told()
    desk.provider.announced.clear()
    await desk.fetch()
    assert [text for _, text in await desk.said()] == ["one", "two", "three"]


async def test_what_is_no_message_of_a_person_opens_nothing_and_is_kept(desk: Desk) -> None:
    desk.provider.write("We come.", origin=5)
    event = {"event_type": "enter_session", "open_kfid": "wkdesk", "external_userid": "wm1"}
    desk.provider.write("", origin=4, msgtype="event", event=event)
    desk.provider.write("", msgtype="channels_of_tomorrow")
    desk.provider.write("When?", send_time="soon")
    desk.provider.write("old", send_time=int((clock.now() - timedelta(days=2)).timestamp()))
    desk.provider.write("new")
    await desk.announced()
    assert [text for _, text in await desk.said()] == ["new"]
    kept = await desk.way.desk.admin.fetch("SELECT reason FROM set_aside WHERE channel = 'wecom_kf'")
    assert sorted(row["reason"] for row in kept) == [
        "before_set_up",
        "channels_of_tomorrow",
        "event_enter_session",
        "servicer",
        "unreadable",
    ]


async def test_an_account_that_cannot_fetch_says_why_and_goes_on_once_it_can(desk: Desk) -> None:
    await desk.way.account("wecom_kf", "main", **KF.secrets)
    desk.provider.write("水泵漏水")
    await desk.announced()
    assert ((await desk.source())["detail"], await desk.said()) == ("not set up", [])
    channels = (await desk.way.desk.client("admin").get("/intake/channels")).json()
    [account] = [each for kind in channels for each in kind["accounts"] if kind["name"] == "wecom_kf"]
    assert [(each["source"], each["trouble"]) for each in account["fetched"]] == [("wkdesk", "not set up")]
    await desk.way.account("wecom_kf", "main", **KF.secrets, secret=SECRET, api_url=desk.url)
    await desk.fetch()
    assert len(await desk.said()) == 1


@settings(max_examples=8, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(
    texts=st.lists(st.sampled_from(["wm1", "wm2", "wm3"]), min_size=1, max_size=9),
    page=st.integers(1, 4),
    trouble=st.lists(st.one_of(st.none(), st.sampled_from(TROUBLE)), max_size=6),
    crashes=st.lists(st.booleans(), min_size=2, max_size=6),
    announcements=st.integers(1, 3),
)
async def test_whatever_breaks_each_message_is_stored_once_and_in_order(
    running: Hearing,
    texts: list[str],
    page: int,
    trouble: list[tuple[int, str] | None],
    crashes: list[bool],
    announcements: int,
) -> None:
    async with ways(running) as way:
        provider = CustomerService(page, dict(enumerate(trouble, start=1)).get)
        desk = await desk_of(way, provider)
        for number, person in enumerate(texts):
            provider.write(f"{number}", person)
        left = list(crashes)

        def dying(work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
            async def dies(*told: Any, **more: Any) -> Any:
                if left and left.pop(0):
                    raise ConnectionResetError
                return await work(*told, **more)

            return dies

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "advance", dying(store.advance))
            patch.setattr("intake.pulling.loops.take", dying(take))
            for _ in range(announcements):
                await desk.announced()
            for _ in range(len(trouble) + len(crashes) + 1):
                later(EVERY)
                await desk.fetch()
        said = [(f"wkdesk:{person}", f"{number}") for number, person in enumerate(texts)]
        assert await desk.said() == sorted(said)


async def test_an_answer_goes_out_by_the_desk_it_came_to_and_its_failure_comes_back(desk: Desk) -> None:
    desk.provider.write("水泵漏水")
    await desk.announced()
    [row] = await desk.way.desk.admin.fetch("SELECT id FROM request")
    await desk.way.answered(row["id"], "明天上午到。")
    await desk.way.deliver()
    [sent] = desk.provider.sent.values()
    assert (sent["touser"], sent["open_kfid"], sent["text"]) == ("wm1", "wkdesk", {"content": "明天上午到。"})
    assert await desk.way.states() == [("sent", None, 1)]
    failed = {"event_type": "msg_send_fail", "fail_msgid": sent["msgid"], "fail_type": 10}
    desk.provider.write("", origin=4, msgtype="event", event=failed)
    await desk.announced()
    said = (await desk.way.desk.client("care").get(f"/intake/requests/{row['id']}/messages")).json()
    assert (said[-1]["state"], said[-1]["detail"]) == ("failed", "fail_type 10")
    later(timedelta(hours=48))
    await desk.way.answered(row["id"], "Too late.")
    await desk.way.deliver()
    assert (await desk.way.states())[-1] == ("failed", "window_over", 1)
