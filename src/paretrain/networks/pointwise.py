"""1x1 convolutions with stride on a CPU, around a fault of oneDNN.

With channels_last, one thread, AVX2 without AVX-512 and fewer than 8 input channels, oneDNN's
gradient of the weights writes past the end of its memory, and the process dies or computes with
what it overwrote (seen with torch 2.14.1: `Conv2d(4, 8, 1, 2)` on images of 8x8 pixels). The
shortcuts of narrow ResNets are such convolutions.
"""

from torch import Tensor, nn
from torch.nn import functional as F

FEW = 8
"""Numbers that AVX2 handles at once. From so many input channels on, no fault was seen."""


class SkippingConv2d(nn.Conv2d):
    """A 1x1 convolution with stride that leaves out the pixels before it multiplies. The result is
    the same, and its weights have the same names."""

    def forward(self, images: Tensor) -> Tensor:
        """Shapes as those of `nn.Conv2d`, (B, C, H, W)."""
        down, across = self.stride
        return F.conv2d(images[:, :, ::down, ::across], self.weight, self.bias)


def skip_pixels_first(network: nn.Module) -> None:
    """Let the convolutions of a network that meet the fault leave out pixels first."""
    for layer in network.modules():
        if type(layer) is nn.Conv2d and _meets_the_fault(layer):
            layer.__class__ = SkippingConv2d


def _meets_the_fault(layer: nn.Conv2d) -> bool:
    pointwise = layer.kernel_size == (1, 1) and layer.padding == (0, 0) and layer.groups == 1
    return pointwise and layer.stride != (1, 1) and layer.in_channels < FEW
