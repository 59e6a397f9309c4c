"""By which rule the doors of dispatch open, for somebody whose role the door lets in (R125, decision 22).

Nothing here is taken from the service: what somebody may see or do is written down once more.
"""

from __future__ import annotations

from typing import Final

from contracts.dispatching import person
from contracts.objects import Rule, Thing, Verdict
from shared.http.auth import Principal

GENERAL_MANAGER: Final = str(person(21))
_TICKETS: Final = frozenset({"engineer", "dispatcher", "admin"})
_OVERSEERS: Final = frozenset({"dispatcher", "operations", "admin"})


def enter(who: Principal | None, thing: Thing) -> Verdict:
    """There is nothing behind the door that is anybody's."""
    return "let in"


def _within(who: Principal, thing: Thing) -> bool:
    limits = (
        (who.regions, thing.region),
        (who.product_lines, thing.product_line),
        (who.customer_levels, thing.customer_level),
    )
    return all(limit is None or value in limit for limit, value in limits)


def is_seen(who: Principal, thing: Thing) -> bool:
    if thing.whose == "none":
        return False
    own = who.id in thing.workers | thing.others
    return (own or bool(who.roles & _OVERSEERS)) and _within(who, thing)


def watch(who: Principal | None, thing: Thing) -> Verdict:
    """Whoever oversees."""
    assert who
    return "let in" if who.roles & _OVERSEERS else "403"


def serve(who: Principal | None, thing: Thing) -> Verdict:
    """Engineers, each their own."""
    assert who
    return "let in" if "engineer" in who.roles else "403"


def see(who: Principal | None, thing: Thing) -> Verdict:
    """Whoever sees it may."""
    assert who
    return "let in" if is_seen(who, thing) else "404"


def give(who: Principal | None, thing: Thing) -> Verdict:
    """Whoever oversees and sees it."""
    assert who
    return see(who, thing) if who.roles & _OVERSEERS else "403"


def serve_customer(who: Principal | None, thing: Thing) -> Verdict:
    """Whoever oversees everything, and for who is limited the customers of the tickets they see."""
    assert who
    return "let in" if unlimited(who, thing) == "let in" else see(who, thing)


def work(who: Principal | None, thing: Thing) -> Verdict:
    """Its engineer, its owner, and dispatchers who see it."""
    assert who
    if not who.roles & _TICKETS:
        return "403"
    if not is_seen(who, thing):
        return "404"
    return "let in" if who.roles & {"dispatcher", "admin"} or who.id in thing.workers else "403"


def reach(who: Principal | None, thing: Thing) -> Verdict:
    """Its engineer, and nobody for them, whatever else they are."""
    assert who
    if "engineer" not in who.roles:
        return "403"
    if not is_seen(who, thing):
        return "404"
    return "let in" if who.id in thing.workers else "403"


def lead(who: Principal | None, thing: Thing) -> Verdict:
    """A leader who was informed, or an administrator for them."""
    assert who
    if not is_seen(who, thing):
        return "404"
    return "let in" if "admin" in who.roles or who.id == GENERAL_MANAGER else "403"


def propose(who: Principal | None, thing: Thing) -> Verdict:
    """Everybody whose work it is, and dispatchers."""
    assert who
    if not who.roles & _TICKETS:
        return "403"
    if not is_seen(who, thing):
        return "404"
    return (
        "let in" if who.roles & {"dispatcher", "admin"} or who.id in thing.workers | thing.others else "403"
    )


def belong(who: Principal | None, thing: Thing) -> Verdict:
    """Everybody whose work it is, and nobody for them."""
    assert who
    if not is_seen(who, thing):
        return "404"
    return "let in" if who.id in thing.workers | thing.others else "403"


def gather(who: Principal | None, thing: Thing) -> Verdict:
    """The group of an urgent ticket, its leaders and dispatchers."""
    assert who
    if not is_seen(who, thing):
        return "404"
    group = thing.workers | thing.others | {GENERAL_MANAGER}
    return "let in" if who.roles & {"dispatcher", "admin"} or who.id in group else "403"


