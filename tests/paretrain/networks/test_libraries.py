"""Networks of torchvision's registry and of timm, by name and with keyword arguments."""

import sys
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from paretrain.cli import UserError
from paretrain.config import DataConfig, SGDConfig, StartConfig, TrainConfig
from paretrain.data.noise import noise
from paretrain.describe import describe_network
from paretrain.network_config import HeadConfig, TimmConfig, ZooConfig, published_name
from paretrain.networks import library
from paretrain.networks import published as published_module
from paretrain.networks.build import (
    build_network,
    count_buffers,
    count_macs,
    count_parameters,
    has_batch_statistics,
)
from paretrain.networks.library import build_library
from paretrain.networks.published import count_trainable, load_published
from paretrain.networks.weight_files import find_weights
from paretrain.result import pt2
from paretrain.result.classifier import on_cpu
from paretrain.training import Training, pixel_statistics

SMALL_CONVNEXT = {"depths": [1, 1, 1, 1], "dims": [4, 8, 12, 16], "patch_size": 2}


def given(config: type[ZooConfig | TimmConfig], name: str, **more: Any) -> Any:
    return config(name=name, **more)


NETWORKS = [
    given(ZooConfig, "squeezenet1_1"),
    given(ZooConfig, "shufflenet_v2_x0_5", head=HeadConfig(hidden=7, dropout=0.1)),
    given(ZooConfig, "mobilenet_v2", arguments={"width_mult": 0.25}),
    given(ZooConfig, "regnet_y_400mf"),
    given(TimmConfig, "lcnet_035", head=HeadConfig(hidden=7)),
    given(TimmConfig, "convnext_atto", arguments=SMALL_CONVNEXT),
]
SLOW = {"regnet_y_400mf", "mobilenet_v2", "squeezenet1_1"}


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(each, id=each.name, marks=pytest.mark.slow if each.name in SLOW else ())
        for each in NETWORKS
    ],
)
def test_a_network_is_counted_survives_its_file_and_trains(config: Any) -> None:
    whole = TrainConfig(network=config, optimizer=SGDConfig(lr=0.01), batch_size=4, epochs=1)
    assert TrainConfig.from_yaml(whole.to_yaml()) == whole
    data = noise(3, 32, 8)
    training = Training(whole, data, torch.device("cpu"))
    held = training.network
    assert count_parameters(config, 3, 32) == sum(p.numel() for p in held.parameters())
    assert count_buffers(config, 3, 32) == sum(b.numel() for b in held.buffers())
    norms = any(isinstance(module, nn.BatchNorm2d) for module in held.modules())
    assert has_batch_statistics(config, 32) == norms
    assert count_macs(config, 3, 32) > 0
    step = next(training.steps(1))
    assert torch.isfinite(step.loss) and step.logits.shape == (4, 3)
    assert all(p.grad is not None for p in held.parameters())


@pytest.mark.slow
def test_torchvisions_classifiers_have_as_many_parameters_as_they_say() -> None:
    """inception_v3 counts its auxiliary head there, which is only for training."""
    aux = {"inception_v3": 3_326_696}
    for name in models.list_models(module=models):
        weights = models.get_model_weights(name)
        known = next(iter(weights)).meta
        if known["num_params"] > 30_000_000:
            continue  # the same code makes them, for longer
        with torch.device("meta"):
            network = build_library(given(ZooConfig, name), 1000, 224)
        held = sum(parameter.numel() for parameter in network.parameters())
        assert held == known["num_params"] - aux.get(name, 0), name


FAULTS = [
    (ZooConfig, {"name": "mobilenet_v3_smal"}, "did you mean 'mobilenet_v3_small'"),
    (ZooConfig, {"name": "mobilenet_v2", "arguments": {"widht": 1}}, "does not take these"),
    (ZooConfig, {"name": "resnet18", "arguments": {"num_classes": 3}}, "given by the run"),
    (
        ZooConfig,
        {"name": "squeezenet1_1", "head": HeadConfig(hidden=3)},
        "ends in a convolution, which no head can replace",
    ),
    (TimmConfig, {"name": "convnext_attto"}, "did you mean 'convnext_atto'"),
    (TimmConfig, {"name": "convnext_atto.d2_in2k"}, "no weights 'd2_in2k'.*mean 'd2_in1k'"),
    (TimmConfig, {"name": "lcnet_035", "arguments": {"widht": 1}}, "does not take these arguments"),
]


@pytest.mark.parametrize(("family", "fields", "said"), FAULTS)
def test_a_name_or_argument_that_no_library_has_is_refused(
    family: Any, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        count_parameters(family(**fields), 10, 32)


def test_without_timm_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"need the package timm: pip install 'paretrain\[timm\]'"):
        build_network(TimmConfig(name="lcnet_050"), 10, 32)


def test_a_file_of_the_user_that_is_called_timm_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    shadow = ModuleType("timm")
    shadow.__file__ = "/home/me/timm.py"
    monkeypatch.setitem(sys.modules, "timm", shadow)
    with pytest.raises(UserError, match=r"finds /home/me/timm\.py, which is not the library"):
        build_network(TimmConfig(name="lcnet_050"), 10, 32)


def test_images_that_are_too_small_are_no_fault() -> None:
    for config in (ZooConfig(name="inception_v3"), ZooConfig(name="vit_h_14")):
        with pytest.raises(ValueError, match="does not take images of 32 pixels") as raised:
            count_parameters(config, 10, 32)
        assert not isinstance(raised.value, UserError)


