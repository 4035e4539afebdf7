"""Which epoch counts, when patience ends, which images and which statistics a training uses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from paretrain.checkpoint import load_checkpoint, save_checkpoint
from paretrain.config import AugmentConfig, DataConfig, Keep, SGDConfig, TrainConfig
from paretrain.data.augment import take_batch
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.data.split import subset
from paretrain.epoch_selection import epochs_without_better, kept_accuracies, kept_epochs
from paretrain.training import Training, patience_is_over, pixel_statistics

CPU = torch.device("cpu")
ACCS = [0.2, 0.5, 0.4, 0.5, 0.3]
LOSSES = [2.0, 1.5, 1.2, 1.4, float("nan")]


@pytest.mark.parametrize(
    ("keep", "epochs"),
    [("last", [0, 1, 2, 3, 4]), ("best", [0, 1, 1, 1, 1]), ("lowest_loss", [0, 1, 2, 2, 2])],
)
def test_the_epoch_that_counts_after_each_epoch(keep: Keep, epochs: list[int]) -> None:
    assert kept_epochs(ACCS, LOSSES, keep) == epochs
    assert kept_accuracies(ACCS, LOSSES, keep) == [ACCS[epoch] for epoch in epochs]


@pytest.mark.parametrize(("keep", "waited"), [("last", 2), ("best", 3), ("lowest_loss", 2)])
def test_epochs_without_a_better_one(keep: Keep, waited: int) -> None:
    assert epochs_without_better(ACCS, LOSSES, keep) == waited
    assert epochs_without_better(ACCS[:2], LOSSES[:2], keep) == 0


@pytest.fixture
def digits() -> ImageData:
    return load_data(DataConfig(source="digits", image_size=8, fraction=0.1))


def wild(tiny_config: Callable[..., TrainConfig], **changes: Any) -> TrainConfig:
    """A learning rate at which accuracy goes up and down."""
    return tiny_config(optimizer=SGDConfig(lr=0.4), epochs=8, **changes)


@pytest.mark.parametrize("keep", ["best", "lowest_loss"])
def test_the_weights_at_the_end_are_those_of_the_kept_epoch(
    keep: Keep, tiny_config: Callable[..., TrainConfig], digits: ImageData
) -> None:
    training = Training(wild(tiny_config, keep=keep, seed=1), digits, CPU)
    results = list(training.epochs())
    assert training.kept.epoch < results[-1].epoch  # else this says nothing
    measure = [r.val_acc for r in results] if keep == "best" else [-r.val_loss for r in results]
    assert training.kept == results[measure.index(max(measure))]
    again = training.evaluate(digits.val)
    assert again.acc == training.kept.val_acc
    assert again.confusion == training.confusion
    assert again.loss == pytest.approx(training.kept.val_loss)


def test_kept_weights_survive_a_checkpoint(
    tiny_config: Callable[..., TrainConfig], digits: ImageData, tmp_path: Path
) -> None:
    config = wild(tiny_config, keep="best", seed=1)
    whole = Training(config, digits, CPU)
    list(whole.epochs())
    first = Training(config, digits, CPU)
    running = first.epochs()
    for _ in range(whole.kept.epoch + 1):
        next(running)
    save_checkpoint(first, tmp_path / "t.pt")
    second = Training(config, digits, CPU)
    load_checkpoint(second, tmp_path / "t.pt")
    list(second.epochs())
    assert second.confusion == whole.confusion is not None
    for a, b in zip(whole.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("keep", ["last", "best"])
def test_patience_ends_a_training(
    keep: Keep, tiny_config: Callable[..., TrainConfig], digits: ImageData, tmp_path: Path
) -> None:
    config = wild(tiny_config, keep=keep, patience=1, seed=1)
    training = Training(config, digits, CPU)
    results = list(training.epochs())
    assert 1 < len(results) < 8
    assert patience_is_over(config, results) and not patience_is_over(config, results[:-1])
    # A checkpoint of the very last epoch does not bring another one.
    save_checkpoint(training, tmp_path / "t.pt")
    again = Training(config, digits, CPU)
    load_checkpoint(again, tmp_path / "t.pt")
    assert list(again.epochs()) == []


def test_share_of_the_images_is_stratified_nested_and_leaves_validation_alone(
    tiny_config: Callable[..., TrainConfig], digits: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    import paretrain.training as module

    seen: set[int] = set()
    take = take_batch

    def note(images: Any, index: torch.Tensor, *rest: Any) -> Any:
        seen.update(index.tolist())
        return take(images, index, *rest)

    monkeypatch.setattr(module, "take_batch", note)
    used = {}
    for share in (0.25, 0.5, 1.0):
        seen.clear()
        training = Training(tiny_config(share=share, batch_size=8, epochs=1), digits, CPU)
        (result,) = training.epochs()
        used[share] = set(seen)
        assert len(training.data.val) == len(digits.val)
        assert len(set(digits.train.labels_N[sorted(seen)].tolist())) == 10
        assert 0 <= result.train_acc <= 1
    assert used[0.25] < used[0.5] < used[1.0]
    labels = digits.train.labels_N.tolist()
    assert used[0.5] == set(subset(labels, 0.5, 0))
    assert abs(len(used[0.25]) - 0.25 * len(labels)) <= 5


@pytest.mark.parametrize(
    ("normalise", "mean"),
    [("imagenet", 0.485), ("cifar100", 0.5071), ("none", 0.0), ("data", None)],
)
def test_pixels_are_normalised_as_asked(
    normalise: Any, mean: float | None, tiny_config: Callable[..., TrainConfig], digits: ImageData
) -> None:
    config = tiny_config(normalise=normalise)
    assert pixel_statistics(config, digits)[0][0] == (digits.mean[0] if mean is None else mean)
    seen = []
    training = Training(config, digits, CPU)
    training.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    training.evaluate(digits.val)
    means, deviations = pixel_statistics(config, digits)
    first = (digits.val.images_NCHW[:1].float() / 255 - torch.tensor(means)[:, None, None]) / (
        torch.tensor(deviations)[:, None, None]
    )
    torch.testing.assert_close(seen[0][:1], first)


def test_every_augmentation_at_once_trains(
    tiny_config: Callable[..., TrainConfig], digits: ImageData
) -> None:
    augment = AugmentConfig(
        flip=True, rotation=30, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1, grayscale=0.1
    )
    curves = [list(Training(tiny_config(augment=augment), digits, CPU).epochs()) for _ in range(2)]
    assert [r.train_loss for r in curves[0]] == [r.train_loss for r in curves[1]]
