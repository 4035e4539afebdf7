"""Class weights, balanced sampling, mixed labels, averaged weights, as a training has them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from paretrain.checkpoint import load_checkpoint, save_checkpoint
from paretrain.config import AugmentConfig, DataConfig, RegularisationConfig, TrainConfig, VGGConfig
from paretrain.data.load import load_data
from paretrain.data.noise import noise
from paretrain.data.parts import ImageData, Part
from paretrain.labels import Labels
from paretrain.memory import estimate_memory
from paretrain.training import Training

MakeConfig = Callable[..., TrainConfig]
CPU = torch.device("cpu")
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 4.0])


def uneven(counts: tuple[int, ...] = (60, 0, 9, 3)) -> ImageData:
    """Training images of four classes, so many each."""
    data = noise(classes=4, side=8, images=sum(counts))
    labels = torch.tensor([label for label, n in enumerate(counts) for _ in range(n)])
    return replace(data, train=Part(data.train.images_NCHW[: len(labels)], labels))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_mixed_labels_is_torchs_for_their_shares_as_probabilities(
    smoothing: float,
) -> None:
    draws = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 4, generator=draws)
    own, other = torch.randint(0, 4, (2, 7), generator=draws)
    share = torch.rand(7, generator=draws)
    chances = share[:, None] * F.one_hot(own, 4) + (1 - share)[:, None] * F.one_hot(other, 4)
    mixed = Labels.mixed(own, other, share, 4)
    expected = F.cross_entropy(logits, chances, label_smoothing=smoothing)
    assert torch.allclose(mixed.cross_entropy(logits, smoothing), expected)
    weighted = F.cross_entropy(logits, chances, WEIGHTS, label_smoothing=smoothing) * 7
    ours = mixed.cross_entropy(logits, smoothing, WEIGHTS) * mixed.weight(WEIGHTS)
    assert torch.allclose(ours, weighted)
    assert mixed.main.tolist() == [
        int(a if s >= 0.5 else b) for a, b, s in zip(own, other, share, strict=True)
    ]
    whole = Labels.mixed(own, other, torch.ones(7), 4)
    plain = F.cross_entropy(logits, own, WEIGHTS, label_smoothing=smoothing)
    assert torch.allclose(whole.cross_entropy(logits, smoothing, WEIGHTS), plain)


def test_every_class_weighs_alike_in_the_loss(tiny_config: MakeConfig) -> None:
    training = Training(
        tiny_config(balance="weights", data=DataConfig(image_size=8)), uneven(), CPU
    )
    weights = training._class_weights
    assert weights is not None
    total = torch.tensor([60.0, 0.0, 9.0, 3.0], dtype=torch.float64) * weights
    assert torch.allclose(total[[0, 2, 3]], total[0])


@pytest.mark.parametrize("changes", [{}, {"augment": AugmentConfig(mixup=0.4, flip=True)}])
def test_a_batch_in_pieces_is_the_same_training(
    changes: dict[str, Any], tiny_config: MakeConfig
) -> None:
    plain = VGGConfig(stages=tiny_config().network.stages)  # type: ignore[union-attr]
    smooth = RegularisationConfig(label_smoothing=0.1)
    whole = tiny_config(
        balance="weights", network=plain, regularisation=smooth, **changes
    ).model_copy(update={"data": DataConfig(image_size=8)})
    pieces = whole.model_copy(update={"micro_batch": 7})
    losses = [
        [float(step.loss) for step in Training(config, uneven(), CPU).steps(1)]
        for config in (whole, pieces)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_balanced_sampling_draws_classes_alike_and_as_many_images(tiny_config: MakeConfig) -> None:
    data, config = uneven(), tiny_config(balance="sampling", data=DataConfig(image_size=8))
    training, drawn = Training(config, data, CPU), []
    for epoch in range(1, 41):
        order = training._order(torch.Generator().manual_seed(epoch))
        assert len(order) == 72
        drawn.append(order)
    every = torch.cat(drawn)
    counts = torch.bincount(data.train.labels_N[every], minlength=4).tolist()
    assert counts[1] == 0
    assert all(850 < count < 1070 for count in (counts[0], *counts[2:]))  # 960, 4 deviations 101
    images = torch.bincount(every, minlength=72)
    assert images[69:].min() > 220 and images[:60].min() > 0  # 320 of each of three
    steps = list(training.steps(1))
    assert sum(len(step.labels) for step in steps) == 72


def test_the_average_is_what_is_validated_kept_and_goes_on_from_a_checkpoint(
    tiny_config: MakeConfig, tmp_path: Any
) -> None:
    config = tiny_config(ema=0.9, epochs=3)
    data = load_data(config.data)
    training = Training(config, data, CPU)
    expected = {n: t.clone() for n, t in training.network.state_dict().items()}
    seen = []
    step = 0
    for epoch in range(1, 4):
        for _ in training.steps(epoch):
            step += 1
            share = 1 - min(0.9, step / (step + 9))
            for name, weight in training.network.state_dict().items():
                if weight.is_floating_point():
                    expected[name] = expected[name] + share * (weight - expected[name])
        seen.append({n: t.clone() for n, t in expected.items()})
    again = Training(config, data, CPU)
    results = again.epochs()
    next(results)
    save_checkpoint(again, tmp_path / "one.pt")
    other = Training(config, data, CPU)
    load_checkpoint(other, tmp_path / "one.pt")
    both = [
        [r.model_copy(update={"seconds": 0}) for r in rest] for rest in (results, other.epochs())
    ]
    assert both[0] == both[1] and len(both[0]) == 2
    for name, weight in other.network.state_dict().items():
        if weight.is_floating_point():
            assert torch.allclose(weight, seen[-1][name], atol=1e-6), name
    assert other.evaluate(data.val).acc == both[1][-1].val_acc
    plain = [r.val_loss for r in Training(tiny_config(epochs=3), data, CPU).epochs()]
    assert plain[-1] != both[0][-1].val_loss
    assert estimate_memory(config, 10) > estimate_memory(tiny_config(), 10)


def test_the_best_average_is_kept(tiny_config: MakeConfig) -> None:
    config = tiny_config(ema=0.5, epochs=4, keep="best")
    data = load_data(config.data)
    training = Training(config, data, CPU)
    best = max(result.val_acc for result in training.epochs())
    assert training.evaluate(data.val).acc == best