def test_arguments_are_said_and_leave_published_weights_only_where_shapes_stay() -> None:
    wide = given(ZooConfig, "mobilenet_v2", arguments={"width_mult": 0.5, "dropout": 0.1})
    assert describe_network(wide) == "mobilenet_v2 dropout 0.1, width_mult 0.5"
    assert published_name(wide) is None
    same = given(TimmConfig, "convnext_atto.d2_in1k", arguments={"drop_rate": 0.1})
    assert published_name(same) == "timm/convnext_atto.d2_in1k"
    with pytest.raises(ValueError, match="no published weights fit"):
        TrainConfig(network=wide, optimizer=SGDConfig(lr=0.1), start=StartConfig(pretrained=True))


def published(network: Any, folder: Path, **start: Any) -> TrainConfig:
    return TrainConfig(
        network=network,
        optimizer=SGDConfig(lr=0.1),
        normalise="published",
        start=StartConfig(pretrained=True, weights_dir=str(folder), **start),
    )


@pytest.mark.parametrize(
    ("family", "name"), [(ZooConfig, "squeezenet1_1"), (TimmConfig, "lcnet_035")]
)
def test_published_weights_fill_all_but_the_output(family: Any, name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    made = models.get_model(name) if family is ZooConfig else timm.create_model(name)
    state = {key: tensor.contiguous() for key, tensor in made.state_dict().items()}
    save_file(state, tmp_path / f"{name}.safetensors")
    config = published(family(name=name), tmp_path, frozen=0.5)
    network = build_network(config.network, 3, 64, pretrained=True)
    load_published(network, config)
    fresh = {k for k, t in network.state_dict().items() if not torch.equal(t, state[k])}
    output = "classifier.1." if family is ZooConfig else "classifier."
    assert fresh and all(key.startswith(output) for key in fresh)
    training = Training(config, noise(3, 64, 8), torch.device("cpu"))
    trained = sum(p.numel() for p in training.network.parameters() if p.requires_grad)
    assert trained == count_trainable(config, 3)
    data = noise(3, 64, 8)
    assert pixel_statistics(config, data)[0] == (0.485, 0.456, 0.406)


@pytest.fixture
def nothing_measured() -> Iterator[None]:
    """What is remembered of a network by its name is forgotten, before and after."""
    remembered = (
        *(library._measured_once, published_module._shapes, published_module._layer_sizes),
    )
    for each in remembered:
        each.cache_clear()
    yield
    for each in remembered:
        each.cache_clear()


@pytest.mark.usefixtures("nothing_measured")
def test_positions_of_a_vision_transformer_are_interpolated_for_another_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torchvision's own function does it."""
    from torchvision.models import VisionTransformer
    from torchvision.models.vision_transformer import interpolate_embeddings

    def small(**given: Any) -> VisionTransformer:
        size, classes = given["image_size"], given["num_classes"]
        return VisionTransformer(size, 16, 1, 2, 8, 16, num_classes=classes)

    monkeypatch.setattr(
        library, "_torchvision", lambda _, size, **given: small(image_size=size, **given)
    )
    torch.manual_seed(1)
    state = small(image_size=224, num_classes=1000).state_dict()
    save_file(state, tmp_path / "vit_b_16.safetensors")
    config = published(ZooConfig(name="vit_b_16"), tmp_path, frozen=0.4)
    config = config.model_copy(update={"data": DataConfig(image_size=64)})
    network = build_network(config.network, 3, 64, pretrained=True)
    load_published(network, config)
    expected = interpolate_embeddings(64, 16, OrderedDict(state))
    for key, tensor in network.state_dict().items():
        assert key.startswith("heads.") or torch.equal(tensor, expected[key]), key
    assert network.state_dict()["encoder.pos_embedding"].shape == (1, 17, 8)
    training = Training(config, noise(3, 64, 8), torch.device("cpu"))
    trained = {name for name, p in training.network.named_parameters() if p.requires_grad}
    # The module that holds the positions also holds all other layers, which are frozen one by one.
    assert "encoder.pos_embedding" not in trained and "encoder.ln.weight" in trained
    sizes = {name: p.numel() for name, p in training.network.named_parameters()}
    assert count_trainable(config, 3) == sum(sizes[name] for name in trained)
    assert len(list(training.steps(1))) == 1


def test_weights_for_images_of_another_size_are_refused(tmp_path: Path) -> None:
    name = "vit_tiny_patch16_224"
    with torch.device("meta"):
        shapes = timm.create_model(name).state_dict()
    state = {key: torch.zeros(t.shape, dtype=torch.float16) for key, t in shapes.items()}
    save_file(state, tmp_path / f"{name}.safetensors")
    config = published(TimmConfig(name=name), tmp_path)
    with pytest.raises(UserError, match=r"pos_embed is 1x197x192 there.*--image-size 224"):
        load_published(build_network(config.network, 3, 32, pretrained=True), config)
    assert pixel_statistics(config, noise(3, 32, 8)) == ((0.5,) * 3, (0.5,) * 3)
    with pytest.raises(UserError, match="no weights of convnext_atto in"):
        find_weights("timm/convnext_atto", str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        ZooConfig(name="mobilenet_v3_small"),
        ZooConfig(name="shufflenet_v2_x0_5"),
        ZooConfig(name="squeezenet1_1"),
        given(TimmConfig, "convnext_atto", arguments=SMALL_CONVNEXT),
        TimmConfig(name="vit_tiny_patch16_224"),
    ],
    ids=lambda config: config.name,
)
def test_the_program_of_a_library_s_network_loads_again(config: Any, tmp_path: Path) -> None:
    model = on_cpu(build_network(config, 3, 32), (0.5,) * 3, (0.5,) * 3)
    torch.export.save(pt2.export(model, 32), tmp_path / "model.pt2")
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    loaded = pt2.load(tmp_path / "model.pt2")
    torch.testing.assert_close(loaded(images), model(images), rtol=1e-4, atol=1e-5)
