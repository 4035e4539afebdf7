"""Published weights fill our networks; what cannot be filled is said in one line."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from paretrain.cli import UserError
from paretrain.config import SGDConfig, StartConfig, TrainConfig
from paretrain.data.noise import noise
from paretrain.locks import LockedError, locked
from paretrain.network_config import AlexNetConfig, HeadConfig, ResNetConfig, ZooConfig
from paretrain.networks.build import build_network
from paretrain.networks.published import count_trainable, load_published
from paretrain.networks.weight_files import find_weights
from paretrain.training import Training


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights of resnet18 in torchvision's format, for five classes."""
    from torchvision import models

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    network = models.resnet18(num_classes=5)
    network(torch.rand(4, 3, 32, 32))  # statistics other than 0 and 1
    torch.save(network.state_dict(), folder / "resnet18-f37072fd.pth")
    return folder


def config(weights: Path | None, **changes: Any) -> TrainConfig:
    frozen = changes.pop("frozen", 0.0)
    place = None if weights is None else str(weights)
    fields: dict[str, Any] = {
        "network": ResNetConfig(depth=18),
        "start": StartConfig(pretrained=True, frozen=frozen, weights_dir=place),
        "optimizer": SGDConfig(lr=0.05),
        "epochs": 2,
        "batch_size": 8,
    }
    return TrainConfig(**(fields | changes))


def tensors(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("network", [ResNetConfig(depth=18), ZooConfig(name="resnet18")])
def test_all_but_the_output_layer_is_filled(weights: Path, network: Any) -> None:
    file = torch.load(weights / "resnet18-f37072fd.pth", weights_only=True)
    built = build_network(network, 3, 32, pretrained=True)
    layers = load_published(built, config(weights, network=network))
    for name, tensor in built.state_dict().items():
        if name.startswith("fc."):
            assert tensor.shape[0] == 3  # of our classes, drawn anew
        elif not name.endswith("num_batches_tracked"):
            assert torch.equal(tensor, file[name]), name
    assert sum(p.numel() for layer in layers for p in layer.parameters()) == 11_176_512
    assert not any(isinstance(layer, nn.Linear) for layer in layers)


def test_frozen_layers_stay_to_the_last_bit_and_the_others_move(weights: Path) -> None:
    wanted = config(weights, frozen=0.5)
    training = Training(wanted, noise(classes=3, images=16), torch.device("cpu"))
    before = tensors(training.network)
    assert len(list(training.epochs())) == 2
    after = training.network.state_dict()
    changed = {n for n in before if not torch.equal(before[n], after[n])}
    assert not any(name.startswith(("conv1", "bn1", "layer1", "layer2")) for name in changed)
    assert {"fc.weight", "layer4.1.bn2.weight", "layer4.1.bn2.running_mean"} <= changed
    trained = sum(p.numel() for p in training.network.parameters() if p.requires_grad)
    assert trained == count_trainable(wanted, 3)


@pytest.mark.parametrize("frozen", [0.0, 0.3, 1.0])
def test_trainable_parameters_are_counted_without_building(weights: Path, frozen: float) -> None:
    wanted = config(
        weights, frozen=frozen, network=ResNetConfig(depth=18, head=HeadConfig(hidden=6))
    )
    training = Training(wanted, noise(classes=3, images=16), torch.device("cpu"))
    trained = sum(p.numel() for p in training.network.parameters() if p.requires_grad)
    assert trained == count_trainable(wanted, 3)
    if frozen == 1.0:
        assert trained == 512 * 6 + 6 + 6 * 3 + 3


def test_what_alexnets_forms_lack_is_drawn_anew(tmp_path: Path) -> None:
    from torchvision import models

    torch.manual_seed(1)
    with torch.device("meta"):
        shapes = models.alexnet().state_dict()
    file = {name: torch.full(t.shape, 0.25, dtype=torch.float16) for name, t in shapes.items()}
    save_file(file, tmp_path / "alexnet.safetensors")
    for form, new in (
        ("cut", {"classifier.1.weight"}),
        ("longer512-256", {"features.13.weight", "features.16.weight"}),
    ):
        wanted = config(tmp_path, network=AlexNetConfig(form=form))  # type: ignore[arg-type]
        built = build_network(wanted.network, 3, 224, pretrained=True)
        load_published(built, wanted)
        state = built.state_dict()
        fresh = {n for n, t in state.items() if "weight" in n and not bool((t == 0.25).all())}
        assert fresh == new | {"classifier.6.weight"}


def test_googlenet_reads_its_input_as_its_weights_expect() -> None:
    with torch.device("meta"):
        plain = build_network(ZooConfig(name="googlenet"), 3, 64)
        pretrained = build_network(ZooConfig(name="googlenet"), 3, 64, pretrained=True)
    assert not plain.transform_input and pretrained.transform_input


def damaged(change: Callable[[dict[str, Tensor]], Any]) -> Callable[[Path, Path], Path]:
    def make(weights: Path, folder: Path) -> Path:
        state = torch.load(weights / "resnet18-f37072fd.pth", weights_only=True)
        kept = change(state)
        path = folder / "resnet18.pth"
        torch.save(state if kept is None else kept, path)
        return path

    return make


class Dangerous:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("run",))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (damaged(lambda s: {k: s[k] for k in s if k != "bn1.bias"}), r"bn1.bias is missing"),
        (damaged(lambda s: s | {"bn1.bias": torch.zeros(7)}), r"bn1.bias is 7, must be 64"),
        (damaged(lambda s: s | {"fc.bias": torch.zeros(9)}), r"of 5 classes and biases of 9"),
        (damaged(lambda s: s | {"fc.weight": torch.zeros(5, 9)}), r"is 5x9, must be classes x 512"),
        (damaged(lambda s: [1]), r"holds list, must be a state dict"),
        (damaged(lambda s: {"a": Dangerous()}), r"no weights that can be read safely"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(
    weights: Path,
    tmp_path: Path,
    make: Any,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = make(weights, tmp_path)
    built = build_network(ResNetConfig(depth=18), 3, 32)
    before = tensors(built)
    with pytest.raises(UserError, match=message) as caught:
        load_published(built, config(path))
    assert "\n" not in str(caught.value) and "resnet18" in str(caught.value)
    assert all(torch.equal(before[name], tensor) for name, tensor in built.state_dict().items())
    assert capsys.readouterr().out == ""


def test_bytes_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    for name in ("resnet18.pth", "resnet18.safetensors"):
        path = tmp_path / name
        path.write_bytes(b"not weights at all")
        with pytest.raises(UserError, match="no weights that can be read safely"):
            load_published(build_network(ResNetConfig(depth=18), 3, 32), config(path))


def test_missing_weights_name_the_file_and_the_way_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"resnet50 in .*resnet50\.pth.*--pretrained no"):
        find_weights("resnet50", str(tmp_path))
    with pytest.raises(UserError, match=r"no file and no folder.*--pretrained no"):
        find_weights("resnet50", str(tmp_path / "nowhere"))
    for name in ("resnet50.pth", "resnet50.pt"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match="two files for resnet50"):
        find_weights("resnet50", str(tmp_path))


def test_torchvisions_cache_is_taken_and_a_failed_download_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "torch"
    monkeypatch.setenv("TORCH_HOME", str(home))

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(UserError, match=r"resnet18 .*no route to host.*--weights-dir"):
        find_weights("resnet18", None)
    assert not home.exists()
    cached = home / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"")
    assert find_weights("resnet18", None) == cached


