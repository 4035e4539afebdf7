"""Sums in a fixed order on a GPU, so that the same training gives the same curve to the last bit.

A CPU has them anyway. On a GPU many kernels add in whatever order their threads come.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch

CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextlib.contextmanager
def sums_in_fixed_order(device: torch.device, wanted: bool) -> Iterator[None]:
    """Within the block a GPU adds in a fixed order, where that is wanted; on a CPU nothing changes.

    An operation that has no such form raises RuntimeError. Afterwards torch is as it was.
    """
    if not wanted or device.type != "cuda":
        yield
        return
    # cuBLAS reads it when it is first used, and torch refuses to multiply without it. The value is
    # one of the two that NVIDIA names (cuBLAS library, section 2.1.4).
    os.environ.setdefault(CUBLAS_WORKSPACE, ":4096:8")
    before = torch.get_deterministic_debug_mode()
    filling: Any = torch.utils.deterministic
    fills = filling.fill_uninitialized_memory
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    # That would find reads of what was never written. It takes a pass over each new tensor.
    filling.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False  # it chooses kernels by their times
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
        filling.fill_uninitialized_memory = fills
        torch.backends.cudnn.benchmark = benchmark
