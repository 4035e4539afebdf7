"""What all methods share: space, data, limit on parameters, epochs, trainer, seeds."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.live.clock import CLOCK
from paretrain.config import DataConfig
from paretrain.data.locate import resolve_source
from paretrain.data.names import short_name
from paretrain.data.parts import ImageData
from search.problem.space import load_space
from search.session.budget import Limits
from search.session.options import Options
from search.session.plan import Plan, settle
from search.study.storage_url import StorageUrl

SPACE = "vgg_reduce"
MOST_TRIALS = 1_000_000


@dataclass(frozen=True)
class Settings:
    """The settings of one comparison. None means what `search.run` chooses on a CPU."""

    source: str = "digits"
    image_size: int | None = None
    per_class: int | None = None
    fraction: float | None = None
    epochs: int | None = None
    """Epochs of a full training."""
    max_params: int | None = None
    budget: int = 20
    """Full trainings that a search may spend, in epochs."""
    space: str = SPACE
    """A built-in space, or the path of a file."""

    @property
    def data_name(self) -> str:
        """Name of the data."""
        return short_name(resolve_source(self.source))

    @property
    def name(self) -> str:
        """Name for files: that of the data, after that of the space where it is not vgg_reduce."""
        if self.space == SPACE:
            return self.data_name
        return f"{load_space(self.space).name}-{self.data_name}"

    def plan(self, seed: int, folder: Path, hints: bool = True, prior: str = "none") -> Plan:
        """Return the plan of a search with the default sampler and rule and without baselines.

        It has one worker with one thread on the CPU, and its database in `folder`. Peers take data,
        constraints, trainer and the trials' seeds from it. Raises UserError for data that is not
        there.
        """
        space = load_space(self.space)
        if not hints:
            space = replace(space, hints={})
        options = Options(
            space=space,
            data=DataConfig(source=resolve_source(self.source)),
            limits=Limits(MOST_TRIALS),
            epochs=self.epochs,
            image_size=self.image_size,
            fraction=self.fraction,
            per_class=self.per_class,
            storage=StorageUrl.of(folder / "studies.db"),
            study_name="live",
            device=torch.device("cpu"),
            max_params=self.max_params,
            seed=seed,
            baselines="none",
            prior=prior,
        )
        plan = replace(settle(options, None), threads=1)
        return replace(plan, limits=Limits(MOST_TRIALS, epochs=self.budget * plan.epochs))

    def identity(self, data: ImageData) -> dict[str, Any]:
        """Return what the records of one comparison have in common."""
        plan = self.plan(0, Path())
        return {
            **plan.identity(data.fingerprint),
            "source": self.data_name,
            "max_params": plan.max_params,
            "budget": self.budget,
            "chance": 1 / len(data.classes),
            "training_images": len(data.train),
            "validation_images": len(data.val),
            "clock": CLOCK,
        }
