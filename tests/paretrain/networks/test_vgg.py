"""The VGG family: exact sizes of the published networks, and torchvision's outputs."""

from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from paretrain.config import Kernel, VGGConfig, VGGStage
from paretrain.networks.build import build_network, count_macs, count_parameters
from paretrain.networks.lrn import LocalResponseNorm
from paretrain.networks.vgg import VGG

Pool = Literal["flatten", "adaptive7", "global"]
Norm = Literal["none", "batch", "lrn"]

A = "64 M 128 M 256 256 M 512 512 M 512 512 M"
B = "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M"
C = "64 64 M 128 128 M 256 256 256p M 512 512 512p M 512 512 512p M"
D = "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M"
E = "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M"
CUT = "64 M 128 M 256 256 M 512 512 M 512 512 M"

KERNELS: dict[str, Kernel] = {"p": "1x1", "s": "separable"}


def vgg(
    layers: str,
    *,
    norm: Norm = "none",
    pool: Pool = "flatten",
    hidden: tuple[int, ...] = (4096, 4096),
) -> VGGConfig:
    """`64 64p M 128s M`: a `p` is a 1x1 kernel, an `s` a separable one."""
    stages = []
    for stage in layers.removesuffix("M").split("M"):
        names = stage.split()
        stages.append(
            VGGStage(
                width=int(names[0].rstrip("ps")),
                kernels=tuple(KERNELS.get(name[-1], "3x3") for name in names),
            )
        )
    return VGGConfig(
        stages=tuple(stages), norm=norm, pool=pool, hidden=hidden, dropout=(0.5,) * len(hidden)
    )


@pytest.mark.parametrize(
    ("layers", "norm", "classes", "expected"),
    [
        (A, "none", 1000, 132_863_336),
        (B, "none", 1000, 133_047_848),
        (C, "none", 1000, 133_638_952),
        (D, "none", 1000, 138_357_544),
        (E, "none", 1000, 143_667_240),
        (E, "none", 10, 139_611_210),
        (CUT, "none", 10, 128_807_306),
        (E, "batch", 100, 139_990_948),
    ],
    ids=["A", "B", "C", "D", "E", "E 10 classes", "cut", "E BatchNorm 100 classes"],
)
@pytest.mark.parametrize("pool", ["flatten", "adaptive7"])
def test_published_networks_have_their_published_size(
    layers: str, norm: Norm, classes: int, expected: int, pool: Pool
) -> None:
    assert count_parameters(vgg(layers, norm=norm, pool=pool), classes, 224) == expected


@pytest.mark.parametrize("image_size", [32, 64, 224, 500])
def test_adaptive_pooling_has_one_size_for_every_image(image_size: int) -> None:
    assert count_parameters(vgg(A, pool="adaptive7"), 1000, image_size) == 132_863_336


@st.composite
def configs(draw: st.DrawFn) -> VGGConfig:
    kernels = st.lists(st.sampled_from(["3x3", "1x1", "separable"]), min_size=1, max_size=3)
    stage = st.builds(VGGStage, width=st.integers(1, 30), kernels=kernels.map(tuple))
    hidden = tuple(draw(st.lists(st.integers(1, 50), max_size=2)))
    return VGGConfig(
        stages=tuple(draw(st.lists(stage, min_size=1, max_size=5))),
        norm=draw(st.sampled_from(["none", "batch", "lrn"])),
        pool=draw(st.sampled_from(["flatten", "adaptive7", "global"])),
        hidden=hidden,
        dropout=(0.0,) * len(hidden),
    )


@settings(derandomize=True, max_examples=40, deadline=None)
@given(configs(), st.integers(1, 20), st.integers(32, 70))
def test_count_equals_that_of_the_network_itself(
    config: VGGConfig, classes: int, image_size: int
) -> None:
    with torch.device("meta"):
        network = build_network(config, classes, image_size)
    held = sum(parameter.numel() for parameter in network.parameters())
    assert count_parameters(config, classes, image_size) == held


def test_vgg16_has_its_published_arithmetic() -> None:
    # convolutions 15,346,630,656 and FC layers 123,633,664
    assert count_macs(vgg(D), 1000, 224) == 15_470_264_320


@pytest.mark.parametrize("pool", ["flatten", "adaptive7", "global"])
def test_arithmetic_is_that_of_the_layers(pool: Pool) -> None:
    network = build_network(vgg("5 6p M 7s M", pool=pool, hidden=(11,)), 3, 21)
    macs = 0

    def add(layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        macs += output[0].numel() * layer.weight[0].numel()

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(add)
    network(torch.rand(1, 3, 21, 21))
    assert count_macs(vgg("5 6p M 7s M", pool=pool, hidden=(11,)), 3, 21) == macs


def test_counting_allocates_no_memory_for_weights() -> None:
    # 4 * 65,536^2 weights of 4 bytes would be 69 GB.
    config = vgg(A, hidden=(65_536,) * 5)
    features = 9_220_480
    expected = features + (25_088 + 1) * 65_536 + 4 * 65_537 * 65_536 + 65_537 * 10
    assert count_parameters(config, 10, 224) == expected


def test_counting_draws_no_random_numbers() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    count_parameters(vgg("8 M", hidden=(16,)), 10, 32)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("layers", "image_size", "smallest"), [("8 M", 1, 2), (A, 31, 32), ("8 M 8 M 8 M", 7, 8)]
)
def test_image_too_small_for_the_poolings_raises(
    layers: str, image_size: int, smallest: int
) -> None:
    config = vgg(layers, hidden=())
    with pytest.raises(ValueError, match=f"at least {smallest} pixels, got {image_size}"):
        build_network(config, 2, image_size)
    with pytest.raises(ValueError, match=f"at least {smallest} pixels, got {image_size}"):
        count_parameters(config, 2, image_size)
    assert count_parameters(config, 2, smallest) > 0


