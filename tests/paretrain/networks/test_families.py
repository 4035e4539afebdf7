"""The other network families: the reports' parameter counts, torchvision's outputs, exact costs."""

import random
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from paretrain.config import NetworkConfig
from paretrain.describe import describe_network
from paretrain.network_config import (
    AlexNetConfig,
    AlexNetForm,
    HeadConfig,
    Kernel,
    ResNet9Config,
    ResNetConfig,
    VGGConfig,
    VGGStage,
    ZooConfig,
    ZooName,
    published_name,
)
from paretrain.networks.build import (
    build_network,
    count_activations,
    count_buffers,
    count_macs,
    count_parameters,
    has_batch_statistics,
)
from paretrain.networks.resnet9 import Residual, ResNet9

HALVED, FULL = (32, 64, 128, 256, 512), (64, 128, 256, 512, 1024)


@pytest.mark.parametrize(
    ("config", "classes", "expected"),
    [
        (ResNetConfig(depth=50), 100, 23_712_932),
        (ResNetConfig(depth=18), 10, 11_181_642),
        (ResNetConfig(depth=50), 10, 23_528_522),
        (ResNetConfig(depth=34), 219, 21_397_019),
        (ResNetConfig(depth=50), 219, 23_956_763),
        (AlexNetConfig(), 219, 57_901_083),
        (AlexNetConfig(form="cut"), 219, 46_324_891),
        (AlexNetConfig(form="longer512-1024"), 219, 177_042_971),
        (AlexNetConfig(form="longer512-256"), 219, 60_261_147),
        (ZooConfig(name="resnet101"), 219, 42_948_891),
        (ZooConfig(name="resnext50_32x4d"), 219, 23_428_635),
        (ZooConfig(name="vgg11"), 219, 129_663_579),
        (ZooConfig(name="googlenet"), 219, 5_824_379),
        (ResNet9Config(widths=HALVED), 100, 7_598_820),
        (ResNet9Config(widths=FULL), 100, 30_274_916),
    ],
    ids=lambda value: describe_network(value) if hasattr(value, "family") else str(value),
)
def test_the_reports_networks_have_their_counts(
    config: NetworkConfig, classes: int, expected: int
) -> None:
    assert count_parameters(config, classes, 224) == expected


def drawn(seed: int) -> NetworkConfig:
    """Any family but torchvision's, narrow."""
    rng = random.Random(seed)
    head = HeadConfig(hidden=rng.choice([None, 7]), dropout=rng.choice([0.0, 0.3]))
    family = rng.choice(["resnet", "resnet9", "alexnet"])
    if family == "resnet":
        depth: Any = rng.choice([18, 34, 50])
        stem: Any = rng.choice(["imagenet", "small"])
        return ResNetConfig(depth=depth, width=rng.randint(1, 9), stem=stem, head=head)
    if family == "resnet9":
        widths: Any = tuple(rng.randint(1, 12) for _ in range(5))
        residual: Any = tuple(rng.random() < 0.5 for _ in range(3))
        return ResNet9Config(widths=widths, residual=residual)
    return AlexNetConfig(form=rng.choice(get_args(AlexNetForm)), head=head)


