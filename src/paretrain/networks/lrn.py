"""Local response normalisation (Krizhevsky 2012, sec. 3.3), fast enough to train with.

torch's own uses a 3-d average pooling and a general power. On a CPU these take many times as long
as the convolutions do (benchmarks/lrn.py).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# The paper's values: size 5, alpha 1e-4, beta 0.75, k 2. Alpha is divided by the size, as torch and
# Caffe do; the paper's formula does not divide it.
SIZE, ALPHA, K = 5, 1e-4, 2.0


class LocalResponseNorm(nn.Module):
    """Computes x / (k + alpha / size * sum of x^2 over neighbouring channels)^0.75, as torch does.

    The sum is a 1x1 convolution with a band matrix. d^-0.75 is r * sqrt(r) with r = 1 / sqrt(d).
    """

    band: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        index = torch.arange(channels)
        near = (index[:, None] - index[None, :]).abs() <= SIZE // 2
        band = near.float()[:, :, None, None] * (ALPHA / SIZE)
        self.register_buffer("band", band, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """maps (N, C, H, W) -> the same shape."""
        total = F.conv2d(maps * maps, self.band.to(maps.dtype))
        if total.dtype == torch.float32:
            root = (total + K).rsqrt()
            return maps * root * root.sqrt()
        # The total is small: in bfloat16 it would vanish beside K.
        root = (total.float() + K).rsqrt()
        return (maps * root * root.sqrt()).to(total.dtype)
