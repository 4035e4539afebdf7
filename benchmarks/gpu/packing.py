"""Trainings an hour with 1, 2, 4, ... workers on one GPU, plain and with NVIDIA's MPS."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.workers import plan_of, proposals, seconds

SETTINGS = {"image_size": 32, "max_params": 500_000}


@contextlib.contextmanager
def mps() -> Iterator[bool]:
    """Start a Multi-Process Service of our own for processes that begin in the block.

    Gives False where there is none.
    """
    daemon = shutil.which("nvidia-cuda-mps-control")
    if daemon is None:
        yield False
        return
    names = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(dict.fromkeys(names, folder))
        try:
            begun = subprocess.run([daemon, "-d"], check=False, capture_output=True).returncode == 0
            yield begun
            if begun:
                subprocess.run([daemon], input=b"quit\n", check=False, capture_output=True)
        finally:
            for name in names:
                os.environ.pop(name, None)


def compare(source: str, workers: list[int], trials: int, epochs: int) -> list[dict[str, object]]:
    """Train the same proposals with each number of workers, without and with MPS."""
    plan = plan_of(source, SETTINGS, epochs)
    configs = proposals(plan, trials)

    def per_hour(count: int) -> float:
        return 3600 * trials / seconds(replace(plan, workers=count, threads=1), configs)

    rates = [(count, "no", per_hour(count)) for count in workers]
    with mps() as there:
        if there:
            rates += [(count, "yes", per_hour(count)) for count in workers if count > 1]
    first = rates[0][2]
    return [
        {"workers": count, "MPS": shared, "trainings/h": rate, "over one worker": rate / first}
        for count, shared, rate in rates
    ]
