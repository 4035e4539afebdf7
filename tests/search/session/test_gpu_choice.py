"""CUDA graphs and bf16 in a new study: only where its own networks train faster with them."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
import torch

from paretrain.config import DataConfig, TrainConfig
from paretrain.data.noise import noise
from search.problem.baselines import Baseline
from search.session.gpu_choice import GAIN, choose_graphs, choose_precision
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.workers.engine import Died
from search.workers.pool import WorkerPool
from search.workers.protocol import Probe, Probed
from tests.makers import CONFIG

NETWORKS = [CONFIG, CONFIG.model_copy(update={"batch_size": 256})]
MakePlan = Callable[..., Plan]


class MeasuredPool:
    """Two workers that train (batch size, precision) as fast as they are told, or die of it."""

    workers = (0, 1)

    def __init__(
        self, speed: Callable[[TrainConfig], float | None], dies: bool = False, why: str = ""
    ) -> None:
        self._speed, self._dies, self._why = speed, dies, why
        self._inbox: list[tuple[int, Probed | Died]] = []
        self.asked: list[TrainConfig] = []

    def send(self, worker: int, message: Probe) -> None:
        self.asked.append(message.config)
        asked = message.config.cuda_graphs
        steps_as = (f"eager: {self._why}" if self._why else "CUDA graph") if asked else None
        rate = self._speed(message.config)
        probed = Probed(images_per_second=rate, steps_as=steps_as, peak_bytes=1)
        self._inbox.append((worker, Died(1, "") if self._dies else probed))

    def receive(self, timeout: float | None = None) -> tuple[int, Probed | Died]:
        return self._inbox.pop(0)

    def restart(self, worker: int, lost: bool) -> None:
        self._inbox = [said for said in self._inbox if said[0] != worker]


def begun(plan: Plan) -> PreparedRun:
    data = noise(side=16, images=20)
    config = plan.complete(CONFIG)
    baseline = Baseline("by hand", config, {}, {}, 1, 1, "")
    return PreparedRun(plan, data, plan.constraints(data), (baseline,))


def chosen(
    plan: Plan, speed: Callable[[TrainConfig], float | None], dies: bool = False
) -> tuple[PreparedRun, MeasuredPool]:
    pool = MeasuredPool(speed, dies)
    return choose_precision(begun(plan), NETWORKS, cast(WorkerPool, pool)), pool


@pytest.fixture
def on_a_gpu(plan: MakePlan) -> Plan:
    return plan(precision="bf16", precision_fixed=False)


def times(small: float, large: float) -> Callable[[TrainConfig], float]:
    """bf16 is so many times as fast with a small batch, and with a large one."""

    def speed(config: TrainConfig) -> float:
        gain = large if config.batch_size == 256 else small
        return 100.0 * gain if config.precision == "bf16" else 100.0

    return speed


@pytest.mark.parametrize(
    ("small", "large", "best"),
    [(0.8, 2.0, "bf16"), (0.6, 1.2, "fp32"), (1.0, 1.0, "fp32"), (GAIN, 1.01 * GAIN, "bf16")],
)
def test_a_new_study_takes_what_its_networks_train_faster_with(
    on_a_gpu: Plan, small: float, large: float, best: str
) -> None:
    run, pool = chosen(on_a_gpu, times(small, large))
    assert run.plan.precision == best
    assert {config.precision for config in pool.asked} == {"fp32", "bf16"}
    (note,) = run.plan.notes
    assert note.startswith(f"{best} (measured: bf16 is {(small * large) ** 0.5:.2f} times as fast")


def test_all_that_is_trained_has_the_precision_that_was_chosen(on_a_gpu: Plan) -> None:
    run, _ = chosen(on_a_gpu, times(0.5, 0.5))
    assert run.constraints.complete(CONFIG).precision == "fp32"
    assert [base.config.precision for base in run.baselines] == ["fp32"]
    assert run.plan.identity("f")["precision"] == "fp32", "the study keeps it"


@pytest.mark.parametrize("dies", [False, True])
def test_what_cannot_be_measured_stays_as_it_was(on_a_gpu: Plan, dies: bool) -> None:
    run, _ = chosen(on_a_gpu, lambda _: None, dies)
    assert run.plan.precision == "bf16"
    assert "could not be measured" in run.plan.notes[0]


def test_a_network_that_fails_in_bf16_alone_decides_against_it(on_a_gpu: Plan) -> None:
    fast = times(2.0, 2.0)
    run, _ = chosen(
        on_a_gpu,
        lambda c: None if (c.precision, c.batch_size) == ("bf16", 256) else fast(c),
    )
    assert run.plan.precision == "fp32"
    assert "some networks could not be trained in bf16" in run.plan.notes[0]


@pytest.mark.parametrize(
    ("precision", "fixed"), [("bf16", True), ("fp32", True), ("fp32", False)], ids=str
)
def test_what_is_settled_is_not_measured(plan: MakePlan, precision: str, fixed: bool) -> None:
    """By the study, by --precision, or by a device without bf16."""
    settled = plan(precision=precision, precision_fixed=fixed)
    run, pool = chosen(settled, times(0.5, 0.5))
    assert run.plan is settled and not pool.asked


def graphs(
    plan: Plan, speed: Callable[[TrainConfig], float | None], **pool: object
) -> tuple[PreparedRun, MeasuredPool]:
    measured = MeasuredPool(speed, **pool)  # type: ignore[arg-type]
    return choose_graphs(begun(plan), NETWORKS, cast(WorkerPool, measured)), measured


def graphs_are(small: float, large: float) -> Callable[[TrainConfig], float]:
    """So many times as fast with a small batch, and with a large one."""

    def speed(config: TrainConfig) -> float:
        gain = large if config.batch_size == 256 else small
        return 100.0 * gain if config.cuda_graphs else 100.0

    return speed


@pytest.mark.parametrize(
    ("small", "large", "best"), [(2.0, 1.0, True), (1.2, 0.8, False), (GAIN, 1.01 * GAIN, True)]
)
def test_a_new_study_replays_steps_where_that_is_faster(
    plan: MakePlan, small: float, large: float, best: bool
) -> None:
    open_plan = plan(cuda_graphs_fixed=False, precision="bf16")
    run, pool = graphs(open_plan, graphs_are(small, large))
    assert run.plan.cuda_graphs is best
    assert run.constraints.complete(CONFIG).cuda_graphs is best
    assert [base.config.cuda_graphs for base in run.baselines] == [best]
    assert run.plan.identity("f")["cuda_graphs"] is best, "the study keeps it"
    assert {(c.cuda_graphs, c.precision) for c in pool.asked} == {(False, "bf16"), (True, "bf16")}
    (note,) = run.plan.notes
    times_as_fast = f"{(small * large) ** 0.5:.2f} times as fast; --cuda-graphs)"
    assert note == f"{'' if best else 'no '}CUDA graphs (measured: {times_as_fast}"


def test_why_steps_were_not_replayed_is_said(plan: MakePlan) -> None:
    run, _ = graphs(
        plan(cuda_graphs_fixed=False), graphs_are(1.0, 1.0), why="a step waits for the GPU"
    )
    assert not run.plan.cuda_graphs
    assert "1.00 times as fast, but a step waits for the GPU;" in run.plan.notes[0]


@pytest.mark.parametrize("dies", [False, True])
def test_graphs_that_cannot_be_measured_are_not_taken(plan: MakePlan, dies: bool) -> None:
    run, _ = graphs(plan(cuda_graphs_fixed=False), lambda _: None, dies=dies)
    assert not run.plan.cuda_graphs and "could not be measured" in run.plan.notes[0]


def test_networks_that_fail_with_graphs_decide_against_them(plan: MakePlan) -> None:
    run, _ = graphs(
        plan(cuda_graphs_fixed=False),
        lambda c: None if c.cuda_graphs and c.batch_size == 256 else graphs_are(3.0, 3.0)(c),
    )
    assert not run.plan.cuda_graphs and "some networks failed with them" in run.plan.notes[0]


@pytest.mark.parametrize("chosen", [True, False])
def test_settled_graphs_are_not_measured_but_those_of_the_precision_are_used(
    plan: MakePlan, chosen: bool
) -> None:
    settled = plan(cuda_graphs=chosen, precision="bf16", precision_fixed=False)
    run, pool = graphs(settled, graphs_are(9.0, 9.0))
    assert run.plan is settled and not pool.asked
    _, pool = chosen_precision(settled)
    assert {config.cuda_graphs for config in pool.asked} == {chosen}


def chosen_precision(plan: Plan) -> tuple[PreparedRun, MeasuredPool]:
    return chosen(plan, times(2.0, 2.0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_workers_on_a_gpu_measure_both(
    on_a_gpu: Plan, record_property: Callable[..., None]
) -> None:
    plan = replace(on_a_gpu, device=torch.device("cuda"), data=DataConfig(image_size=32))
    run = replace(begun(plan), plan=plan)
    with WorkerPool(["cuda"], 1) as pool:
        made = choose_precision(run, [plan.complete(config) for config in NETWORKS], pool)
        open_run = replace(made, plan=replace(made.plan, cuda_graphs_fixed=False))
        graphed = choose_graphs(open_run, [plan.complete(config) for config in NETWORKS], pool)
    record_property("precision of a tiny network", made.plan.notes[0])
    record_property("graphs of a tiny network", graphed.plan.notes[1])
    assert "measured: bf16 is" in made.plan.notes[0]
    assert "CUDA graphs (measured: " in graphed.plan.notes[1]
