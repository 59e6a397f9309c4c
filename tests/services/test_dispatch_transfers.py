"""How often a ticket changes hands, whichever way it does (R128)."""

from __future__ import annotations

from datetime import timedelta

from contracts.dispatching import (
    DUTY_LEAD_G,
    FROM_AFAR,
    JUNIOR_A,
    JUNIOR_B,
    SAMPLE,
    SENIOR_C,
    dispatching,
    post,
)
from shared.clock import clock


async def test_each_way_to_another_engineer_is_counted_and_told_at_the_end_r128(postgres_url: str) -> None:
    async with dispatching(postgres_url) as desk:
        await desk.put(SAMPLE, 0)
        ticket = await desk.ticket(await desk.ask())
        lead = desk.acting(DUTY_LEAD_G, "dispatcher")

        async def count() -> int:
            return int((await lead.get(f"/dispatch/tickets/{ticket.id}")).json()["transfers"])

        assert (ticket.engineer_id, await count()) == (JUNIOR_A, 0)
        await post(desk.acting(JUNIOR_A, "engineer"), ticket.id, "decline", ticket.version, reason="ill")
        now = await desk.ticket(ticket.request_id)
        assert (now.engineer_id, await count()) == (JUNIOR_B, 1)
        given = {"person_id": str(SENIOR_C), "reason": "knows it", "despite": []}
        await post(lead, ticket.id, "assign", now.version, **given)
        assert await count() == 2
        leave = {"person_id": str(SENIOR_C), "starts_at": clock.now().isoformat()}
        ends = {"ends_at": (clock.now() + timedelta(days=1)).isoformat()}
        assert (await lead.post("/dispatch/leave", json=leave | ends)).status_code == 201
        now = await desk.ticket(ticket.request_id)
        assert now.engineer_id not in (SENIOR_C, None)
        assert await count() == 3
        board = await desk.browser(DUTY_LEAD_G, "dispatcher")
        assert "handed on 3 times" in (await board.get("/dispatch/board")).text
        engineer = desk.acting(now.engineer_id, "engineer")
        version = now.version
        for command in ("accept", "begin"):
            version = (await post(engineer, ticket.id, command, version))["version"]
        await post(engineer, ticket.id, "resolve", version, work_note="done", items=[*FROM_AFAR])
        link = await desk.link_to(ticket.id)
        letter = desk.served.client()
        proof = (await letter.get(link)).text.split('name="proof" value="')[1].split('"')[0]
        origin = {"origin": str(letter.base_url).rstrip("/")}
        await letter.post(link, data={"verdict": "accept", "proof": proof}, headers=origin)
        [closed] = [data for name, _, data in await desk.told(ticket.id) if name == "ticket_closed"]
        assert closed["transfers"] == 3
