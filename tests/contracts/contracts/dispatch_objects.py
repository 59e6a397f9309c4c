"""Dispatch as the table of objects sees it: what stands behind its doors, and who comes.

A new kind of thing is one more function and its line in `KINDS`.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from contracts.dispatch_rules import GENERAL_MANAGER, RULES, is_seen
from contracts.dispatching import (
    DUTY_LEAD_G,
    LOGISTICS,
    REPAIRED,
    RND_DEVELOPER,
    RND_LEAD,
    SAMPLE,
    SUPERVISOR_F,
    Desk,
    person,
    post,
)
from contracts.objects import Somebody, Thing, Whose, World
from contracts.photos import encoded, scene
from dispatch.acceptance.proof import make_proof
from dispatch.urgent.policy import SHIPPED
from shared.clock import clock, uuid7
from shared.events.terms import Site
from shared.http.auth import Principal, Role, mint

BEIJING: Final = Site(region="north", city="beijing", latitude=39.9, longitude=116.4)
NOTHING: Final = (Thing("none", {}),)
PICTURE: Final = encoded(scene(2, 2), "PNG")
Make = Callable[[Desk, Whose, Any], Awaitable[Thing]]


# --- What stands behind the doors ---


async def dispatch_world(desk: Desk) -> World:
    """A ticket in the east with all that belongs to its engineer, and another one in the north."""
    await desk.put(SAMPLE, 0)
    await desk.set_provider("https://meet.example.com/{room}")
    own_request = await desk.ask("urgent", product_line="pumps")
    # Somebody guides it who has no task of it.
    await desk.rows("UPDATE ticket SET supervisor_id = :id RETURNING 1", id=SUPERVISOR_F)
    await desk.rows("UPDATE capacity SET supervising = 1 WHERE person_id = :id RETURNING 1", id=SUPERVISOR_F)
    north = {"site": BEIJING, "product_line": "fans", "customer_level": "vip"}
    requests = {"own": own_request, "foreign": await desk.ask("urgent", **north)}
    # Both may be raised yet, and lowered.
    await desk.rows("UPDATE ticket SET support_level = 'l2' RETURNING 1")
    links = [await _resolved(desk), await _resolved(desk)]
    offers = [await _offered(desk), await _offered(desk)]
    things: dict[str, tuple[Thing, ...]] = {
        "nothing": NOTHING,
        "link": _links(desk, links),
        "visit_link": _links(desk, offers),
    }
    for kind, (make, nobodys) in KINDS.items():
        # What was made before may have moved the ticket on.
        own, foreign = await desk.ticket(requests["own"]), await desk.ticket(requests["foreign"])
        none = Thing("none", {**_ticket("own", own).values, **nobodys})
        things[kind] = (await make(desk, "own", own), await make(desk, "foreign", foreign), none)
    served = desk.served
    return World(
        served.app,
        "dispatch",
        served.settings,
        desk.admin,
        things,
        RULES,
        _callers(desk, own, links[0]),
        {
            **_times(),
            "colleague": str(person(1)),
            "picture": PICTURE,
            "urgent_policy": json.loads(SHIPPED.read_text(encoding="utf-8")),
        },
        {"no-such-ticket": "404", "not-your-task": "403", "not-yours-to-sign": "403"},
        lambda who: [
            each.values["ticket_id"]
            for each in things["ticket"]
            # The tasks of a department name their tickets, of which it sees the head.
            if each.whose != "none" and not is_seen(who, each) and "department" not in who.roles
        ],
    )


def _times() -> dict[str, str]:
    now = clock.now()
    hours = {"now": 0, "begins": 30 * 24, "ends": 30 * 24 + 2, "yesterday": -24, "until": -23}
    times = {name: (now + timedelta(hours=each)).isoformat() for name, each in hours.items()}
    return {**times, "today": str(now.date())}


def _facts(row: Any) -> dict[str, Any]:
    return {
        "region": row.region,
        "product_line": row.product_line,
        "customer_level": row.customer_level,
        "workers": frozenset({str(row.engineer_id), str(row.owner_id)}),
        "others": frozenset({str(row.supervisor_id), *map(str, row.group_ids)}),
    }


def _ticket(whose: Whose, row: Any) -> Thing:
    return Thing(whose, {"ticket_id": str(row.id), "version": row.version}, **_facts(row))


async def ticket(desk: Desk, whose: Whose, row: Any) -> Thing:
    return _ticket(whose, row)


async def customer(desk: Desk, whose: Whose, row: Any) -> Thing:
    return Thing(whose, {"customer_id": str(row.customer_id)}, **_facts(row))


async def employee(desk: Desk, whose: Whose, row: Any) -> Thing:
    """An engineer, and the region where they work."""
    engineer = str(row.engineer_id)
    values = {"person": engineer, "region": row.region}
    return Thing(whose, values, row.region, workers=frozenset({engineer}))


async def leave(desk: Desk, whose: Whose, row: Any) -> Thing:
    """What an engineer asked for."""
    body = {"person_id": str(row.engineer_id), "starts_at": _times()["begins"], "ends_at": _times()["ends"]}
    asked = await sent(desk, row, "POST", "/dispatch/leave", json=body)
    return Thing(whose, {"absence_id": asked["id"]}, row.region, workers=frozenset({str(row.engineer_id)}))


async def duty(desk: Desk, whose: Whose, row: Any) -> Thing:
    """When an engineer is on call."""
    times = {"starts_at": _times()["begins"], "ends_at": _times()["ends"]}
    body = {"region": row.region, "person_id": str(row.engineer_id), "part": "engineer", **times}
    entered = await desk.acting("admin", "admin").post("/dispatch/duty", json=body)
    return Thing(whose, {"duty_id": entered.json()["id"]}, row.region)


async def conflict(desk: Desk, whose: Whose, row: Any) -> Thing:
    """Something that an engineer's phone brought and that could not be done."""
    now = clock.now().isoformat()
    deed = {"id": str(uuid7()), "ticket_id": str(row.id), "done_at": now, "name": "arrive"}
    batch = {"sent_at": now, "commands": [deed | {"base_version": row.version}]}
    brought = await sent(desk, row, "POST", "/dispatch/app/commands", json=batch)
    assert brought["results"][0]["outcome"] == "conflict", brought
    return Thing(whose, {"id": deed["id"]}, workers=frozenset({str(row.engineer_id)}))


