"""The same seed makes the same plan, and a plan is acted out to its end whatever happens."""

import asyncio
import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from chaos.proxy import Direction
from chaos.schedule import (
    Actor,
    Fault,
    NoActor,
    Plan,
    Step,
    between,
    deal_plan,
    draw_plan,
    exactly,
    one_of,
    play,
)
from chaos.timeline import Timeline

FAULTS = [
    Fault("broker.delay", 3, between(0.5, 2.0), {"seconds": between(0.001, 2.0), "jitter": exactly(0.1)}),
    Fault("broker.stall", 1, between(1.0, 4.0), {"direction": one_of(*Direction)}),
    Fault("database.cut_after", 2, arguments={"n_bytes": between(1, 4096)}),
    Fault("intake.kill", 1),
]
seeds = some.integers()
durations = some.floats(0.0, 300.0)


@given(seeds, durations)
def test_the_same_seed_makes_the_same_plan(seed: int, seconds: float) -> None:
    assert draw_plan(seed, FAULTS, seconds) == draw_plan(seed, FAULTS, seconds)


@given(seeds, durations)
def test_one_fault_at_a_time_and_all_over_in_time(seed: int, seconds: float) -> None:
    steps = draw_plan(seed, FAULTS, seconds).steps
    assert all(step.at + step.hold <= seconds for step in steps)
    for earlier, later in itertools.pairwise(steps):
        assert later.at >= earlier.at + earlier.hold + 0.5


@given(seeds)
def test_arguments_stay_within_what_the_fault_allows(seed: int) -> None:
    for step in draw_plan(seed, FAULTS, 60.0).steps:
        match step:
            case Step(fault="broker.delay", arguments={"seconds": float(seconds), "jitter": 0.1}):
                assert 0.001 <= seconds <= 2.0
                assert 0.5 <= step.hold <= 2.0
            case Step(fault="broker.stall", arguments={"direction": direction}):
                assert direction in set(Direction)
            case Step(fault="database.cut_after", hold=0.0, arguments={"n_bytes": int(n_bytes)}):
                assert 1 <= n_bytes <= 4096
            case Step(fault="intake.kill", hold=0.0, arguments={}):
                pass
            case _:
                pytest.fail(f"no such fault: {step}")


def test_other_seeds_make_other_plans() -> None:
    assert len({str(draw_plan(seed, FAULTS, 60.0)) for seed in range(50)}) == 50


def test_weights_decide_how_often() -> None:
    often, seldom = Fault("often", 9), Fault("seldom", 1)
    names = [step.fault for step in draw_plan(7, [often, seldom], 10_000.0).steps]
    assert 0.85 < names.count("often") / len(names) < 0.95


@given(seeds, some.lists(some.integers(0, 5), min_size=4, max_size=4))
def test_a_dealt_plan_has_every_fault_as_often_as_asked(seed: int, times: list[int]) -> None:
    deck = list(zip(times, FAULTS, strict=True))
    steps = deal_plan(seed, deck).steps
    assert Counter(step.fault for step in steps) == Counter({fault.name: n for n, fault in deck if n})
    assert all(later.at >= earlier.at + earlier.hold for earlier, later in itertools.pairwise(steps))
    assert deal_plan(seed, deck).steps == steps


def test_the_seed_decides_the_order_of_a_dealt_plan() -> None:
    deck = [(2, fault) for fault in FAULTS]
    assert len({tuple(step.fault for step in deal_plan(seed, deck).steps) for seed in range(50)}) > 40


def test_faults_without_hold_or_calm_still_come_to_an_end() -> None:
    assert len(draw_plan(7, [Fault("kill")], 0.1, calm=exactly(0.0)).steps) == 100


def test_a_seed_means_the_same_on_every_machine() -> None:
    first = draw_plan(7, FAULTS, 60.0).steps[0]
    arguments = {"seconds": 0.145800137048418, "jitter": 0.1}
    assert first == Step(1.309581912082906, "broker.delay", 1.4764017095597806, arguments)


@settings(deadline=None)  # a disk may be slow
@given(seed=seeds)
def test_a_written_plan_replays_as_it_was(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    plan = draw_plan(seed, FAULTS, 60.0)
    path = tmp_path_factory.getbasetemp() / "plan.json"
    plan.write(path)
    assert Plan.read(path) == plan


class Stage:
    """Records what is done to it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def begin(self, **arguments: object) -> None:
        self.seen.append(f"begin {arguments}")

    async def kill(self) -> None:
        self.seen.append("kill")

    def end(self) -> None:
        self.seen.append("end")


async def test_a_plan_is_acted_out_in_order_by_plain_and_async_actors() -> None:
    stage, timeline = Stage(), Timeline()
    plan = Plan(7, (Step(0.01, "stall", 0.01, {"direction": "both"}), Step(0.03, "kill", 0.0, {})))
    await play(plan, {"stall": Actor(stage.begin, stage.end), "kill": Actor(stage.kill)}, timeline)
    assert stage.seen == ["begin {'direction': 'both'}", "end", "kill"]
    assert [moment.what for moment in timeline.moments] == ["stall", "stall is over", "kill", "kill is over"]
    assert all(moment.at >= step.at for moment, step in zip(timeline.moments[::2], plan.steps, strict=True))


async def test_a_cancelled_play_ends_the_fault_it_began() -> None:
    stage, begun = Stage(), asyncio.Event()
    actor = Actor(begun.set, stage.end)
    plan = Plan(7, (Step(0.0, "stall", 60.0, {}),))
    playing = asyncio.create_task(play(plan, {"stall": actor}, Timeline()))
    await begun.wait()
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert stage.seen == ["end"]


async def test_a_plan_with_a_fault_nobody_acts_out_is_refused_before_it_begins() -> None:
    stage = Stage()
    plan = Plan(7, (Step(0.0, "stall", 0.0, {}), Step(0.0, "kil", 0.0, {})))
    with pytest.raises(NoActor, match="kil"):
        await play(plan, {"stall": Actor(stage.begin)}, Timeline())
    assert stage.seen == []
