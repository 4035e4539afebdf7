"""Which settings a study remembers. Every option of a run stands in exactly one of these lists; a
test holds that none is forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WHICH = ("space", "data", "storage", "study_name")
"""They say which study is meant."""
OF_THE_STUDY = (
    *("epochs", "image_size", "fraction", "per_class", "skip_broken", "objective", "pretrained"),
    *("metric", "threads", "precision", "deterministic", "cuda_graphs"),
)
"""What its results hang on: taken from the study, and refused with another value."""
STORAGE_WAIT_S = 600.0
"""Time for a database server that does not answer, unless the user says otherwise."""
OF_ITS_RUNS: Mapping[str, Any] = {
    "max_params": None,
    "max_size_mb": None,
    "min_acc": None,
    "weights_dir": None,
    "microbatch": False,
    "stall_s": 300.0,
    "storage_wait_s": STORAGE_WAIT_S,
    "seed": 0,
    "pruner": "front",
    "sampler": "front",
    "baselines": "nets",
    "prior": "none",
}
"""What a run may change, with what a new study has; the next run goes on with the last value. What
`max_params` is in a new study depends on images and device."""
OF_ONE_RUN = (
    *("limits", "workers", "device", "mps", "join", "engine", "ray_address", "checkpoints"),
)
"""When to stop, and what the machine has to spare: said anew each time."""
OF_ALL_RUNS = (
    *("max_params", "max_size_mb", "min_acc", "seed", "pruner", "sampler", "baselines", "prior"),
)
"""Those of OF_ITS_RUNS that coordinators of one study have in common; the others may hang on the
machine."""
LIFTABLE = ("max_params", "max_size_mb", "min_acc", "weights_dir")
"""Limits that the word `none` takes away again."""


@dataclass(frozen=True)
class Kept:
    """A setting that was left open and is the study's."""

    name: str
    value: Any

    def __str__(self) -> str:
        """As it would be typed: `--max-params 20000`."""
        option = "--" + self.name.removesuffix("_s").replace("_", "-")
        match self.value:
            case None:
                return f"{option} none"
            case True if self.name not in ("pretrained", "cuda_graphs"):
                return option
            case bool(flag):
                return f"{option} {'yes' if flag else 'no'}"
            case float(number):
                text = f"{number:.6g}"
                return f"{option} {text}s" if self.name.endswith("_s") else f"{option} {text}"
        return f"{option} {self.value}"


def words(kept: Sequence[Kept]) -> str:
    """What is taken from the study, in a line."""
    return f"{', '.join(map(str, kept))} (as the study has it)"