async def solution(desk: Desk, whose: Whose, row: Any) -> Thing:
    """A major solution that the engineer proposes and leadership has to approve."""
    address = f"/dispatch/tickets/{row.id}/solutions"
    made = await sent(desk, row, "POST", address, json={"text": "Seal it.", "grounds": ["danger"]})
    values = {"ticket_id": str(row.id), "solution_id": made["id"]}
    return Thing(whose, values, **_facts(row), made_by=str(row.engineer_id))


async def session(desk: Desk, whose: Whose, row: Any) -> Thing:
    """Remote assistance that the engineer began."""
    made = await sent(desk, row, "POST", f"/dispatch/tickets/{row.id}/remote")
    return Thing(whose, {"ticket_id": str(row.id), "session_id": made["id"]}, **_facts(row))


async def plan(desk: Desk, whose: Whose, row: Any) -> Thing:
    """How the engineer wants to repair it; its worker is who is to sign it off, the others stand beside."""
    body = {"base_version": row.version, "steps": ["Seal it."], "minutes": 60}
    now = await sent(desk, row, "POST", f"/dispatch/tickets/{row.id}/repair-plans", json=body)
    signer = (await sent(desk, row, "GET", f"/dispatch/tickets/{row.id}"))["plan_signer_id"]
    known = _facts(row)
    beside = known.pop("workers") | known.pop("others")
    values = {"ticket_id": str(row.id), "version": now["version"]}
    return Thing(whose, values, **known, workers=frozenset({signer}), others=beside)


async def photo(desk: Desk, whose: Whose, row: Any) -> Thing:
    address, now = f"/dispatch/tickets/{row.id}/photos/{uuid7()}", clock.now().isoformat()
    said = {"kind": "after", "device_time": now, "sent_at": now}
    made = await sent(desk, row, "PUT", address, data=said, files={"photo": ("photo.png", PICTURE)})
    return Thing(whose, {"id": made["id"]}, **_facts(row))


async def signature(desk: Desk, whose: Whose, row: Any) -> Thing:
    address, now = f"/dispatch/tickets/{row.id}/signatures/{uuid7()}", clock.now().isoformat()
    said = {"signer": "Wang", "work_note": "Sealed it.", "strokes": [[[100, 200], [300, 120], [420, 260]]]}
    times = {"device_time": now, "sent_at": now, "base_version": row.version}
    made = await sent(desk, row, "PUT", address, json=said | times)
    return Thing(whose, {"id": made["id"]}, **_facts(row))


async def task(desk: Desk, whose: Whose, row: Any) -> Thing:
    """What the engineer asks R&D for; who works on the ticket stands beside."""
    wish = {"department": "rnd", "what": "Which seal?", "needed_by": _times()["begins"]}
    address = f"/dispatch/tickets/{row.id}/tasks"
    await sent(desk, row, "POST", address, json={"base_version": row.version, **wish})
    [made, *_] = (await sent(desk, row, "GET", f"/dispatch/tickets/{row.id}"))["tasks"]
    known = _facts(row)
    beside = known.pop("workers") | known.pop("others")
    answering = frozenset({str(RND_LEAD), str(RND_DEVELOPER)})
    values = {"task_id": made["id"], "version": made["version"]}
    return Thing(whose, values, **known, workers=answering, others=beside)


async def sent(desk: Desk, row: Any, method: str, address: str, **what: Any) -> Any:
    """What the engineer of a ticket is answered, who does something that must succeed."""
    answer = await desk.acting(row.engineer_id, "engineer").request(method, address, **what)
    assert answer.is_success, answer.text
    return answer.json()


