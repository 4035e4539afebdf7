"""The words that options of a search take. In a file of their own, because `--help` needs no
more."""

from typing import Literal

Choice = Literal["none", "nets", "all"]
"""Values of `--baselines`: no baselines, the networks, or networks and settings."""
Objective = Literal["params", "trainable", "flops", "latency", "size_mb"]
"""Values of `--objective`: what is to be small, beside accuracy."""
Metric = Literal["acc", "balanced_acc", "macro_f1", "top5"]
"""Values of `--metric`, those of `TrainConfig.metric`: which accuracy is to be large."""
PrunerName = Literal["front", "none"]
"""Values of `--pruner`."""
SamplerName = Literal["front", "tpe", "nsga2", "gp", "random"]
"""Values of `--sampler`."""
EngineName = Literal["local", "ray"]
"""Values of `--engine`: who runs the workers."""

MOST_COUNT, MOST_SECONDS, MOST_MB = 10**12, 1e9, 1e9
"""What an option may say at most, and so what a study may hold of it."""
