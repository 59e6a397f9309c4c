"""One request travels through all five services; every step is an HTTP call or an event."""

from __future__ import annotations

from typing import Any

from allinone.visitor import Refused, Visitor, until
from shared.clock import clock
from shared.process.assembly import Process

Suite = tuple[Process, Visitor]


async def clocks_of(visitor: Visitor, subject: str) -> dict[str, dict[str, Any]]:
    try:
        told = (await visitor.as_("operations", "GET", f"/sla/subjects/{subject}/clocks")).json()
    except Refused:  # the event is still on its way
        return {}
    return {each["promise"]: each for each in told["clocks"]}


async def test_leadership_acknowledges_an_urgent_ticket_and_its_clock_is_met(suite: Suite) -> None:
    """R23: informed by dispatch, clocked by the SLA monitor, acknowledged by the general manager."""
    _, visitor = suite
    await visitor.set_up()
    request_id = await visitor.ask("设备冒烟，完全不能用！", "east", "shanghai", "+8613800000011")
    ticket = await visitor.ticket_of(request_id)

    async def clock_of_leadership() -> dict[str, Any] | None:
        return (await clocks_of(visitor, ticket["id"])).get("leadership_acknowledged")

    running = await until(clock_of_leadership)
    assert (running["outcome"], running["requirement"], running["allowance"]) == ("running", "R23", 900)
    path = f"/dispatch/tickets/{ticket['id']}/acknowledge"
    told = (await visitor.as_("operations", "POST", path)).json()

    async def met() -> dict[str, Any] | None:
        found = await clock_of_leadership()
        return found if found and found["outcome"] == "met" else None

    assert (await until(met))["stopped_at"] == told["acknowledged_at"]
    assert (await visitor.as_("operations", "POST", path)).json() == told


async def test_an_urgent_request_is_owned_grouped_clocked_repaired_accepted_and_scored(suite: Suite) -> None:
    """R03, R06, R22–R24, R29, R30, R54, R73, R90."""
    _, visitor = suite
    await visitor.set_up()
    request_id = await visitor.ask("设备冒烟，完全不能用！", "east", "shanghai", "+8613800000001")
    ticket = await visitor.ticket_of(request_id)
    assert ticket["severity"] == "urgent"
    assert ticket["owner_id"]

    async def on_site() -> dict[str, Any] | None:
        return (await clocks_of(visitor, ticket["id"])).get("on_site")

    assert (await until(on_site))["outcome"] == "running"
    await visitor.repair(ticket["id"], clock.now())

    async def met() -> bool | None:
        return (await clocks_of(visitor, ticket["id"]))["on_site"]["outcome"] == "met" or None

    assert await until(met)

    async def reserved() -> bool | None:
        requisitions = (await visitor.ticket(ticket["id"]))["requisitions"]
        return (requisitions and requisitions[0]["state"] == "reserved") or None

    assert await until(reserved)
    await visitor.press(await visitor.link(request_id, "please_accept"), verdict="accept")
    assert (await visitor.ticket(ticket["id"]))["state"] == "closed"
    survey = await visitor.link(request_id, "survey")
    assert survey.startswith("/feedback/survey/")


async def test_a_question_about_an_order_is_solved_at_once_and_no_ticket_is_left(suite: Suite) -> None:
    """R11: simple questions solved at once (order, payment, logistics status); nothing waits for anybody."""
    _, visitor = suite
    await visitor.set_up()
    request_id = await visitor.ask("请问我的订单发货了吗，物流到哪了", "east", "shanghai", "+8613800000012")
    ticket = await visitor.ticket_of(request_id)
    said = {"text": "昨天已发货，预计明天送达。", "solved": True, "spoken": True}
    await visitor.as_("care", "POST", f"/intake/requests/{request_id}/answers", json=said)

    async def cancelled() -> bool | None:
        return (await visitor.ticket(ticket["id"]))["state"] == "cancelled" or None

    assert await until(cancelled)

    async def over() -> dict[str, dict[str, Any]] | None:
        clocks = await clocks_of(visitor, str(request_id)) | await clocks_of(visitor, ticket["id"])
        return clocks if clocks and all(each["outcome"] != "running" for each in clocks.values()) else None

    assert (await until(over))["first_reply"]["outcome"] == "met"
