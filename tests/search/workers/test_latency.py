"""What is measured of a configuration inside a worker."""

from collections.abc import Callable

import torch

from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.training import Training
from search.workers.latency import latency


def test_measuring_latency_changes_no_training(
    tiny_config: Callable[..., TrainConfig],
) -> None:
    data, device = load_data(tiny_config().data), torch.device("cpu")
    plain, measured = (Training(tiny_config(), data, device) for _ in range(2))
    assert latency(measured) >= 1
    expected = [result.train_loss for result in plain.epochs()]
    assert [result.train_loss for result in measured.epochs()] == expected
