"""The words that options of a search take. In a file of their own, because `--help` needs no
more."""

from typing import Literal

Choice = Literal["none", "nets", "all"]
"""Values of `--baselines`: no baselines, the networks, or networks and settings."""
Objective = Literal["params", "trainable", "flops", "latency", "size_mb"]
"""Values of `--objective`: what is to be small, beside accuracy."""
PrunerName = Literal["front", "none"]
"""Values of `--pruner`."""
SamplerName = Literal["front", "tpe", "nsga2", "gp", "random"]
"""Values of `--sampler`."""
