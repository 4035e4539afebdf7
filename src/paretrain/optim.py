"""Optimizer and learning-rate schedule of a configuration, by torch's own classes."""

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, OneCycleLR, StepLR

from paretrain.config import TrainConfig


def build_optimizer(config: TrainConfig, network: nn.Module) -> Optimizer:
    """Fused kernels: same arithmetic, fewer launches."""
    chosen = config.optimizer
    decay = config.regularisation.weight_decay
    parameters = list(network.parameters())
    fused = parameters[0].device.type in ("cpu", "cuda")
    if chosen.kind == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=chosen.lr,
            momentum=chosen.momentum,
            nesterov=chosen.nesterov,
            weight_decay=decay,
            fused=fused,
        )
    kind = torch.optim.Adam if chosen.kind == "adam" else torch.optim.AdamW
    return kind(parameters, lr=chosen.lr, weight_decay=decay, fused=fused)


def build_schedule(config: TrainConfig, optimizer: Optimizer, steps_per_epoch: int) -> LRScheduler:
    """Stepped after each optimizer step."""
    total = config.epochs * steps_per_epoch
    schedule = config.schedule
    if schedule.kind == "step":
        return StepLR(optimizer, max(1, round(total * schedule.every)), schedule.gamma)
    if schedule.kind == "cosine":
        return CosineAnnealingLR(optimizer, total)
    if schedule.kind == "onecycle":
        return OneCycleLR(optimizer, config.optimizer.lr, total, pct_start=schedule.warmup)
    return LambdaLR(optimizer, lambda _: 1.0)