def take_back(who: Principal | None, thing: Thing) -> Verdict:
    """Who proposed it, and dispatchers."""
    assert who
    if not who.roles & _TICKETS:
        return "403"
    if not is_seen(who, thing):
        return "404"
    return "let in" if who.roles & {"dispatcher", "admin"} or who.id == thing.made_by else "403"


def sign(who: Principal | None, thing: Thing) -> Verdict:
    """Who answers for the plan, and an administrator for them."""
    assert who
    if not is_seen(who, thing):
        return "404"
    return "let in" if "admin" in who.roles or who.id in thing.workers else "403"


def approve(who: Principal | None, thing: Thing) -> Verdict:
    """A leader of the ticket's region, and nobody for them while there is one."""
    assert who
    if not is_seen(who, thing):
        return "404"
    return "let in" if who.id == GENERAL_MANAGER else "403"


def answer(who: Principal | None, thing: Thing) -> Verdict:
    """People of the department, and an administrator for them."""
    assert who
    if not is_seen(who, thing):
        return "404"
    return "let in" if "admin" in who.roles or who.id in thing.workers else "403"


def need(who: Principal | None, thing: Thing) -> Verdict:
    """Who works on the ticket, and whoever oversees."""
    assert who
    if not is_seen(who, thing):
        return "404"
    return "let in" if who.roles & _OVERSEERS or who.id in thing.others else "403"


def keep(who: Principal | None, thing: Thing) -> Verdict:
    """Whose own it is, and nobody for them."""
    assert who
    return "let in" if thing.whose != "none" and who.id in thing.workers else "404"


def ask(who: Principal | None, thing: Thing) -> Verdict:
    """For oneself, and whoever oversees for those who work where they may look; named in what is sent."""
    assert who
    if not who.roles & _OVERSEERS:
        return "let in" if who.id in thing.workers else "403"
    return "let in" if thing.whose != "none" and _is_near(who, thing) else "422"


def place(who: Principal | None, thing: Thing) -> Verdict:
    """Whoever may look there; named in what is sent."""
    assert who
    return "let in" if thing.whose != "none" and _is_near(who, thing) else "422"


def manage(who: Principal | None, thing: Thing) -> Verdict:
    """One's own, and for whoever oversees what is where they may look."""
    assert who
    if thing.whose == "none" or not (who.roles & _OVERSEERS or who.id in thing.workers):
        return "404"
    return "let in" if _is_near(who, thing) or who.id in thing.workers else "404"


def oversee(who: Principal | None, thing: Thing) -> Verdict:
    """Whoever oversees, where they may look; nobody for themselves."""
    assert who
    return manage(who, thing) if who.roles & _OVERSEERS else "403"


def _is_near(who: Principal, thing: Thing) -> bool:
    """People and regions have no product line and no customer level."""
    return who.regions is None or thing.region in who.regions


def link(who: Principal | None, thing: Thing) -> Verdict:
    """The secret in the address opens it, whoever comes."""
    return "404" if thing.whose == "none" else "let in"


def link_with_proof(who: Principal | None, thing: Thing) -> Verdict:
    """The secret and the proof that its own page was shown."""
    return "let in" if thing.whose == "own" else "403"


def unlimited(who: Principal | None, thing: Thing) -> Verdict:
    """It is for the whole house: nobody who is limited to a part of it."""
    assert who
    limits = (who.regions, who.product_lines, who.customer_levels)
    return "let in" if all(limit is None for limit in limits) else "403"


_ALL: Final[tuple[Rule, ...]] = (
    enter, watch, serve, see, give, serve_customer, work, propose, take_back, approve, lead, answer, need,
    keep, ask, place, manage, oversee, link, link_with_proof, unlimited, reach,
    belong, gather, sign,
)  # fmt: skip
RULES: Final[dict[str, Rule]] = {rule.__name__: rule for rule in _ALL}
