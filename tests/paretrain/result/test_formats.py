"""What a result keeps of a network whose layers share their weights."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from paretrain.config import DataConfig
from paretrain.result import formats, opening
from paretrain.result.classifier import PixelClassifier


class Shared(nn.Module):
    """One layer under two names, and a third layer with its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.again = self.first
        self.third = nn.Linear(3, 3)
        self.third.weight = self.first.weight

    def forward(self, images: Tensor) -> Tensor:
        mean: Tensor = images.mean((2, 3))
        answer: Tensor = self.third(self.again(self.first(mean)))
        return mean + answer


def test_weights_that_layers_share_are_written_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "can_write_onnx", lambda: False)
    network = Shared().eval()
    model = PixelClassifier(network, (0.5,) * 3, (0.2,) * 3, False).eval()
    written, _ = formats.write_formats(tmp_path, model, DataConfig(image_size=8), ("a", "b", "c"))
    assert set(written) >= {"weights.safetensors"}
    loaded = Shared().eval()
    loaded.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(images), loaded(images))


def test_a_file_may_hold_shared_weights_once_for_each_name() -> None:
    assert opening.most_numbers(Shared()) >= sum(
        tensor.numel() for tensor in Shared().state_dict().values()
    )
