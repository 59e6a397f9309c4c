"""Closed tickets in, one survey each out; answers that count and answers that do not."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
import pytest_asyncio

from chaos.databases import empty
from contracts.authorization import deviations, read_table, without
from contracts.hearing import Hearing, hearing, told_event
from feedback.app import service
from feedback.surveys.rules import MOST_ANSWERS, proof_of
from shared.clock import clock, uuid7, uuid7_floor
from shared.events.dispatch import TicketClosed
from shared.events.terms import Site

TABLE = Path(__file__).parents[1] / "contracts" / "authorization.toml"
ENGINEER = UUID(int=1)


@pytest_asyncio.fixture(scope="module")
async def running(postgres_url: str) -> AsyncIterator[Hearing]:
    async with hearing(postgres_url, service) as feedback:
        yield feedback


@pytest_asyncio.fixture
async def feedback(running: Hearing) -> Hearing:
    """Nobody has been asked yet."""
    await empty(running.admin, "survey, answer, event_log, inbox, parked, dead_letter")
    return running


def closed(
    ticket: UUID, *, version: int = 9, episode: int = 1, reason: Any = "accepted", region: str = "east"
) -> bytes:
    payload = TicketClosed(
        request_id=UUID(int=9), customer_id=UUID(int=8), engineer_id=ENGINEER, reason=reason,
        severity="general", site=Site(region=region, city="shanghai"), episode=episode,
    )  # fmt: skip
    return told_event(payload, subject=ticket, version=version)


async def links(feedback: Hearing) -> list[str]:
    """The secret links that intake was asked to send, in order."""
    return [data["link"] for name, _, data in await feedback.told() if name == "customer_message_requested"]


async def asked(feedback: Hearing, region: str = "east") -> str:
    """The link of one more survey."""
    await feedback.receive(closed(uuid7(), region=region))
    return (await links(feedback))[-1]


def shown(link: str, ago: timedelta = timedelta(minutes=1)) -> str:
    """The proof of a page that was shown some time ago."""
    return proof_of(link.rpartition("/")[2], clock.now() - ago)


async def answer(feedback: Hearing, link: str, **form: Any) -> httpx.Response:
    """What a browser sends with the page's form."""
    async with feedback.client() as customer:
        return await customer.post(link, data={"score": "5", "proof": shown(link), **form})


async def rows(feedback: Hearing) -> list[Any]:
    return [
        await feedback.admin.fetch(f"SELECT * FROM {table} ORDER BY id")
        for table in ("survey", "answer", "event_log")
    ]


async def scores(feedback: Hearing) -> list[tuple[int, bool]]:
    found = await feedback.admin.fetch("SELECT score, suspect FROM answer ORDER BY id")
    return [(row["score"], row["suspect"]) for row in found]


def problem(reply: httpx.Response, status: int) -> None:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"


async def test_a_customer_who_accepted_is_asked_once(feedback: Hearing) -> None:
    ticket = uuid7()
    await feedback.receive(closed(ticket))
    (sent, asking) = await feedback.told()
    assert sent == ("survey_sent", 1, {"ticket_id": str(ticket), "episode": 1})
    assert (asking[2]["template"], asking[2]["request_id"]) == ("survey", str(UUID(int=9)))
    assert re.fullmatch(r"/feedback/survey/[\w-]{32}", asking[2]["link"])  # 192 bits


async def test_who_never_answered_is_not_asked_for_a_score(feedback: Hearing) -> None:
    await feedback.receive(closed(uuid7(), reason="unconfirmed"))
    assert await feedback.told() == []


async def test_one_survey_per_episode_however_often_and_in_whatever_order_it_is_told(
    feedback: Hearing,
) -> None:
    tickets = [uuid7() for _ in range(5)]
    messages = [
        closed(ticket, version=9 * episode + again, episode=episode)  # R90, decision 14
        for ticket in tickets
        for episode in (1, 2)
        for again in (0, 1)
    ]
    messages += messages
    random.Random(1).shuffle(messages)
    for at in range(0, len(messages), 7):
        await feedback.receive(*messages[at : at + 7])
    assert len(await links(feedback)) == len(set(await links(feedback))) == 10


async def test_the_number_of_statements_does_not_grow_with_the_list(feedback: Hearing) -> None:
    async def statements(count: int) -> int:
        with feedback.statements() as sent:
            await feedback.receive(*(closed(uuid7()) for _ in range(count)))
        return len(sent)

    assert await statements(1) == await statements(80)


async def test_nothing_kept_of_a_survey_tells_its_link(feedback: Hearing) -> None:
    token = (await asked(feedback)).rpartition("/")[2]
    kept = await feedback.admin.fetch("SELECT survey::text AS row FROM survey")
    assert token not in kept[0]["row"]
    assert token.encode().hex() not in kept[0]["row"]


