"""What the user typed, typed. None = left open; see `plan.settle` for what is chosen then."""

from dataclasses import dataclass
from typing import Literal

import torch

from paretrain.config import DataConfig, Metric, Precision
from search.problem.baselines import Choice
from search.problem.objective import Objective
from search.problem.option_words import EngineName
from search.problem.space import Space
from search.sampling.samplers import SamplerName
from search.session.budget import Limits
from search.stopping.pruners import PrunerName
from search.study.storage_url import DEFAULT, StorageUrl

No = Literal["none"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a run, in the order of `search.run`."""

    space: Space
    data: DataConfig
    """Where images come from; sizes and shares are options of their own."""
    limits: Limits
    epochs: int | None = None
    """At most so many epochs a trial."""
    image_size: int | None = None
    fraction: float | None = None
    per_class: int | None = None
    skip_broken: bool = False
    storage: StorageUrl = StorageUrl.of(DEFAULT)  # noqa: RUF009 (frozen)
    study_name: str = ""
    """Empty = after space and data."""
    join: bool = False
    """Work on the study beside those that run it already."""
    mps: bool = False
    """Start NVIDIA's Multi-Process Service where workers share a GPU."""
    engine: EngineName = "local"
    """Who runs the workers."""
    ray_address: str | None = None
    """None = the cluster that this machine belongs to."""
    checkpoints: str | None = None
    """Folder for the state of running trials; None = in the cache."""
    workers: int | None = 1
    """None = as many as measuring shows to pay."""
    threads: int | None = None
    """Of each worker; None = as many as pay, measured in a new study."""
    device: torch.device = torch.device("cpu")  # noqa: RUF009 (a device is immutable)
    max_params: int | No | None = None
    min_acc: float | No | None = None
    objective: Objective | None = None
    metric: Metric | None = None
    max_size_mb: float | No | None = None
    pretrained: bool | None = None
    weights_dir: str | None = None
    """File or folder with published weights."""
    stall_s: float | None = None
    storage_wait_s: float | None = None
    """So long is waited for a server that does not answer."""
    microbatch: bool | None = None
    precision: Precision | None = None
    """None = on a GPU whichever is faster, measured in a new study; fp32 on a CPU."""
    deterministic: bool | None = None
    cuda_graphs: bool | None = None
    """None = on an NVIDIA GPU where they are faster, measured in a new study; else no."""
    seed: int | None = None
    pruner: PrunerName | None = None
    sampler: SamplerName | None = None
    baselines: Choice | None = None
    prior: str | None = None
    """What earlier studies it learns from: see `search.prior.choice`."""
