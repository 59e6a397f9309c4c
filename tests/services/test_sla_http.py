"""Clocks, dossiers, alerts and the board over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from contracts.serving import Served, clock_kept, serving
from shared.clock import clock, uuid7
from shared.db import Tx
from shared.events import Event, Payload
from shared.events.dispatch import EngineerArrived, TicketAssigned, TicketOpened
from shared.events.envelope import event_model
from shared.events.intake import CallMissed, RequestAnswered, RequestRegistered
from shared.events.terms import Severity, Site
from shared.http.auth import Principal, Role, mint
from shared.inbox import Receiver
from sla_monitor.alerts.actions import judge_due
from sla_monitor.app import service

PERSON = UUID(int=1)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest_asyncio.fixture(scope="module")
async def served(postgres_url: str) -> AsyncIterator[Served]:
    async with serving(postgres_url, service) as running:
        with clock_kept():
            if not 4 <= clock.now().astimezone(SHANGHAI).hour < 22:
                clock.set(clock.now() - 6 * HOUR)  # what is told of these hours belongs to one day
            yield running


Happened = tuple[Payload, datetime]
Happen = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture(scope="module")
async def happen(served: Served) -> Happen:
    """`await happen(subject, (payload, at), …)`: the service hears of it."""
    receiver = Receiver(served.database, service.consumers)

    async def receive(subject: UUID, *happened: Happened) -> None:
        bodies = []
        for number, (payload, at) in enumerate(happened, start=1):
            model: type[Event[Any]] = event_model(type(payload))
            event = model(
                id=uuid7(), source="/aftercare/test", type=payload.type, subject=str(subject),
                sequence=f"{number:010d}", time=at, data=payload,
            )  # fmt: skip
            bodies.append(b"[" + event.model_dump_json(exclude_none=True).encode() + b"]")
        await receiver.receive(bodies, "live")

    return receive


def ticket(
    at: datetime,
    *,
    region: str = "east",
    severity: Severity = "urgent",
    title: str = "The press stands still",
) -> list[Happened]:
    site = Site(region=region, city="c")
    opened = TicketOpened(
        request_id=PERSON, customer_id=PERSON, customer_level="vip", kind="fault", severity=severity,
        site=site, title=title, owner_id=PERSON,
    )  # fmt: skip
    assigned = TicketAssigned(
        request_id=PERSON, engineer_id=PERSON, tier="senior", severity=severity, centre="C1",
        same_city=True, site=site,
    )  # fmt: skip
    return [(opened, at), (assigned, at)]


@pytest_asyncio.fixture(scope="module")
async def filled(served: Served, happen: Happen) -> dict[str, UUID]:
    """One ticket on its way, one missed, one arrived at in time, a call to return and an answered mail."""
    now = clock.now()
    subjects = {name: uuid7() for name in ("running", "missed", "met", "call", "mail")}
    arrived = EngineerArrived(engineer_id=PERSON)
    await happen(subjects["running"], *ticket(now - HOUR))
    await happen(subjects["missed"], *ticket(now - 3 * HOUR, region="west", title="<b>& leaking</b>"))
    await happen(subjects["met"], *ticket(now - 90 * MINUTE), (arrived, now - 30 * MINUTE))
    await happen(subjects["call"], (CallMissed(region="east"), now - MINUTE))
    registered = RequestRegistered(
        channel="email", customer_id=PERSON, kind="enquiry", severity="general",
        site=Site(region="east", city="c"), title="A question",
    )  # fmt: skip
    answered = RequestAnswered(channel="email", by=PERSON)
    await happen(subjects["mail"], (registered, now - MINUTE), (answered, now))
    heard = {"intake": now, "dispatch": now}
    await served.database.transact(lambda tx: judge_due(tx, now, heard, LONG_AGO))
    return subjects


def api(served: Served, *roles: Role, regions: frozenset[str] | None = None) -> httpx.AsyncClient:
    who = Principal(str(PERSON), frozenset(roles or ("operations",)), regions=regions)
    token = mint(who, served.settings, HOUR)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(served.app),
        base_url=served.settings.public_url,
        headers={"authorization": f"Bearer {token}"},
    )


# Clocks.


async def test_running_clocks_come_by_deadline(served: Served, filled: dict[str, UUID]) -> None:
    answer = await api(served).get("/sla/clocks", params={"state": "running"})
    items = answer.json()["items"]
    assert {"on_site", "return_call"} <= {each["promise"] for each in items}
    deadlines = [each["deadline"] for each in items]
    assert deadlines == sorted(deadlines)


async def test_pages_follow_one_another_without_gap_or_repetition(
    served: Served, filled: dict[str, UUID]
) -> None:
    for state in (None, "running"):
        params: dict[str, Any] = {"state": state} if state else {}
        whole = (await api(served).get("/sla/clocks", params=params)).json()["items"]
        seen, cursor = [], None
        while True:
            asked = params | {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await api(served).get("/sla/clocks", params=asked)).json()
            seen += [each["id"] for each in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert seen == [each["id"] for each in whole]


async def test_who_is_limited_to_a_region_sees_no_other(served: Served, filled: dict[str, UUID]) -> None:
    client = api(served, "dispatcher", regions=frozenset({"east"}))
    items = (await client.get("/sla/clocks")).json()["items"]
    assert {each["region"] for each in items} == {"east"}
    assert (await client.get(f"/sla/subjects/{filled['missed']}/clocks")).status_code == 404
    alerts = (await client.get("/sla/alerts")).json()["items"]
    assert {each["region"] for each in alerts} == {"east"}
    assert (await client.get("/sla/attainment")).json()["promises"]["on_site"]["breached"] == 0


async def test_the_dossier_proves_its_deadline(served: Served, filled: dict[str, UUID]) -> None:
    answer = (await api(served).get(f"/sla/subjects/{filled['missed']}/clocks")).json()
    (proof,) = [each for each in answer["clocks"] if each["promise"] == "on_site"]
    assert (proof["requirement"], proof["outcome"], proof["confirmed"]) == ("R54", "breached", True)
    assert (
        sum(each["seconds"] for each in proof["intervals"] if each["counted"]) == proof["allowance"] == 7200
    )
    assert [each["kind"] for each in answer["history"]] == [
        "dispatch.ticket_opened",
        "dispatch.ticket_assigned",
    ]
    assert (answer["policy_version"], answer["calendar_version"]) == (1, 1)


async def test_attainment_counts_response_promises(served: Served, filled: dict[str, UUID]) -> None:
    answer = (await api(served).get("/sla/attainment")).json()
    assert answer["day"] == clock.now().astimezone(SHANGHAI).date().isoformat()
    assert answer["promises"]["on_site"] == {"met": 1, "breached": 1, "running": 1, "attainment": 0.5}
    assert answer["promises"]["first_reply"]["met"] == 1
    # accept is missed twice, but counts into its own rate only (decision 7).
    assert answer["response"]["met"] == 2
    assert answer["response"]["breached"] == 1


# Alerts.


async def alert_of(served: Served, subject: UUID, promise: str = "on_site") -> dict[str, Any]:
    items = (await api(served).get("/sla/alerts")).json()["items"]
    (found,) = [each for each in items if (each["about"], each["promise"]) == (str(subject), promise)]
    return dict(found)


async def test_acknowledging_an_alert_takes_the_version_that_was_seen(
    served: Served, filled: dict[str, UUID]
) -> None:
    alert = await alert_of(served, filled["missed"])
    address = f"/sla/alerts/{alert['id']}"
    client = api(served)
    etag = (await client.get(address)).headers["etag"]
    assert (await client.post(f"{address}/acknowledge")).status_code == 428
    stale = await client.post(f"{address}/acknowledge", headers={"if-match": '"7"'})
    assert stale.status_code == 412
    answer = await client.post(f"{address}/acknowledge", headers={"if-match": etag})
    assert answer.status_code == 200, answer.text
    assert answer.json()["acknowledged_by"] == str(PERSON)
    again = await client.post(f"{address}/acknowledge", headers={"if-match": answer.headers["etag"]})
    assert again.status_code == 409
    assert again.json()["type"] == "/problems/alert-already-acknowledged"

    async def told(tx: Tx) -> int:
        query = "SELECT count(*) FROM event_log WHERE type = 'sla.alert_acknowledged.v1'"
        return int((await tx.execute(text(query))).scalar_one())

    assert await served.database.transact(told) == 1
    unseen = (await client.get("/sla/alerts", params={"acknowledged": False})).json()["items"]
    assert alert["id"] not in {each["id"] for each in unseen}


async def test_a_dispatcher_may_look_but_not_acknowledge(served: Served, filled: dict[str, UUID]) -> None:
    alert = await alert_of(served, filled["missed"])
    answer = await api(served, "dispatcher").post(
        f"/sla/alerts/{alert['id']}/acknowledge", headers={"if-match": '"1"'}
    )
    assert answer.status_code == 403


async def test_an_alert_of_another_region_is_not_there(served: Served, filled: dict[str, UUID]) -> None:
    alert = await alert_of(served, filled["missed"])
    client = api(served, regions=frozenset({"east"}))
    assert (await client.get(f"/sla/alerts/{alert['id']}")).status_code == 404
    answer = await client.post(f"/sla/alerts/{alert['id']}/acknowledge", headers={"if-match": '"2"'})
    assert answer.status_code == 404


# What cannot be.


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sla/clocks?state=late", 422),
        ("/sla/clocks?limit=0", 422),
        ("/sla/clocks?limit=1000000000", 422),
        ("/sla/clocks?limit=1e9", 422),
        ("/sla/clocks?cursor=nonsense", 422),
        ("/sla/clocks?promise=a;drop%20table%20clock", 422),
        ("/sla/clocks?promise=%00", 422),
        ("/sla/clocks?promise=nothing", 200),
        ("/sla/alerts?acknowledged=perhaps", 422),
        ("/sla/alerts/7", 422),
        (f"/sla/alerts/{UUID(int=5)}", 404),
        (f"/sla/subjects/{UUID(int=5)}/clocks", 404),
        ("/sla/subjects/x/clocks", 422),
        (f"/sla/subjects/{UUID(int=5)}", 404),
    ],
)
async def test_bad_questions_get_a_problem(served: Served, path: str, status: int) -> None:
    answer = await api(served).get(path)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "drop table" not in answer.text


async def test_a_cursor_holds_for_its_own_filters_only(served: Served, filled: dict[str, UUID]) -> None:
    cursor = (await api(served).get("/sla/clocks", params={"limit": 1})).json()["next"]
    answer = await api(served).get("/sla/clocks", params={"cursor": cursor, "state": "running"})
    assert answer.status_code == 422


@pytest.mark.parametrize("etag", ["1", '"1', "*", 'W/"1"', '"x"', '""'])
async def test_a_bad_precondition_changes_nothing(served: Served, filled: dict[str, UUID], etag: str) -> None:
    alert = await alert_of(served, filled["missed"], "accept")
    answer = await api(served).post(f"/sla/alerts/{alert['id']}/acknowledge", headers={"if-match": etag})
    assert answer.status_code in (400, 412)
    assert await alert_of(served, filled["missed"], "accept") == alert


# Pages.


async def test_the_board_shows_what_runs_what_was_missed_and_today(
    served: Served, filled: dict[str, UUID]
) -> None:
    page = await (await served.signed_in("operations")).get("/sla/board")
    assert page.status_code == 200
    assert page.text.count('class="clock"') == page.text.count("data-allowance=")
    assert "The press stands still" in page.text
    assert "&lt;b&gt;&amp; leaking&lt;/b&gt;" in page.text  # a title is text
    assert "Arrive on site" in page.text
    assert "50.0%" in page.text
    assert "data-may-acknowledge" in page.text
    assert "style=" not in page.text  # the policy of the pages allows none


async def test_what_was_missed_days_ago_is_on_the_board_on_the_day_it_becomes_known(
    served: Served, happen: Happen
) -> None:
    now = clock.now()
    await happen(uuid7(), *ticket(now - timedelta(days=3), title="The mail was delayed"))
    await served.database.transact(lambda tx: judge_due(tx, now, {"intake": now, "dispatch": now}, LONG_AGO))
    page = await (await served.signed_in("operations")).get("/sla/board")
    assert "The mail was delayed" in page.text


async def test_the_board_speaks_chinese(served: Served, filled: dict[str, UUID]) -> None:
    client = await served.signed_in("dispatcher")
    page = await client.get("/sla/board", headers={"accept-language": "zh-CN"})
    for words in ("时限看板", "到达现场", "今日超时", "紧急", "回电"):
        assert words in page.text
    assert "data-may-acknowledge" not in page.text


async def test_the_proof_of_a_ticket_is_a_page_too(served: Served, filled: dict[str, UUID]) -> None:
    client = await served.signed_in("dispatcher")
    page = await client.get(f"/sla/subjects/{filled['missed']}")
    assert "2 hr by the wall clock" in page.text
    chinese = await client.get(f"/sla/subjects/{filled['call']}", headers={"accept-language": "zh-CN"})
    assert "回电" in chinese.text


async def test_what_a_viewer_may_not_see_is_not_on_their_board(
    served: Served, filled: dict[str, UUID]
) -> None:
    client = api(served, "dispatcher", regions=frozenset({"west"}))
    page = (await client.get("/sla/board", headers={"accept": "text/html"})).text
    assert "leaking" in page
    assert "The press stands still" not in page
    today = page.partition('data-feed="sla.today"')[2].partition("</ul>")[0]
    assert "50.0%" not in today  # of the whole house; of the west everything was missed
    assert "0.0%" in today