@pytest.mark.parametrize("pool", ["flatten", "adaptive7", "global"])
@pytest.mark.parametrize("image_size", [16, 23])
def test_logits_have_one_row_per_image_and_one_column_per_class(
    pool: Pool, image_size: int
) -> None:
    network = build_network(vgg("4 M 6s 6p M", pool=pool, hidden=(9,)), 5, image_size)
    assert network(torch.rand(2, 3, image_size, image_size)).shape == (2, 5)


def test_kernels_cost_what_they_cost_by_hand() -> None:
    def features(layers: str) -> int:
        return count_parameters(vgg(layers, hidden=(), pool="global"), 1, 32) - (7 + 1)

    plain = (3 * 5 * 9 + 5) + (5 * 5 * 9 + 5)
    assert features("5 5 M 7p M") == plain + (5 * 7 + 7)
    # depthwise 3x3 with biases, then 1x1 with biases
    assert features("5 5 M 7s M") == plain + (5 * 9 + 5) + (5 * 7 + 7)
    assert features("7s M") == (3 * 9 + 3) + (3 * 7 + 7)


def test_separable_is_depthwise_3x3_then_1x1() -> None:
    torch.manual_seed(0)
    network = VGG(vgg("6s M", hidden=(), pool="global"), 2, 8)
    state = network.state_dict()
    depth, depth_bias, point, point_bias = (t for n, t in state.items() if n.startswith("features"))
    images = torch.rand(2, 3, 8, 8)
    one_by_one = [
        F.conv2d(images[:, c : c + 1], depth[c : c + 1], depth_bias[c : c + 1], padding=1)
        for c in range(3)
    ]
    mixed = torch.einsum("bchw,oc->bohw", torch.cat(one_by_one, 1), point[:, :, 0, 0])
    expected = F.max_pool2d(F.relu(mixed + point_bias[:, None, None]), 2)
    torch.testing.assert_close(network.features(images), expected)


def test_1x1_kernel_mixes_channels_of_one_pixel_only() -> None:
    torch.manual_seed(0)
    network = VGG(vgg("6p M", hidden=(), pool="global"), 2, 8)
    weight, bias = (t for n, t in network.state_dict().items() if n.startswith("features"))
    images = torch.rand(2, 3, 8, 8)
    mixed = torch.einsum("bchw,oc->bohw", images, weight[:, :, 0, 0]) + bias[:, None, None]
    torch.testing.assert_close(network.features(images), F.max_pool2d(F.relu(mixed), 2))


@pytest.mark.parametrize("width", [1, 4, 9])
def test_lrn_follows_the_alexnet_paper_between_convolution_and_relu(width: int) -> None:
    torch.manual_seed(0)
    network = VGG(vgg(f"{width} M", norm="lrn", hidden=(), pool="global"), 2, 8)
    weight, bias = (t for n, t in network.state_dict().items() if n.startswith("features"))
    images = 500 * torch.rand(2, 3, 8, 8)  # large, so that the sum of squares counts
    maps = F.conv2d(images, weight, bias, padding=1)
    padded = F.pad(maps.square(), (0, 0, 0, 0, 2, 2))
    around = torch.stack([padded[:, c : c + 5].sum(1) for c in range(width)], 1)
    normed = maps / (2 + 1e-4 / 5 * around) ** 0.75  # torch divides alpha by the 5 channels
    expected = F.max_pool2d(F.relu(normed), 2)
    torch.testing.assert_close(network.features(images), expected)
    assert float((normed - maps / 2**0.75).abs().max()) > 1
    alone = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=2.0)
    torch.testing.assert_close(F.max_pool2d(F.relu(alone(maps)), 2), expected)


def test_lrn_has_no_weights() -> None:
    assert count_parameters(vgg(A, norm="lrn"), 1000, 224) == 132_863_336
    with_lrn, without = (VGG(vgg("4 M", norm=norm, hidden=()), 2, 8) for norm in ("lrn", "none"))
    assert sum(p.numel() for p in with_lrn.parameters()) == sum(
        p.numel() for p in without.parameters()
    )


