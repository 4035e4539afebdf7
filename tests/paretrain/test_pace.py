"""What is measured of a configuration before it is trained."""

from types import SimpleNamespace

import pytest
import torch

from paretrain import pace
from paretrain.data.noise import noise
from paretrain.data.parts import Part
from paretrain.training import Training
from tests.paretrain.test_on_a_gpu import AUGMENTATIONS, NETWORKS, OPTIMIZERS, a_config

CONFIG = a_config(NETWORKS["vgg"], AUGMENTATIONS["none"], OPTIMIZERS["sgd"], "fp32", side=16)


@pytest.mark.parametrize(("kind", "validated"), [("cpu", 64), ("cuda", 100)])
def test_validation_is_measured_on_batches_as_they_will_be(
    monkeypatch: pytest.MonkeyPatch, kind: str, validated: int
) -> None:
    """A GPU takes as long for a small batch; the training of this test is on the CPU."""
    seen: list[int] = []

    class Watched(Training):
        def __init__(self, config, data, device) -> None:  # type: ignore[no-untyped-def]
            super().__init__(config, data, torch.device("cpu"))

        def evaluate(self, part: Part, *_: object, **__: object):  # type: ignore[no-untyped-def]
            seen.append(len(part))

        evaluation_size = 100

    monkeypatch.setattr(pace, "Training", Watched)
    monkeypatch.setattr(pace, "settle", lambda _: None)
    found = pace.measure(CONFIG, noise(side=16, images=200), SimpleNamespace(type=kind), 0.0)  # type: ignore[arg-type]
    assert set(seen) == {validated} and found.epoch_seconds > 0
