"""Optimizer and learning-rate schedule of a configuration, built from torch's own classes."""

import inspect
import math

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, StepLR

from paretrain.config import TrainConfig


class _NeverCompiled(Optimizer):
    """torch's methods as they are, without what keeps torch.compile off them: that imports
    torch.compile, 900 modules that nothing here uses (1.5 s and 160 MB of each process)."""

    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)


class SGD(_NeverCompiled, torch.optim.SGD):
    """torch's."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


class Adam(_NeverCompiled, torch.optim.Adam):
    """torch's."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


class AdamW(_NeverCompiled, torch.optim.AdamW):
    """torch's."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


def build_optimizer(config: TrainConfig, network: nn.Module) -> Optimizer:
    """Return an optimizer of the weights that are not frozen."""
    chosen = config.optimizer
    decay = config.regularisation.weight_decay
    parameters = [weight for weight in network.parameters() if weight.requires_grad]
    # Fused kernels do the same arithmetic in fewer launches.
    fused = parameters[0].device.type in ("cpu", "cuda")
    if chosen.kind == "sgd":
        return SGD(
            parameters,
            lr=chosen.lr,
            momentum=chosen.momentum,
            nesterov=chosen.nesterov,
            weight_decay=decay,
            fused=fused,
        )
    kind = Adam if chosen.kind == "adam" else AdamW
    return kind(parameters, lr=chosen.lr, weight_decay=decay, fused=fused)


def build_schedule(config: TrainConfig, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
    """Return the schedule, which is to be stepped after each optimizer step."""
    total = config.epochs * steps_per_epoch
    schedule = config.schedule
    if config.warmup:
        return LambdaLR(optimizer, lambda step: warmed_up(config, step, total))
    if schedule.kind == "step":
        return StepLR(optimizer, max(1, round(total * schedule.every)), schedule.gamma)
    if schedule.kind == "cosine":
        return CosineAnnealingLR(optimizer, total)
    if schedule.kind == "onecycle":
        return LambdaLR(optimizer, lambda step: one_cycle(step, total, schedule.warmup))
    return LambdaLR(optimizer, lambda _: 1.0)


def warmed_up(config: TrainConfig, step: int, total: int) -> float:
    """Return the factor on the learning rate at a step with `warmup`: it rises by equal parts to 1,
    then the schedule fills the steps that are left (Goyal et al. 2017, sec. 2.2)."""
    rise = round(config.warmup * total)
    if step < rise:
        return (step + 1) / rise
    schedule, left, done = config.schedule, max(1, total - rise), step - rise
    if schedule.kind == "step":
        return float(schedule.gamma ** (done // max(1, round(left * schedule.every))))
    if schedule.kind == "cosine":
        return (1 + math.cos(math.pi * done / left)) / 2
    return 1.0


def one_cycle(step: int, total: int, warmup: float) -> float:
    """Return the factor on the peak learning rate at a step (Smith & Topin 2017).

    It rises from 1/25 to 1 over the share `warmup` of the `total` steps, then falls to 1/250,000.
    Both follow half a cosine. torch's OneCycleLR has the same values, but it divides by zero when
    the rise is one step long, and it cycles the momentum, which a configuration fixes.
    """
    rise = max(warmup * total - 1, 0.0)
    if step < rise:
        start, end, share = 1 / 25, 1.0, step / rise
    else:
        start, end = 1.0, 1 / 25e4
        share = min(1.0, (step - rise) / max(total - 1 - rise, 1e-9))
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
