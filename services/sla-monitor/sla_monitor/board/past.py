"""The board that looks at a history instead of today: what a replay found, and nothing to act on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import Field

from shared.db import Tx
from shared.events.intake import Label
from shared.events.terms import Code
from shared.http.auth import Principal
from shared.http.pages import page
from shared.http.sse import Row
from shared.http.transaction import ReadTx, ServiceRoute
from shared.i18n.language import ZONE
from sla_monitor.board import store, words
from sla_monitor.board.store import Hours, Tile
from sla_monitor.clocks.attainment import Attainment
from sla_monitor.clocks.view import Filters, View
from sla_monitor.policies.rules import Policy
from sla_monitor.policies.store import load_rulebook
from sla_monitor.replay import imports, outcomes
from sla_monitor.replay import words as replay_words
from sla_monitor.replay.actions import SourceUnknown
from sla_monitor.replay.outcomes import Kept
from sla_monitor.replay.routes import PLANNERS
from sla_monitor.replay.rules import Side
from sla_monitor.replay.shades import cut, shade
from sla_monitor.replay.store import load
from sla_monitor.replay.tally import Tally, heat
from sla_monitor.scope import is_limited

router = APIRouter(route_class=ServiceRoute)

_SIDE: Final[Side] = "tried"
Labels: TypeAlias = Annotated[tuple[Label, ...], Field(max_length=20)]


class Chosen(Filters):
    """The filters of the board; what another system calls its places and teams may hold any letters."""

    region: Labels = ()
    team: Labels = ()
    wall: bool = False


@dataclass(frozen=True, slots=True)
class Pasts:
    """What the board can look at instead of today."""

    sources: Sequence[str]
    replays: Sequence[Kept]


async def load_pasts(tx: Tx, viewer: Principal) -> Pasts | None:
    """See `Pasts`; None for those who may not look at replays."""
    if not viewer.roles & {"operations", "admin"} or is_limited(viewer):
        return None
    return Pasts(await imports.list_names(tx), await outcomes.list_kept(tx))


def tiles(tally: Tally, policy: Policy) -> list[Row]:
    """Tickets and clocks together, the hours, then each promise that was made, in the order of the policy."""
    made = set(tally.codes)
    codes = [each.code for each in policy.enabled if each.code in made]
    responses = [each.code for each in policy.enabled if each.is_response]
    whole = tally.whole(_SIDE)
    missed = [sum(tally.hours[_SIDE, code, hour] for code in codes) for hour in range(24)]
    shown: list[Tile | Hours] = [
        Tile("tickets", Attainment(whole.met, whole.breached, whole.running), whole=True, past=True),
        Tile("clocks", _sum(tally, responses), whole=True, past=True),
        Hours(tuple(missed), past=True),
        *(Tile(code, _sum(tally, [code]), past=True) for code in codes),
    ]
    return [Row(each.id, f"{place:02}", each) for place, each in enumerate(shown)]


def _sum(tally: Tally, codes: Sequence[str]) -> Attainment:
    found = [tally.of(_SIDE, code) for code in codes]
    return Attainment(
        sum(each.met for each in found),
        sum(each.breached for each in found),
        sum(each.running for each in found),
    )


@router.get("/board/replays/{id}", dependencies=PLANNERS, include_in_schema=False)
async def board_of_replay(
    request: Request, tx: ReadTx, id: UUID, asked: Annotated[Chosen, Query()]
) -> Response:
    """What a replay found, as the board shows a day; without filters the figures are those of its report."""
    replay = await load(tx, id)
    choices = await outcomes.load_choices(tx, id)
    view = View.of(None, asked)
    tally = await outcomes.count(tx, id, view) if view.left else replay.tally
    return page(
        request,
        "board_past.html",
        replay=replay,
        last_day=replay.ends - timedelta(microseconds=1),
        tally=tally,
        tiles=tiles(tally, replay.policy),
        heats=[("promise", cut(heat(tally.hours))), ("team", cut(heat(tally.teams)))],
        shade=shade,
        worst=await outcomes.load_worst(tx, id, view, store.MOST),
        missed=sum(tally.of(_SIDE, code).breached for code in tally.codes),
        choices=choices,
        view=view,
        wall=asked.wall,
        address=f"/sla/board/replays/{id}",
        pasts=Pasts(await imports.list_names(tx), await outcomes.list_kept(tx)),
        looking_at=id,
        words=words,
        moment=_moment,
    )


def _moment(instant: datetime) -> str:
    return replay_words.moment(instant, ZONE)


@router.get("/board/sources/{name}", dependencies=PLANNERS, include_in_schema=False)
async def board_of_source(request: Request, tx: ReadTx, name: Code) -> Response:
    """All of an imported history by the policy in force now; offers to judge it where nobody has."""
    known = await imports.list_sources(tx, name)
    if not known:
        raise SourceUnknown(name=name, known=", ".join(await imports.list_names(tx)) or "none")
    (source,) = known
    version = (await load_rulebook(tx)).at(tx.now).versions[0]
    span = source.first_at, source.last_at
    found = await outcomes.find_whole(tx, name, version, span, source.tickets)
    if found is not None:
        id, is_kept = found
        where = f"/sla/board/replays/{id}" if is_kept else f"/sla/replays/{id}/report"
        return RedirectResponse(where, status_code=303)
    return page(
        request,
        "board_unjudged.html",
        source=source,
        version=version,
        begins=source.first_at.astimezone(ZONE).date(),
        ends=source.last_at.astimezone(ZONE).date() + timedelta(days=1),
        pasts=Pasts(await imports.list_names(tx), await outcomes.list_kept(tx)),
        looking_at=name,
        moment=_moment,
    )
