"""Time of local response normalisation: ours against torch's, forward and backward pass.

python -m benchmarks.lrn
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from paretrain.networks.lrn import LocalResponseNorm

PAIRS = 15
"""Pairs of measurements for each shape."""


def seconds(norm: Callable[[Tensor], Tensor], maps: Tensor) -> float:
    """Return the time of one forward and backward pass."""
    start = time.perf_counter()
    norm(maps).sum().backward()  # type: ignore[no-untyped-call]
    return time.perf_counter() - start


def main() -> None:
    """Print, for each shape, torch's time divided by ours: the median over interleaved pairs."""
    torch.set_num_threads(1)
    print("channels  side  torch / ours (median of interleaved pairs)")
    for channels, side in ((16, 32), (32, 32), (64, 16), (128, 8), (256, 8)):
        maps = torch.randn(32, channels, side, side).to(memory_format=torch.channels_last)
        maps.requires_grad_()
        ours = LocalResponseNorm(channels)

        def theirs(x: Tensor) -> Tensor:
            return F.local_response_norm(x, 5, 1e-4, 0.75, 2.0)

        seconds(ours, maps), seconds(theirs, maps)
        ratios = sorted(seconds(theirs, maps) / seconds(ours, maps) for _ in range(PAIRS))
        print(f"{channels:8}  {side:4}  {ratios[PAIRS // 2]:.1f}")


if __name__ == "__main__":
    main()
