"""The number of CPU threads from which more no longer pay."""

from collections.abc import Callable

import pytest
import torch

from paretrain.config import TrainConfig, VGGConfig, VGGStage
from paretrain.data.load import load_data
from paretrain.threads import fastest, fastest_here, measured_words


def test_more_threads_are_taken_as_long_as_they_pay() -> None:
    assert fastest(8, {1: 100.0, 2: 190.0, 4: 350.0, 8: 600.0}.get)[0] == 8
    assert fastest(8, {1: 100.0, 2: 190.0, 4: 200.0, 8: 900.0}.get) == (
        2,
        {1: 100.0, 2: 190.0, 4: 200.0},
    )
    assert fastest(6, {1: 100.0, 2: 190.0, 4: 350.0, 6: 500.0}.get)[0] == 6


def test_one_thread_is_taken_where_two_wait_for_each_other() -> None:
    best, measured = fastest(2, {1: 714.0, 2: 55.0}.get)
    assert best == 1 and measured_words(measured) == "1: 714, 2: 55 images/s"


def test_where_nothing_can_be_measured_all_are_taken() -> None:
    assert fastest(4, lambda threads: None) == (4, {})
    assert fastest(4, {2: 50.0, 4: 51.0}.get) == (2, {2: 50.0, 4: 51.0})


def test_measuring_leaves_the_threads_of_this_process_and_changes_no_curve(
    tiny_config: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretrain.training import Training

    monkeypatch.setattr("paretrain.threads.SECONDS", 0.0)
    monkeypatch.setattr("paretrain.threads.cores", lambda: 2)
    data, device = load_data(tiny_config().data), torch.device("cpu")
    plain = [result.train_loss for result in Training(tiny_config(), data, device).epochs()]
    best, measured = fastest_here(tiny_config(), data)
    assert best in (1, 2) and set(measured) == {1, 2} and torch.get_num_threads() == 1
    after = [result.train_loss for result in Training(tiny_config(), data, device).epochs()]
    assert after == plain


def test_a_network_that_cannot_be_built_is_left_for_the_training_to_refuse(
    tiny_config: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paretrain.threads.cores", lambda: 2)
    stages = tuple(VGGStage(width=4, kernels=("3x3",)) for _ in range(6))
    config = tiny_config(network=VGGConfig(stages=stages, norm="batch"))
    assert fastest_here(config, load_data(config.data)) == (2, {})
