"""Devices and threads of the workers."""

import torch

from paretrain.threads import DIGITS, cores


def worker_devices(device: torch.device, workers: int) -> list[str]:
    """One for each worker: the GPUs in turn, unless one was named."""
    name, gpus = str(device), torch.cuda.device_count()
    if name == "cuda" and gpus > 1:
        return [f"cuda:{worker % gpus}" for worker in range(workers)]
    return [name] * workers


def gpu_uuids() -> list[str]:
    """What NVIDIA calls the GPUs that torch sees, in torch's order."""
    gpus = range(torch.cuda.device_count())
    return [f"GPU-{torch.cuda.get_device_properties(gpu).uuid}" for gpu in gpus]


def threads_per_worker(workers: int, digits: bool) -> int:
    """The cores that this process may use, shared out, at least one each. One for the digits: on
    networks so small a second thread gains little on a quiet machine, and on a busy one the two
    wait for each other (seen: 20 s an epoch instead of 0.8 s)."""
    return DIGITS if digits else max(1, cores() // workers)
