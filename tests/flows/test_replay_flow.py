"""What really happened, judged again: through all five services, with loops and bus running."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allinone.visitor import Visitor, until
from shared.clock import clock
from shared.process.assembly import Process

Suite = tuple[Process, Visitor]
DAY = timedelta(days=1)


async def replayed(visitor: Visitor, **wanted: Any) -> dict[str, Any]:
    """The report of a replay of the policy that ships, once it is done."""
    now = clock.now()
    stretch = {"begins": (now - DAY).isoformat(), "ends": (now + DAY).isoformat()}
    asked = await visitor.as_(
        "operations", "POST", "/sla/replays", json={"policy_version": 1} | stretch | wanted
    )

    async def done() -> dict[str, Any] | None:
        shown: dict[str, Any] = (await visitor.as_("operations", "GET", asked.headers["location"])).json()
        assert shown["failure"] is None
        return shown if shown["state"] == "done" else None

    shown: dict[str, Any] = await until(done)
    return shown


async def test_what_was_imported_stays_apart_and_what_really_happened_is_reproduced(suite: Suite) -> None:
    _, visitor = suite
    await visitor.set_up()
    await an_imported_history_starts_nothing(visitor)
    now = clock.now()
    urgent = await visitor.ask(
        "设备冒烟，完全不能用！", "east", "shanghai", "+8613800000001", now - 3 * DAY / 24
    )
    general = await visitor.ask("请问滤芯多久更换一次？", "east", "shanghai", "+8613800000002")
    await visitor.mail("The display shows E42.", "Error E42", "north", "beijing", now - DAY / 12)
    for id, then in (("a", "answered"), ("b", "missed")):
        await visitor.call(id, "rang", now - DAY / 24)
        await visitor.call(id, then, now - DAY / 24 + timedelta(seconds=70))
    await visitor.repair((await visitor.ticket_of(urgent))["id"], clock.now())
    await visitor.press(await visitor.link(urgent, "please_accept"), verdict="accept")
    await visitor.do((await visitor.ticket_of(general))["id"], "accept")

    async def all_heard() -> bool | None:
        clocks = (await visitor.as_("operations", "GET", "/sla/clocks?limit=200")).json()["items"]
        ended = [each["promise"] for each in clocks if each["outcome"] == "met"]
        return {"on_site", "accept", "resolution"} <= set(ended) or None

    await until(all_heard)
    shown = await replayed(visitor)
    assert shown["report"]["checked"] >= 8
    assert (shown["report"]["unreproduced"], shown["report"]["changed"]) == (0, 0)


async def an_imported_history_starts_nothing(visitor: Visitor) -> None:
    begins = clock.now() - DAY / 2
    told = [
        {"kind": kind, "at": (begins + later).isoformat(), "facts": {"severity": "urgent", "same_city": True}}
        for kind, later in (("dispatch.ticket_assigned", 0 * DAY), ("dispatch.engineer_arrived", DAY / 8))
    ]
    body = {"source": "old-desk", "tickets": [{"ticket": "A-1", "happenings": told}]}
    await visitor.as_("operations", "POST", "/intake/histories", json=body)

    async def arrived() -> str | None:
        page = await visitor.as_("operations", "GET", "/sla/replays", headers={"accept": "text/html"})
        return page.text if "old-desk" in page.text else None

    await until(arrived)
    report = (await replayed(visitor, source="old-desk"))["report"]
    assert report["subjects"]["base"] == {"met": 0, "breached": 1, "running": 0, "share": 0.0}
    assert (await visitor.as_("operations", "GET", "/sla/clocks")).json()["items"] == []
    assert (await visitor.as_("operations", "GET", "/sla/alerts")).json()["items"] == []
