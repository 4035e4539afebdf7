"""What is measured of a configuration inside a worker."""

from collections.abc import Callable

import torch

from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.training import Training
from search.workers.latency import latency
from tests.fake_gpu import Calls


def test_measuring_latency_changes_no_training(
    tiny_config: Callable[..., TrainConfig],
) -> None:
    data, device = load_data(tiny_config().data), torch.device("cpu")
    plain, measured = (Training(tiny_config(), data, device) for _ in range(2))
    assert latency(measured) >= 1
    expected = [result.train_loss for result in plain.epochs()]
    assert [result.train_loss for result in measured.epochs()] == expected


def test_what_is_timed_is_what_the_exported_formats_compute(
    tiny_config: Callable[..., TrainConfig],
) -> None:
    """Autocast would cast every weight, and the average of weights takes their place layer by
    layer: neither is part of a network that classifies."""
    config = tiny_config()
    data, device = load_data(config.data), torch.device("cpu")
    image = data.val.images_NCHW[:1]
    counted = []
    for changes in ({}, {"precision": "bf16", "ema": 0.9}):
        training = Training(config.model_copy(update=changes), data, device)
        with Calls(device) as calls:
            out = training.logits_as_exported(image)
        assert out.dtype == torch.float32 and not training.network.training
        counted.append(calls.kernels)
    assert counted[0] == counted[1]
    with Calls(device) as calls:
        training.logits(image)
    assert calls.kernels.total() > counted[0].total()
