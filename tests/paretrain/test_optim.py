"""Optimizers take the configured numbers; schedules follow their closed forms, step by step."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from paretrain.config import (
    AdamConfig,
    ConstantSchedule,
    CosineSchedule,
    OneCycleSchedule,
    OptimizerConfig,
    RegularisationConfig,
    ScheduleConfig,
    SGDConfig,
    StepSchedule,
    TrainConfig,
)
from paretrain.optim import build_optimizer, build_schedule

SGD = SGDConfig(lr=0.1, momentum=0.8)


def curve(config: TrainConfig, steps_per_epoch: int) -> tuple[list[float], list[float]]:
    """Learning rate and momentum (or Adam's first beta) of each step, and after the last one."""
    layer = nn.Linear(2, 2)
    optimizer = build_optimizer(config, layer)
    schedule = build_schedule(config, optimizer, steps_per_epoch)
    rates, momenta = [], []
    for step in range(config.epochs * steps_per_epoch + 1):
        group = optimizer.param_groups[0]
        rates.append(float(group["lr"]))
        momenta.append(float(group["momentum"] if "momentum" in group else group["betas"][0]))
        if step < config.epochs * steps_per_epoch:
            optimizer.step()
            schedule.step()
    return rates, momenta


@pytest.mark.parametrize(
    "schedule", [ConstantSchedule(), CosineSchedule(), StepSchedule(every=0.3, gamma=0.5)]
)
def test_a_warm_up_rises_by_equal_parts_and_the_schedule_fills_the_rest(
    tiny_config: Callable[..., TrainConfig], schedule: ScheduleConfig
) -> None:
    config = tiny_config(optimizer=SGD, schedule=schedule, epochs=5, warmup=0.2)
    rates, _ = curve(config, 8)
    assert rates[:8] == pytest.approx([0.1 * step / 8 for step in range(1, 9)])
    after, _ = curve(config.model_copy(update={"warmup": 0.0, "epochs": 4}), 8)
    assert rates[8:] == pytest.approx(after, abs=1e-12)


def test_a_second_rise_is_refused(tiny_config: Callable[..., TrainConfig]) -> None:
    with pytest.raises(ValueError, match=r"onecycle has a rise of its own: set schedule\.warmup"):
        tiny_config(schedule=OneCycleSchedule(), warmup=0.1)


@pytest.mark.parametrize("optimizer", [SGD, AdamConfig(kind="adamw", lr=0.1)])
def test_constant_stays(
    tiny_config: Callable[..., TrainConfig], optimizer: OptimizerConfig
) -> None:
    config = tiny_config(optimizer=optimizer, schedule=ConstantSchedule(), epochs=3)
    assert curve(config, 4)[0] == [0.1] * 13


@pytest.mark.parametrize(
    ("epochs", "steps", "every", "length"), [(5, 4, 0.4, 8), (3, 9, 0.4, 11), (1, 3, 0.01, 1)]
)
def test_step_multiplies_each_time_its_share_is_over(
    tiny_config: Callable[..., TrainConfig], epochs: int, steps: int, every: float, length: int
) -> None:
    schedule = StepSchedule(every=every, gamma=0.5)
    rates, _ = curve(tiny_config(optimizer=SGD, schedule=schedule, epochs=epochs), steps)
    assert rates == pytest.approx([0.1 * 0.5 ** (t // length) for t in range(len(rates))])


@pytest.mark.parametrize(("epochs", "steps"), [(5, 4), (1, 1), (3, 7)])
def test_cosine_falls_to_zero_along_half_a_cosine(
    tiny_config: Callable[..., TrainConfig], epochs: int, steps: int
) -> None:
    config = tiny_config(optimizer=SGD, schedule=CosineSchedule(), epochs=epochs)
    rates, _ = curve(config, steps)
    total = epochs * steps
    expected = [0.05 * (1 + math.cos(math.pi * t / total)) for t in range(total + 1)]
    assert rates == pytest.approx(expected, abs=1e-12)
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("optimizer", [SGD, AdamConfig(kind="adam", lr=0.1)])
def test_onecycle_rises_to_lr_and_falls_to_nearly_zero(
    tiny_config: Callable[..., TrainConfig], optimizer: OptimizerConfig
) -> None:
    config = tiny_config(optimizer=optimizer, schedule=OneCycleSchedule(warmup=0.3), epochs=5)
    rates = curve(config, 4)[0][:20]
    peak = 5  # 0.3 of 20 steps, counted from 0
    start, end = 0.1 / 25, 0.1 / 25 / 1e4

    def between(first: float, last: float, share: float) -> float:
        return last + (first - last) / 2 * (1 + math.cos(math.pi * share))

    expected = [
        between(start, 0.1, t / peak) if t <= peak else between(0.1, end, (t - peak) / (19 - peak))
        for t in range(20)
    ]
    assert rates == pytest.approx(expected)
    assert max(rates) == pytest.approx(0.1) == rates[peak]
    assert rates[-1] == pytest.approx(end)


@pytest.mark.parametrize(
    ("epochs", "steps", "warmup"),
    [(1, 1, 0.3), (2, 1, 0.5), (10, 1, 0.1), (5, 1, 0.2), (4, 5, 0.05), (1, 2, 0.5), (3, 1, 0.9)],
)
def test_onecycle_works_however_few_steps_there_are(
    tiny_config: Callable[..., TrainConfig], epochs: int, steps: int, warmup: float
) -> None:
    config = tiny_config(optimizer=SGD, schedule=OneCycleSchedule(warmup=warmup), epochs=epochs)
    rates = curve(config, steps)[0][: epochs * steps]
    assert all(0 < rate <= 0.1 + 1e-12 for rate in rates)


@pytest.mark.parametrize(
    "schedule", [ConstantSchedule(), StepSchedule(), CosineSchedule(), OneCycleSchedule()]
)
@pytest.mark.parametrize(
    ("optimizer", "momentum"), [(SGD, 0.8), (AdamConfig(kind="adam", lr=0.1), 0.9)]
)
def test_momentum_is_the_configured_one_under_every_schedule(
    tiny_config: Callable[..., TrainConfig],
    schedule: ScheduleConfig,
    optimizer: OptimizerConfig,
    momentum: float,
) -> None:
    _, momenta = curve(tiny_config(optimizer=optimizer, schedule=schedule, epochs=5), 4)
    assert momenta == [momentum] * 21


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_gets_its_numbers(tiny_config: Callable[..., TrainConfig], nesterov: bool) -> None:
    config = tiny_config(
        optimizer=SGDConfig(lr=0.3, momentum=0.7, nesterov=nesterov),
        regularisation=RegularisationConfig(weight_decay=1e-3),
    )
    optimizer = build_optimizer(config, nn.Linear(2, 2))
    assert isinstance(optimizer, torch.optim.SGD)
    (group,) = optimizer.param_groups
    assert (group["lr"], group["momentum"], group["nesterov"], group["weight_decay"]) == (
        0.3,
        0.7,
        nesterov,
        1e-3,
    )


def one_step(config: TrainConfig, start: float, gradient: float) -> float:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, start)
    layer.weight.grad = torch.full_like(layer.weight, gradient)
    build_optimizer(config, layer).step()
    return layer.weight.item()


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (SGDConfig(lr=0.5, momentum=0.0), 2 - 0.5 * (0.1 * 2)),
        # L2 in the gradient: Adam's first step has length lr whatever the gradient is
        (AdamConfig(kind="adam", lr=0.5), 2 - 0.5),
        # decoupled: the weight shrinks by lr times decay, and the zero gradient moves nothing
        (AdamConfig(kind="adamw", lr=0.5), 2 * (1 - 0.5 * 0.1)),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_weight_decay_pulls_weights_without_gradient(
    tiny_config: Callable[..., TrainConfig], optimizer: OptimizerConfig, expected: float
) -> None:
    decay = RegularisationConfig(weight_decay=0.1)
    config = tiny_config(optimizer=optimizer, regularisation=decay)
    assert one_step(config, 2.0, 0.0) == pytest.approx(expected, rel=1e-5)
    assert one_step(tiny_config(optimizer=optimizer), 2.0, 0.0) == 2.0


@pytest.mark.parametrize(
    ("chosen", "reference", "rest"),
    [
        (SGDConfig(lr=0.05), torch.optim.SGD, {"momentum": 0.9, "fused": True}),
        (AdamConfig(kind="adam", lr=0.01), torch.optim.Adam, {"fused": True}),
        (AdamConfig(kind="adamw", lr=0.01), torch.optim.AdamW, {"fused": True}),
    ],
    ids=["sgd", "adam", "adamw"],
)
def test_weights_and_state_are_those_of_torchs_own_class(
    tiny_config: Callable[..., TrainConfig],
    chosen: OptimizerConfig,
    reference: Callable[..., torch.optim.Optimizer],
    rest: dict[str, Any],
) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(5, 3)
    copied = copy.deepcopy(layer)
    decay = RegularisationConfig(weight_decay=0.1)
    config = tiny_config(optimizer=chosen, regularisation=decay)
    ours = build_optimizer(config, layer)
    theirs = reference(copied.parameters(), lr=chosen.lr, weight_decay=0.1, **rest)
    for step in range(4):
        for network, optimizer in ((layer, ours), (copied, theirs)):
            optimizer.zero_grad()
            network(torch.full((2, 5), float(step))).square().sum().backward()
            optimizer.step()
        if step == 1:  # each goes on from what the other one saved
            saved = ours.state_dict(), theirs.state_dict()
            theirs.load_state_dict(copy.deepcopy(saved[0]))
            ours.load_state_dict(copy.deepcopy(saved[1]))
    assert torch.equal(layer.weight, copied.weight) and torch.equal(layer.bias, copied.bias)


def test_every_parameter_is_trained(tiny_config: Callable[..., TrainConfig]) -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1, bias=False))
    optimizer = build_optimizer(tiny_config(), network)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in network.parameters()}