async def test_an_answer_is_kept_and_told(feedback: Hearing) -> None:
    link = await asked(feedback)
    reply = await answer(feedback, link, score="4", comment=" 很快\r\nand <b>kind</b> ")
    assert reply.status_code == 200
    assert "Thank you" in reply.text
    name, sequence, data = (await feedback.told())[-1]
    assert (name, sequence, data["score"], data["engineer_id"]) == ("survey_answered", 2, 4, str(ENGINEER))
    assert "comment" not in data  # what customers write may be somebody's data
    assert await feedback.admin.fetchval("SELECT comment FROM answer") == "很快\nand <b>kind</b>"


async def test_looking_changes_nothing_however_often(feedback: Hearing) -> None:
    link = await asked(feedback)
    before = await rows(feedback)
    async with feedback.client() as scanner:
        for query in ("", "?score=5", "?score=5&proof=x"):
            assert (await scanner.get(link + query)).status_code == 200
            assert (await scanner.head(link + query)).status_code in (200, 405)
    assert await rows(feedback) == before


@pytest.mark.parametrize(
    "proof", [None, "", "0." + "0" * 64, "forged", "another's", "too fast", "from the future", "x" * 100]
)
async def test_a_program_that_presses_every_button_never_counts(feedback: Hearing, proof: str | None) -> None:
    link, other = await asked(feedback), await asked(feedback)
    sent = {
        "another's": shown(other),
        "too fast": shown(link, timedelta(seconds=1)),
        "from the future": shown(link, timedelta(hours=-1)),
    }.get(proof or "", proof)
    form = {"score": "1"} if sent is None else {"score": "1", "proof": sent}
    async with feedback.client() as scanner:
        reply = await scanner.post(link, data=form)
    assert reply.status_code == 200
    assert "once more" in reply.text
    assert await scores(feedback) == [(1, True)]
    assert "survey_answered" not in [name for name, _, _ in await feedback.told()]
    assert await feedback.admin.fetchval("SELECT count(score) FROM survey") == 0


async def test_a_genuine_answer_after_a_suspect_one_counts_and_a_later_one_replaces_it(
    feedback: Hearing,
) -> None:
    link = await asked(feedback)
    await answer(feedback, link, score="1", proof="")
    await answer(feedback, link, score="5")
    await answer(feedback, link, score="3")
    await answer(feedback, link, score="1", proof="")
    assert await scores(feedback) == [(1, True), (5, False), (3, False), (1, True)]
    assert await feedback.admin.fetchval("SELECT score FROM survey") == 3
    told = [(seq, data["score"]) for name, seq, data in await feedback.told() if name == "survey_answered"]
    assert told == [(3, 5), (4, 3)]


async def test_who_was_only_too_quick_keeps_choice_words_and_proof(feedback: Hearing) -> None:
    link = await asked(feedback)
    quick = shown(link, timedelta(seconds=1))
    page = (await answer(feedback, link, score="2", comment='"late" & <i>', proof=quick)).text
    assert re.search(r'value="2" required checked', page)
    assert "&#34;late&#34; &amp; &lt;i&gt;</textarea>" in page
    assert quick in page  # by the next press it is old enough


@pytest.mark.parametrize("score", ["0", "6", "5 ", " 5", "5.0", "+5", "５", "", "five", "-1", "1e0", None])
async def test_a_score_that_is_none_is_refused(feedback: Hearing, score: str | None) -> None:
    link = await asked(feedback)
    before = await rows(feedback)
    form = {"proof": shown(link)} | ({} if score is None else {"score": score})
    async with feedback.client() as customer:
        problem(await customer.post(link, data=form), 422)
        problem(await customer.post(link, json={"score": 5}), 415)
        problem(await customer.post(link, data={**form, "score": "5", "engineer_id": "x"}), 422)
    assert await rows(feedback) == before


@pytest.mark.parametrize(
    ("comment", "status"),
    [("x" * 2001, 422), ("x" * 1024 * 1024, 413), ("a\x00b", 422), ("\r\n" * 999 + "x" * 1001, 200)],
)
async def test_a_comment_is_at_most_what_the_page_takes(feedback: Hearing, comment: str, status: int) -> None:
    link = await asked(feedback)
    before = await rows(feedback)
    reply = await answer(feedback, link, comment=comment)
    assert reply.status_code == status
    assert (await rows(feedback) == before) is (status != 200)


async def test_html_in_a_comment_is_words(feedback: Hearing) -> None:
    await answer(feedback, await asked(feedback), comment="<script>alert(1)</script>=1+1")
    async with feedback.client("care") as care:
        page = (await care.get("/feedback/dashboard", headers={"accept": "text/html"})).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;=1+1" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("token", ["x" * 32, "", "%00", "..", "undefined", "💥", "a" * 4000, "' OR 1=1 --"])
async def test_a_link_that_is_none_leads_nowhere(feedback: Hearing, token: str) -> None:
    link = await asked(feedback)
    before = await rows(feedback)
    async with feedback.client() as stranger:
        for reply in (
            await stranger.get(f"/feedback/survey/{token}"),
            await stranger.post(f"/feedback/survey/{token}", data={"score": "5", "proof": shown(link)}),
        ):
            problem(reply, 422 if token == "%00" else 404)
    assert await rows(feedback) == before


