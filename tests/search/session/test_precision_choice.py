"""Precision of a new study on a GPU: bf16 only where its own networks train faster with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
import torch

from paretrain.config import DataConfig, TrainConfig
from paretrain.data.noise import noise
from search.problem.baselines import Baseline
from search.session.plan import Plan
from search.session.precision_choice import GAIN, choose_precision
from search.session.prepared_run import PreparedRun
from search.workers.pool import Died, WorkerPool
from search.workers.protocol import Probe, Probed
from tests.makers import CONFIG

NETWORKS = [CONFIG, CONFIG.model_copy(update={"batch_size": 256})]
MakePlan = Callable[..., Plan]


class MeasuredPool:
    """Two workers that train (batch size, precision) as fast as they are told, or die of it."""

    workers = (0, 1)

    def __init__(self, speed: Callable[[TrainConfig], float | None], dies: bool = False) -> None:
        self._speed, self._dies = speed, dies
        self._inbox: list[tuple[int, Probed | Died]] = []
        self.asked: list[TrainConfig] = []

    def send(self, worker: int, message: Probe) -> None:
        self.asked.append(message.config)
        probed = Probed(images_per_second=self._speed(message.config), peak_bytes=1)
        self._inbox.append((worker, Died(1, "") if self._dies else probed))

    def receive(self, timeout: float | None = None) -> tuple[int, Probed | Died]:
        return self._inbox.pop(0)

    def restart(self, worker: int, lost: bool) -> None:
        self._inbox.clear()


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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_workers_on_a_gpu_measure_both(
    on_a_gpu: Plan, record_property: Callable[..., None]
) -> None:
    plan = replace(on_a_gpu, device=torch.device("cuda"), data=DataConfig(image_size=32))
    run = replace(begun(plan), plan=plan)
    with WorkerPool(["cuda"], 1) as pool:
        made = choose_precision(run, [plan.complete(config) for config in NETWORKS], pool)
    record_property("precision of a tiny network", made.plan.notes[0])
    assert "measured: bf16 is" in made.plan.notes[0]
