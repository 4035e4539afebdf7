"""1x1 convolutions with stride give the same results without oneDNN's own."""

import torch
from torch import nn

from paretrain.networks.pointwise import SkippingConv2d, skip_pixels_first


def test_narrow_shortcuts_skip_pixels_first_and_give_the_same() -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 8, 1, stride=2, bias=True)
    network = nn.Sequential(nn.Conv2d(4, 8, 1, stride=2, bias=True))
    network[0].load_state_dict(plain.state_dict())
    skip_pixels_first(network)
    assert type(network[0]) is SkippingConv2d
    assert network.state_dict().keys() == {"0.weight", "0.bias"}
    images = torch.rand(3, 4, 7, 8)
    wanted, found = plain(images), network(images)
    assert torch.allclose(found, wanted, atol=1e-6)
    (of_plain,) = torch.autograd.grad(wanted.square().sum(), [plain.weight])
    (of_skipping,) = torch.autograd.grad(found.square().sum(), [next(network.parameters())])
    assert torch.allclose(of_skipping, of_plain, rtol=1e-4, atol=1e-5)


def test_others_are_left_alone() -> None:
    layers = nn.Sequential(
        nn.Conv2d(8, 8, 1, stride=2),
        nn.Conv2d(4, 8, 1),
        nn.Conv2d(4, 8, 3, stride=2, padding=1),
        nn.Conv2d(4, 8, 1, stride=2, groups=4),
    )
    skip_pixels_first(layers)
    assert all(type(layer) is nn.Conv2d for layer in layers)
