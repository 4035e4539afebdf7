"""Trains a stored trial again and compares the two curves, epoch by epoch."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from paretrain.config import TrainConfig
from paretrain.data.parts import ImageData
from paretrain.epoch_result import EpochResult
from paretrain.training import Training
from search.study.attributes import SCORE
from search.study.records import TrialRecord

COMPARED = ("train_loss", "train_acc", "val_loss", "val_acc", "lr", SCORE)


@dataclass(frozen=True)
class EpochComparison:
    """One epoch, then and now."""

    epoch: int
    then_acc: float
    now_acc: float
    unequal: tuple[str, ...]
    """Names of the quantities that are not the same to the last bit."""


def compare_epochs(
    record: TrialRecord, curve: Mapping[str, Sequence[Any]], data: ImageData, device: torch.device
) -> Iterator[EpochComparison]:
    """Compare as many epochs as the stored curve has."""
    count = len(curve["val_acc"])
    for result in Training(record.config, data, device).epochs():
        then = {key: curve[key][result.epoch - 1] for key in COMPARED if key in curve}
        unequal = tuple(unequal_values(result, then))
        yield EpochComparison(result.epoch, then["val_acc"], result.val_acc, unequal)
        if result.epoch == count:
            return


def unequal_values(now: EpochResult, then: Mapping[str, Any]) -> list[str]:
    """Names of the quantities that are not the same to the last bit; two NaN are."""
    return [
        key
        for key, value in then.items()
        if getattr(now, key) != value
        and not (math.isnan(getattr(now, key)) and math.isnan(float(value)))
    ]


def differences(
    then: Mapping[str, Any],
    now: Mapping[str, Any],
    fingerprint: str,
    threads_then: int,
    threads_now: int,
) -> list[str]:
    """What is not as it was when the study began, in words; what it did not note is left out.
    `then` and `now` are environments (`study.provenance`), `fingerprint` is of today's images."""
    differing = [
        f"{key} {then[key]} then, {value} now"
        for key, value in now.items()
        if key in then and then[key] != value
    ]
    if then.get("data_fingerprint", fingerprint) != fingerprint:
        differing.append("the images, whose content has changed")
    if threads_then != threads_now:
        differing.append(f"threads {threads_then} then, {threads_now} now")
    return differing


def order_of_sums(config: TrainConfig, device: torch.device) -> list[str]:
    """What always differs on a GPU, in words, unless the training keeps it."""
    if device.type != "cuda" or config.deterministic:
        return []
    return ["the order of sums on a GPU, which --deterministic keeps in a new study"]