NO_ID: Final = str(UUID(int=7 << 76 | 2 << 62))
KINDS: Final[dict[str, tuple[Make, dict[str, Any]]]] = {
    "conflict": (conflict, {"id": NO_ID}),
    "customer": (customer, {"customer_id": NO_ID}),
    "duty": (duty, {"duty_id": NO_ID}),
    "employee": (employee, {"person": NO_ID, "region": "south"}),
    "leave": (leave, {"absence_id": NO_ID}),
    "photo": (photo, {"id": NO_ID}),
    "session": (session, {"session_id": NO_ID}),
    "plan": (plan, {"ticket_id": NO_ID, "version": 1}),
    "signature": (signature, {"id": NO_ID}),
    "solution": (solution, {"solution_id": NO_ID}),
    "task": (task, {"task_id": NO_ID, "version": 1}),
    "ticket": (ticket, {"ticket_id": NO_ID, "version": 1}),
}
"""How a thing is made that belongs to a ticket, and what to ask for where there is none.

The ticket comes last: what else is made of it may move it on."""


async def _resolved(desk: Desk) -> str:
    """The link by which a customer says whether a ticket is done."""
    ticket = await desk.ticket(await desk.ask("general", product_line="pumps"))
    engineer, version = desk.acting(ticket.engineer_id, "engineer"), ticket.version
    for command in ("accept", "begin"):
        version = (await post(engineer, ticket.id, command, version))["version"]
    await post(engineer, ticket.id, "resolve", version, work_note="Sealed it.", items=[*REPAIRED])
    return (await desk.link_to(ticket.id)).rpartition("/")[2]


async def _offered(desk: Desk) -> str:
    """The link by which a customer chooses the time of a visit."""
    ticket = await desk.ticket(await desk.ask("general", product_line="pumps"))
    await post(desk.acting(ticket.engineer_id, "engineer"), ticket.id, "visit-link", ticket.version)
    return (await desk.link_to(ticket.id)).rpartition("/")[2]


def _links(desk: Desk, tokens: list[str]) -> tuple[Thing, ...]:
    """Each with the proof of the first one's page."""
    proof = make_proof(tokens[0], clock.now(), desk.served.settings)
    altered = tokens[0][:-1] + ("a" if tokens[0][-1] != "a" else "b")
    whose: tuple[Whose, ...] = ("own", "foreign", "none")
    return tuple(
        Thing(each, {"token": token, "proof": proof})
        for each, token in zip(whose, (*tokens, altered), strict=True)
    )


# --- Who comes ---


def _callers(desk: Desk, own: Any, token: str) -> list[Somebody]:
    engineer = own.engineer_id
    near, north = frozenset({"east"}), frozenset({"north"})
    lead_g, elsewhere = str(DUTY_LEAD_G), str(person(16))
    overseer: tuple[Role, ...] = ("dispatcher", "operations", "admin")
    known = {
        "an engineer of another ticket": Principal(str(person(3)), frozenset({"engineer"})),
        "the engineer of the ticket": Principal(str(engineer), frozenset({"engineer"})),
        "a colleague who guides it": Principal(str(SUPERVISOR_F), frozenset({"engineer"})),
        "a channel adapter": Principal("mail", frozenset({"adapter"}), channel="email"),
        "operations": Principal("ops", frozenset({"operations"})),
        "a leader who was informed": Principal(GENERAL_MANAGER, frozenset({"operations"})),
        "a dispatcher of another region": Principal(elsewhere, frozenset({"dispatcher"}), regions=north),
        "a dispatcher of the region": Principal(lead_g, frozenset({"dispatcher"}), regions=near),
        "who oversees another product line": Principal(
            lead_g, frozenset(overseer), product_lines=frozenset({"fans"})
        ),
        "who oversees another customer level": Principal(
            lead_g, frozenset(overseer), customer_levels=frozenset({"vip"})
        ),
        "somebody of the department": Principal(str(RND_DEVELOPER), frozenset({"department"})),
        "somebody of another department": Principal(str(LOGISTICS), frozenset({"department"})),
        "an administrator": Principal("admin", frozenset({"admin"})),
    }
    settings = desk.served.settings
    valid = mint(known["an administrator"], settings, timedelta(hours=1))
    engineers = mint(known["the engineer of the ticket"], settings, timedelta(hours=1))
    header, _, signature = engineers.split(".")
    strangers = {
        "nobody": {},
        "an expired token": _bearer(mint(known["an administrator"], settings, timedelta(hours=-1))),
        "an altered token": _bearer(f"{header}.{valid.split('.')[1]}.{signature}"),
        "a customer's link as a token": _bearer(token),
    }
    return [
        *(Somebody(name, None, headers) for name, headers in strangers.items()),
        *(
            Somebody(name, who, _bearer(mint(who, settings, timedelta(hours=1))))
            for name, who in known.items()
        ),
    ]


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
