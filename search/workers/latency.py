"""The time of one image, measured inside a worker."""

import statistics
import time

from paretrain.pace import settle
from paretrain.training import Training

WARM_UP, RUNS, LATENCY_S = 3, 10, 0.1


def latency(training: Training) -> int:
    """Microseconds of the forward pass of one image, as the exported formats compute it: the median
    of at least RUNS runs, after a few that are not counted."""
    image = training.data.val.images_NCHW[:1].to(training.device)
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < WARM_UP + RUNS or time.perf_counter() - began < LATENCY_S:
        start = time.perf_counter()
        training.logits_as_exported(image)
        settle(training.device)
        taken.append(time.perf_counter() - start)
    return max(1, round(1e6 * statistics.median(taken[WARM_UP:])))
