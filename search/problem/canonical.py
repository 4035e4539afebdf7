"""When two configurations are the same experiment: the canonical form of the network, with the
training settings that act, continuous ones rounded to where a difference could be seen."""

import json
import math
from typing import Any

from paretrain.config import NetworkConfig, TrainConfig, VGGConfig
from paretrain.network_config import OwnConfig

_NOT_COMPARED = {
    *("format", "seed", "data", "epochs", "precision", "metric", "micro_batch", "threads"),
    *("cuda_graphs", "searched_on"),
}
"""Not chosen by a space: set by the run, by what memory allowed, or by an export."""


def canonical_key(config: TrainConfig) -> str:
    """Equal for trainings of which one tells what the other would.

    Learning rate, 1 - momentum, clipping, schedules, colour changes and the share of the images
    count to two significant digits, weight decay to one, dropout, label smoothing and the frozen
    share to a hundredth, padding to a pixel, rotation to a degree.
    """
    form: dict[str, Any] = config.model_dump(mode="json", exclude=_NOT_COMPARED)
    side = config.data.image_size
    form["network"] = _network(config.network, side)
    form["augment"] = _rounded(form["augment"]) | {
        "crop_padding": round(config.augment.crop_padding * side),
        "rotation": round(config.augment.rotation),
    }
    if config.augment.policy != "randaugment":  # the only one with settings of its own
        del form["augment"]["operations"], form["augment"]["magnitude"]
    form["share"] = _digits(config.share, 2)
    form["warmup"] = _digits(config.warmup, 2)
    form["ema"] = _digits(1 - config.ema, 2)  # it averages over 1 / (1 - ema) steps
    del form["start"]["weights_dir"]  # where they lie; they are the same weights
    form["start"]["frozen"] = round(config.start.frozen, 2)
    form["optimizer"] = optimizer = dict(form["optimizer"], lr=_digits(config.optimizer.lr, 2))
    if "momentum" in optimizer:  # SGD's effective step is lr / (1 - momentum)
        optimizer["momentum"] = _digits(1 - optimizer["momentum"], 2)
    decay = form["regularisation"]["weight_decay"] = _digits(config.regularisation.weight_decay, 1)
    if optimizer["kind"] == "adamw" and decay == 0:
        optimizer["kind"] = "adam"  # they differ in how weights decay, and in nothing else
    smoothing = config.regularisation.label_smoothing
    form["regularisation"]["label_smoothing"] = round(smoothing, 2)
    for part in ("schedule", "clip"):
        form[part] = _rounded(form[part])
    return json.dumps(form, sort_keys=True)


def _network(config: NetworkConfig, image_size: int) -> dict[str, Any]:
    form: dict[str, Any] = config.model_dump(mode="json")
    if isinstance(config, VGGConfig):
        # What an average to the size that a map already has does: nothing.
        last = image_size >> len(config.stages)
        if (config.pool == "global" and last == 1) or (config.pool == "adaptive7" and last == 7):
            form["pool"] = "flatten"
        form["dropout"] = [round(rate, 2) for rate in config.dropout]
    elif isinstance(config, OwnConfig):
        del form["source"], form["files"]  # their hash says which
    elif "head" in form:
        form["head"]["dropout"] = round(form["head"]["dropout"], 2)
    return form


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    """Numbers with a fraction to two significant digits."""
    return {k: _digits(v, 2) if isinstance(v, float) else v for k, v in values.items()}


def _digits(value: float, digits: int) -> float:
    """Rounded to so many significant digits."""
    if value == 0:
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))