def test_of_processes_that_need_the_same_weights_one_downloads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    downloaded = list[str]()

    def download(_: str, target: str, *__: object, **___: object) -> None:
        with pytest.raises(LockedError), locked(target):
            pass  # as another process would
        downloaded.append(target)
        Path(target).touch()

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    found = find_weights("resnet18", None)
    assert downloaded == [str(found)]
    found.unlink()

    @contextmanager
    def waited(what: str, wait_s: float) -> Iterator[None]:
        assert what == str(found) and wait_s > 0
        found.touch()  # by the process that was waited for
        yield

    monkeypatch.setattr("paretrain.networks.weight_files.locked", waited)
    assert find_weights("resnet18", None) == found and len(downloaded) == 1


def test_waiting_for_a_download_is_told_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for limit in ("SAY_AFTER_S", "GIVE_UP_AFTER_S"):
        monkeypatch.setattr(f"paretrain.networks.weight_files.{limit}", 0)
    target = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    frozen = rf"process {os.getpid()} since .* still downloads the weights of resnet18, after .*--w"
    with locked(str(target)), pytest.raises(UserError, match=frozen):
        find_weights("resnet18", None)
    assert "waiting for the weights of resnet18: process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "start", "message"),
    [
        (ResNetConfig(depth=18, width=32), {"pretrained": True}, "no published weights fit"),
        (ResNetConfig(depth=18), {"frozen": 0.5}, "needs pretrained"),
    ],
)
def test_a_start_that_cannot_be_is_refused(network: Any, start: Any, message: str) -> None:
    values = config(None, start=StartConfig(), network=network).to_dict()
    values["start"] |= start
    with pytest.raises(UserError, match=message):
        TrainConfig.from_dict(values)