async def test_a_link_whose_time_is_over_leads_nowhere(feedback: Hearing) -> None:
    link = await asked(feedback)
    await feedback.admin.execute("UPDATE survey SET expires_at = now() - interval '1 second'")
    problem(await answer(feedback, link), 404)
    async with feedback.client() as customer:
        problem(await customer.get(link), 404)
    assert await scores(feedback) == []


async def test_a_link_answers_its_own_survey_only(feedback: Hearing) -> None:
    first, _ = await asked(feedback), await asked(feedback)
    await answer(feedback, first, score="5")
    assert await feedback.admin.fetchval("SELECT count(score) FROM survey") == 1


async def test_a_leaked_link_cannot_fill_the_table(feedback: Hearing) -> None:
    link = await asked(feedback)
    await feedback.admin.execute("UPDATE survey SET version = $1", MOST_ANSWERS)
    assert (await answer(feedback, link)).status_code == 200
    problem(await answer(feedback, link), 429)
    assert len(await scores(feedback)) == 1


async def test_answers_are_never_changed_or_deleted(feedback: Hearing) -> None:
    await answer(feedback, await asked(feedback))
    url = str(feedback.served.settings.database_url)
    connection = await asyncpg.connect(url)
    for deed in ("UPDATE feedback.answer SET score = 5", "DELETE FROM feedback.answer"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(deed)
    await connection.close()


async def test_a_mean_is_shown_from_three_answers_on_and_is_the_same_everywhere(feedback: Hearing) -> None:
    for given in ("5", "4"):
        await answer(feedback, await asked(feedback), score=given)
    async with feedback.client("care") as care:
        headers = {"accept": "text/html", "accept-language": "en"}
        (east,) = (await care.get("/feedback/scores")).json()
        assert (east["sent"], east["answered"], east["mean"], east["csat"]) == (2, 2, None, None)
        page = (await care.get("/feedback/dashboard", headers=headers)).text
        assert "too few answers" in page
        assert "4.5" not in page
        await answer(feedback, await asked(feedback), score="1")
        (east,) = (await care.get("/feedback/scores")).json()
        assert east["mean"] == pytest.approx(10 / 3)
        assert east["csat"] == pytest.approx(2 / 3)
        assert east["counts"] == [1, 0, 0, 1, 1]
        page = (await care.get("/feedback/dashboard", headers=headers)).text
        assert "too few answers" not in page
        assert ">3.3<" in page
        assert "66.7%" in page


async def test_of_several_answers_to_one_survey_the_dashboard_marks_those_that_do_not_count(
    feedback: Hearing,
) -> None:
    link = await asked(feedback)
    for comment, proof in (("first", {}), ("second", {}), ("a program", {"proof": ""})):
        await answer(feedback, link, comment=comment, **proof)
    async with feedback.client("care") as care:
        page = (await care.get("/feedback/dashboard", headers={"accept": "text/html"})).text
    marked = re.findall(r"not counted.*?said\">(.*?)<", page, re.DOTALL)
    assert marked == ["a program", "first"]


async def test_surveys_before_the_period_do_not_count(feedback: Hearing) -> None:
    await answer(feedback, await asked(feedback))
    old = uuid7_floor(clock.now() - timedelta(days=91))
    await feedback.admin.execute(
        "INSERT INTO survey"
        " SELECT $1, $1, 1, engineer_id, region, severity, '\\x00', expires_at, 1, 2 FROM survey",
        UUID(int=old.int | 7 << 76 | 2 << 62),
    )
    async with feedback.client("care") as care:
        assert [each["sent"] for each in (await care.get("/feedback/scores")).json()] == [1]


async def test_who_is_limited_to_a_region_sees_its_answers_only(feedback: Hearing) -> None:
    for region in ("east", "west"):
        await answer(feedback, await asked(feedback, region), comment=f"words from the {region}")
    async with feedback.client("care", regions=frozenset({"west"})) as care:
        assert [each["region"] for each in (await care.get("/feedback/scores")).json()] == ["west"]
        page = (await care.get("/feedback/dashboard", headers={"accept": "text/html"})).text
    assert "words from the west" in page
    assert "east" not in page
    assert 'data-row="all"' not in page  # the whole house would tell about the others


async def test_the_survey_speaks_the_customers_language(feedback: Hearing) -> None:
    link = await asked(feedback)
    async with feedback.client() as customer:
        for language, words in (("zh-CN", "非常满意"), ("en", "Very satisfied")):
            page = await customer.get(link, headers={"accept-language": language})
            assert words in page.text
            assert page.headers["cache-control"] == "no-store"


async def test_the_table_says_who_may_come_in(feedback: Hearing) -> None:
    table = without(read_table(TABLE), "intake", "dispatch", "sla", "parts")
    table["GET /live"] = table["GET /feedback/live"]
    assert await deviations(feedback.served.app, table, feedback.served.settings) == []


async def test_every_operation_has_a_name_of_its_own(feedback: Hearing) -> None:
    paths = feedback.served.app.openapi()["paths"]
    assert paths["/feedback/scores"]["get"]["operationId"] == "feedback_read_scores"
    assert [path for path in paths if path.startswith("/feedback/")] == ["/feedback/scores"]