def test_lrn_has_torchs_gradient() -> None:
    torch.manual_seed(0)
    network = VGG(vgg("9 M", norm="lrn", hidden=(), pool="global"), 2, 8)
    images = 500 * torch.rand(2, 3, 8, 8)
    reference = nn.Sequential(
        network.features[0], nn.LocalResponseNorm(5, k=2.0), nn.ReLU(), nn.MaxPool2d(2)
    )
    gradients = []
    for features in (network.features, reference):
        inputs = images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(features(inputs).square().sum(), inputs)
        gradients.append(gradient)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-4)


def test_lrn_in_bfloat16_is_not_biased() -> None:
    """The sum of squares is small beside k = 2, where bfloat16 has steps of 1/64."""
    torch.manual_seed(0)
    layer, maps = LocalResponseNorm(9), 8 + torch.rand(8, 9, 32, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = layer(maps.bfloat16())
    assert narrow.dtype == torch.bfloat16
    ratio = (narrow.float() / layer(maps.bfloat16().float())).mean()
    assert abs(float(ratio) - 1) < 5e-4


def test_global_pooling_averages_each_channel() -> None:
    torch.manual_seed(0)
    network = VGG(vgg("4 M 6 M", pool="global", hidden=()), 5, 24)
    assert isinstance(network.classifier[-1], nn.Linear)
    assert network.classifier[-1].in_features == 6
    images = torch.rand(2, 3, 24, 24)
    expected = network.classifier(network.features(images).mean((2, 3)))
    torch.testing.assert_close(network(images), expected)


def test_dropout_rates_reach_their_layers() -> None:
    config = VGGConfig(
        stages=(VGGStage(width=2, kernels=("3x3",)),), hidden=(3, 4, 5), dropout=(0.2, 0.0, 0.7)
    )
    network = VGG(config, 2, 8)
    rates = [layer.p for layer in network.classifier if isinstance(layer, nn.Dropout)]
    assert rates == [0.2, 0.7]


def narrow_torchvision(layers: str, batch_norm: bool) -> nn.Module:
    """torchvision's own VGG with a small classifier; its 25,088 x 4,096 one is never allocated."""
    from torchvision.models import vgg as reference

    names = [name if name == "M" else int(name) for name in layers.split()]
    features = reference.make_layers(names, batch_norm=batch_norm)
    with torch.device("meta"):
        network = reference.VGG(features, num_classes=5, init_weights=False)
    last = int(layers.split()[-2])
    network.classifier = nn.Sequential(
        nn.Linear(last * 49, 24),
        nn.ReLU(True),
        nn.Dropout(),
        nn.Linear(24, 16),
        nn.ReLU(True),
        nn.Dropout(),
        nn.Linear(16, 5),
    )
    assert isinstance(network, nn.Module)
    return network


def assert_same_outputs(ours: nn.Module, theirs: nn.Module, images: Tensor) -> None:
    ours.load_state_dict(theirs.state_dict())
    with torch.inference_mode():
        expected = theirs.eval()(images)
        torch.testing.assert_close(ours.eval()(images), expected, rtol=0, atol=1e-5)
    assert expected.std() > 1e-4  # not all the same, or the comparison says nothing


@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "BatchNorm"])
@pytest.mark.parametrize(
    ("pool", "image_size"), [("flatten", 224), ("adaptive7", 224), ("adaptive7", 64)]
)
def test_narrow_network_equals_torchvision(pool: Pool, image_size: int, batch_norm: bool) -> None:
    torch.manual_seed(0)
    layers = "4 M 6 M 8 8 M 8 8 M 10 10 M"
    theirs = narrow_torchvision(layers, batch_norm)
    images = torch.rand(2, 3, image_size, image_size)
    if batch_norm:
        theirs.train()(images)  # running statistics other than 0 and 1
    config = vgg(layers, norm="batch" if batch_norm else "none", pool=pool, hidden=(24, 16))
    assert_same_outputs(build_network(config, 5, image_size), theirs, images)


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg16", "vgg19"])
@pytest.mark.parametrize("batch_norm", [False, True], ids=["plain", "BatchNorm"])
def test_weights_have_torchvisions_names_and_shapes(name: str, batch_norm: bool) -> None:
    from torchvision import models

    layers = {"vgg11": A, "vgg13": B, "vgg16": D, "vgg19": E}[name]
    config = vgg(layers, norm="batch" if batch_norm else "none")
    with torch.device("meta"):
        theirs = getattr(models, f"{name}_bn" if batch_norm else name)(init_weights=False)
        ours = build_network(config, 1000, 224)
    expected = {key: tuple(weight.shape) for key, weight in theirs.state_dict().items()}
    assert {key: tuple(weight.shape) for key, weight in ours.state_dict().items()} == expected


@pytest.mark.slow
def test_vgg11_equals_torchvision_at_full_size() -> None:
    from torchvision.models import vgg11

    torch.manual_seed(0)
    theirs = vgg11(num_classes=10, init_weights=False)
    with torch.device("meta"):
        ours = build_network(vgg(A), 10, 224)
    ours.to_empty(device="cpu")
    assert_same_outputs(ours, theirs, torch.rand(1, 3, 224, 224))