def measured(network: nn.Module, image_size: int) -> int:
    """Multiply-accumulates, from what convolutions and FC layers give."""
    total = 0

    def note(layer: nn.Module, _: Any, output: Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        total += output[0].numel() * layer.weight[0].numel()

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(note)
    network.eval()(torch.empty(1, 3, image_size, image_size, device="meta"))
    return total


@pytest.mark.parametrize("seed", range(12))
def test_costs_are_those_of_the_network_itself(seed: int) -> None:
    config, size = drawn(seed), random.Random(seed).choice([96, 101])
    with torch.device("meta"):
        network = build_network(config, 5, size)
    assert count_parameters(config, 5, size) == sum(p.numel() for p in network.parameters())
    assert count_buffers(config, 5, size) == sum(b.numel() for b in network.buffers())
    assert count_macs(config, 5, size) == measured(network, size)
    norms = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert has_batch_statistics(config, size) == norms


@pytest.mark.parametrize("name", get_args(ZooName))
def test_costs_of_torchvisions_networks(name: ZooName) -> None:
    config, size = ZooConfig(name=name, head=HeadConfig(hidden=9, dropout=0.5)), 70
    with torch.device("meta"):
        network = build_network(config, 5, size, pretrained=True)
    assert count_parameters(config, 5, size) == sum(p.numel() for p in network.parameters())
    assert count_buffers(config, 5, size) == sum(b.numel() for b in network.buffers())
    assert count_macs(config, 5, size) == measured(network, size)
    norms = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert has_batch_statistics(config, size) == norms
    assert count_activations(config, 5, size) > 3 * size**2


def same_outputs(config: NetworkConfig, theirs: nn.Module, size: int) -> None:
    ours = build_network(config, 6, size)
    theirs.train()(torch.rand(2, 3, size, size))  # running statistics other than 0 and 1
    ours.load_state_dict(theirs.state_dict())
    images = torch.rand(2, 3, size, size)
    with torch.inference_mode():
        expected = theirs.eval()(images)
        torch.testing.assert_close(ours.eval()(images), expected, rtol=1e-5, atol=1e-5)
    assert expected.std() > 1e-4  # not all the same, or the comparison says nothing


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_resnet_equals_torchvision_with_the_same_weights(depth: Any) -> None:
    from torchvision import models

    torch.manual_seed(0)
    theirs = getattr(models, f"resnet{depth}")(num_classes=6)
    same_outputs(ResNetConfig(depth=depth), theirs, 40)


def test_alexnet_equals_torchvision_with_the_same_weights() -> None:
    from torchvision import models

    torch.manual_seed(0)
    same_outputs(AlexNetConfig(), models.alexnet(num_classes=6), 67)


def test_narrow_resnet_is_torchvisions_with_other_widths() -> None:
    """Every stage has torchvision's stride and shape, at an odd size."""
    network = build_network(ResNetConfig(depth=50, width=4), 3, 33)
    sides = []
    for stage in range(1, 5):
        network.get_submodule(f"layer{stage}").register_forward_hook(
            lambda _, __, maps: sides.append(tuple(maps.shape[1:3]))
        )
    network.eval()(torch.rand(1, 3, 33, 33))
    assert sides == [(16, 9), (32, 5), (64, 3), (128, 2)]


def test_small_stem_keeps_the_images_size() -> None:
    network = build_network(ResNetConfig(depth=18, width=2, stem="small"), 3, 32)
    assert network.get_submodule("conv1")(torch.rand(1, 3, 32, 32)).shape[2] == 32
    assert isinstance(network.get_submodule("maxpool"), nn.Identity)


def test_resnet9_follows_the_reports_list_of_layers() -> None:
    config = ResNet9Config(widths=(3, 4, 5, 6, 7))
    torch.manual_seed(0)
    network = build_network(config, 2, 32).eval()
    assert isinstance(network, ResNet9)
    kinds = [type(module).__name__ for module in network.features]
    conv = ["Conv2d", "BatchNorm2d", "ReLU"]
    assert kinds == [
        *conv,
        *conv, "MaxPool2d", "Residual",
        *conv, "MaxPool2d",
        *conv, "MaxPool2d", "Residual",
        *conv, "MaxPool2d", "Residual",
    ]  # fmt: skip
    images = torch.rand(2, 3, 32, 32)
    maps = network.features(images)
    assert maps.shape == (2, 7, 2, 2)
    logits = network.classifier(maps.amax((2, 3)))
    torch.testing.assert_close(network(images), logits)
    block = network.features[7]
    assert isinstance(block, Residual)
    inside = torch.rand(1, 4, 5, 5)
    torch.testing.assert_close(block(inside), block.body(inside) + inside)


def test_resnet9_without_blocks_has_none() -> None:
    config = ResNet9Config(widths=HALVED, residual=(False, False, False))
    block = sum(2 * (9 * w * w + w + 2 * w) for w in (64, 256, 512))
    assert count_parameters(config, 100, 32) == 7_598_820 - block


@pytest.mark.parametrize(
    ("config", "smallest"),
    [
        (ResNet9Config(widths=HALVED), 16),
        (AlexNetConfig(), 63),
        (AlexNetConfig(form="cut"), 31),
        (AlexNetConfig(form="longer512-256"), 191),
        (ZooConfig(name="alexnet"), 63),
        (ZooConfig(name="googlenet"), 15),
    ],
    ids=lambda value: describe_network(value) if hasattr(value, "family") else str(value),
)
def test_too_small_images_are_refused_with_the_smallest_size(
    config: NetworkConfig, smallest: int
) -> None:
    for call in (count_parameters, count_macs, count_activations, build_network):
        with pytest.raises(ValueError, match=f"at least {smallest} pixels, got {smallest - 1}"):
            call(config, 3, smallest - 1)
    with torch.device("meta"):
        network = build_network(config, 3, smallest).eval()
        assert network(torch.rand(1, 3, smallest, smallest)).shape == (1, 3)


def vgg(counts: tuple[int, ...], widths: tuple[int, ...], **fields: Any) -> VGGConfig:
    kernel: Kernel = "3x3"
    stages = (
        VGGStage(width=width, kernels=(kernel,) * count)
        for width, count in zip(widths, counts, strict=True)
    )
    return VGGConfig(stages=tuple(stages), **fields)


USUAL = (64, 128, 256, 512, 512)


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (ResNetConfig(depth=34), "resnet34"),
        (ResNetConfig(depth=34, width=32), None),
        (ResNetConfig(depth=34, stem="small"), None),
        (ResNet9Config(widths=HALVED), None),
        (AlexNetConfig(form="cut"), "alexnet"),
        (ZooConfig(name="mobilenet_v2"), "mobilenet_v2"),
        (vgg((1, 1, 2, 2, 2), USUAL), "vgg11"),
        (vgg((2, 2, 4, 4, 4), USUAL, norm="batch"), "vgg19_bn"),
        (vgg((2, 2, 4, 4, 4), USUAL, norm="lrn"), None),
        (vgg((1, 1, 2, 2, 2), (32, 64, 128, 256, 256)), None),
    ],
)
def test_published_weights_belong_to_these_networks(
    config: NetworkConfig, name: str | None
) -> None:
    assert published_name(config) == name
