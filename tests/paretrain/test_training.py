"""Training: reproducible to the last bit, stoppable, honest about what went wrong."""

import math
from collections.abc import Callable, Generator

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from paretrain import training as training_module
from paretrain.config import (
    AugmentConfig,
    ClipConfig,
    CosineSchedule,
    DataConfig,
    RegularisationConfig,
    SGDConfig,
    TrainConfig,
    VGGConfig,
    VGGStage,
)
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData, Part
from paretrain.epoch_result import EpochResult
from paretrain.training import Training

ConfigMaker = Callable[..., TrainConfig]
CPU = torch.device("cpu")
DROPOUT = VGGConfig(
    stages=(VGGStage(width=8, kernels=("3x3",)),), norm="batch", hidden=(16,), dropout=(0.5,)
)


@pytest.fixture(scope="module")
def digits() -> ImageData:
    """A tenth of the digits at 8 pixels: 115 images for training, 29 for validation or so."""
    return load_data(DataConfig(source="digits", image_size=8, fraction=0.1))


def first_images(data: ImageData, count: int) -> ImageData:
    part = Part(data.train.images_NCHW[:count], data.train.labels_N[:count])
    return ImageData(data.classes, part, data.val, data.mean, data.std, "")


def curve(config: TrainConfig, data: ImageData) -> list[dict[str, object]]:
    results = Training(config, data, CPU).epochs()
    return [result.model_dump(exclude={"seconds"}) for result in results]


def weights(training: Training) -> Tensor:
    return torch.cat([p.detach().flatten() for p in training.network.parameters()])


def first_step(config: TrainConfig, data: ImageData) -> Tensor:
    """What the first step adds to the weights."""
    training = Training(config, data, CPU)
    before = weights(training)
    next(iter(training.steps(1)))
    return weights(training) - before


# Reproducible ------------------------------------------------------------------------------------


def test_same_seed_gives_exactly_the_same_curve(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    config = tiny_config(
        network=DROPOUT, augment=AugmentConfig(crop_padding=0.125, flip=True), seed=5
    )
    assert curve(config, digits) == curve(config, digits)


@pytest.mark.parametrize("seed", [1, 2**63 - 1])
def test_another_seed_gives_another_curve(
    tiny_config: ConfigMaker, digits: ImageData, seed: int
) -> None:
    assert curve(tiny_config(seed=0), digits) != curve(tiny_config(seed=seed), digits)


def test_disturbed_global_random_state_changes_no_epoch(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    config = tiny_config(network=DROPOUT, augment=AugmentConfig(crop_padding=0.125), epochs=3)
    undisturbed = curve(config, digits)
    torch.manual_seed(999)
    training = Training(config, digits, CPU)
    disturbed = []
    for result in training.epochs():
        disturbed.append(result.model_dump(exclude={"seconds"}))
        torch.manual_seed(1234 + result.epoch)
        torch.rand(17)
    assert disturbed == undisturbed


def test_two_trainings_in_turns_do_not_touch_each_other(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    one, two = tiny_config(network=DROPOUT, seed=1), tiny_config(network=DROPOUT, seed=2)
    together = zip(
        Training(one, digits, CPU).epochs(), Training(two, digits, CPU).epochs(), strict=True
    )
    pairs = [[r.model_dump(exclude={"seconds"}) for r in pair] for pair in together]
    assert [pair[0] for pair in pairs] == curve(one, digits)
    assert [pair[1] for pair in pairs] == curve(two, digits)


def test_every_epoch_sees_another_order_and_other_crops(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    # With a learning rate too small to move a weight, only the draws can change the loss.
    config = tiny_config(
        network=VGGConfig(stages=(VGGStage(width=8, kernels=("3x3",)),)),
        optimizer=SGDConfig(lr=1e-30),
        augment=AugmentConfig(crop_padding=0.25),
        epochs=3,
    )
    losses = [result["train_loss"] for result in curve(config, digits)]
    assert len(set(losses)) == 3


# What an epoch reports ---------------------------------------------------------------------------


def test_training_on_digits_learns(tiny_config: ConfigMaker) -> None:
    config = tiny_config(
        data=DataConfig(source="digits", image_size=8, fraction=0.5),
        network=VGGConfig(
            stages=(VGGStage(width=16, kernels=("3x3",)), VGGStage(width=32, kernels=("3x3",))),
            norm="batch",
        ),
        epochs=3,
    )
    results = list(Training(config, load_data(config.data), CPU).epochs())
    assert [result.epoch for result in results] == [1, 2, 3]
    assert results[-1].val_acc > 0.8
    assert results[-1].val_loss < results[0].val_loss
    assert results[-1].health == "ok"


def test_epoch_reports_the_mean_of_its_batches_and_the_last_rate(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    config = tiny_config(schedule=CosineSchedule(), batch_size=32)
    first, second = Training(config, digits, CPU).epochs()
    batches = list(Training(config, digits, CPU).steps(1))
    assert len(batches) == math.ceil(len(digits.train) / 32)
    losses = [float(step.loss) for step in batches]
    assert first.train_loss == pytest.approx(sum(losses) / len(losses))
    right = sum(int((step.logits.argmax(1) == step.labels).sum()) for step in batches)
    assert first.train_acc == right / len(digits.train)
    total = 2 * len(batches)
    for result, step in ((first, len(batches) - 1), (second, total - 1)):
        assert result.lr == pytest.approx(0.025 * (1 + math.cos(math.pi * step / total)))
    assert first.seconds > 0


def test_evaluation_agrees_with_itself_and_with_the_network(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    training = Training(tiny_config(network=DROPOUT, epochs=1), digits, CPU)
    (result,) = training.epochs()
    on_val = training.evaluate(digits.val)
    confusion = torch.tensor(on_val.confusion)
    labels = digits.val.labels_N
    assert confusion.sum(1).tolist() == torch.bincount(labels, minlength=10).tolist()
    assert on_val.acc == int(confusion.diag().sum()) / len(digits.val)
    recall = confusion.diag() / confusion.sum(1)
    assert on_val.per_class == pytest.approx(recall.tolist())
    assert on_val.classes_predicted == int((confusion.sum(0) > 0).sum())
    assert (result.val_loss, result.val_acc, result.per_class) == (
        on_val.loss,
        on_val.acc,
        on_val.per_class,
    )

    mean, std = torch.tensor(digits.mean), torch.tensor(digits.std)
    images = (digits.val.images_NCHW / 255 - mean[:, None, None]) / std[:, None, None]
    with torch.no_grad():
        logits = training.network.eval()(images)
    assert on_val.loss == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)
    predicted = torch.bincount(logits.argmax(1), minlength=10)
    assert confusion.sum(0).tolist() == predicted.tolist()


def test_class_without_images_has_recall_zero(tiny_config: ConfigMaker, digits: ImageData) -> None:
    training = Training(tiny_config(), digits, CPU)
    zeros = digits.val.labels_N == 0
    part = Part(digits.val.images_NCHW[zeros], digits.val.labels_N[zeros])
    on_part = training.evaluate(part)
    assert on_part.per_class[1:] == (0.0,) * 9
    assert on_part.per_class[0] == on_part.acc


def test_batch_size_of_evaluation_changes_nothing(
    tiny_config: ConfigMaker, digits: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training(tiny_config(), digits, CPU)
    whole = training.evaluate(digits.val)
    monkeypatch.setattr(training_module, "EVALUATION_PIXELS", 7 * 8 * 8)
    in_sevens = training.evaluate(digits.val)
    assert in_sevens.confusion == whole.confusion
    assert in_sevens.loss == pytest.approx(whole.loss, rel=1e-6)


def test_evaluation_leaves_the_network_as_it_was(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    training = Training(tiny_config(network=DROPOUT), digits, CPU)
    before = {name: tensor.clone() for name, tensor in training.network.state_dict().items()}
    assert training.evaluate(digits.val) == training.evaluate(digits.val)
    after = training.network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_evaluation_before_an_epoch_changes_nothing_in_it(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    config = tiny_config(network=DROPOUT)
    training = Training(config, digits, CPU)
    training.evaluate(digits.val)
    results = [result.model_dump(exclude={"seconds"}) for result in training.epochs()]
    assert results == curve(config, digits)


def test_epoch_result_survives_json(tiny_config: ConfigMaker, digits: ImageData) -> None:
    for result in Training(tiny_config(), digits, CPU).epochs():
        assert EpochResult.model_validate_json(result.model_dump_json()) == result


def test_epoch_result_with_nan_and_infinity_survives_json() -> None:
    result = EpochResult(
        epoch=1,
        train_loss=math.nan,
        train_acc=0.1,
        val_loss=math.inf,
        val_acc=1 / 3,
        per_class=(0.0, 1.0),
        lr=1e-05,
        seconds=0.5,
        health="diverged",
    )
    back = EpochResult.model_validate_json(result.model_dump_json())
    assert math.isnan(back.train_loss)
    assert back.val_loss == math.inf
    rest = {"train_loss"}
    assert back.model_dump(exclude=rest) == result.model_dump(exclude=rest)


# Stopping ----------------------------------------------------------------------------------------


def test_generator_can_be_closed_midway(tiny_config: ConfigMaker, digits: ImageData) -> None:
    config = tiny_config(epochs=5)
    training = Training(config, digits, CPU)
    epochs = training.epochs()
    first = next(epochs)
    kept = weights(training)
    assert isinstance(epochs, Generator)
    epochs.close()
    assert next(epochs, None) is None
    assert torch.equal(weights(training), kept)
    assert training.evaluate(digits.val).loss == first.val_loss


def test_number_of_epochs_is_the_configured_one(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    assert [result["epoch"] for result in curve(tiny_config(epochs=4), digits)] == [1, 2, 3, 4]


def test_huge_learning_rate_diverges_and_ends(tiny_config: ConfigMaker, digits: ImageData) -> None:
    config = tiny_config(
        network=VGGConfig(stages=(VGGStage(width=8, kernels=("3x3",)),), hidden=(8,), dropout=(0,)),
        optimizer=SGDConfig(lr=1e20),
        epochs=5,
    )
    results = list(Training(config, digits, CPU).epochs())
    assert len(results) < 5
    assert results[-1].health == "diverged"
    assert not (math.isfinite(results[-1].train_loss) and math.isfinite(results[-1].val_loss))
    assert all(result.health != "diverged" for result in results[:-1])


def test_deep_network_of_small_weights_predicts_one_class(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    stage = VGGStage(width=4, kernels=("3x3",) * 4)
    config = tiny_config(
        network=VGGConfig(stages=(stage, stage)), init="normal0.01", optimizer=SGDConfig(lr=1e-3)
    )
    results = list(Training(config, digits, CPU).epochs())
    assert [result.health for result in results] == ["one class", "one class"]
    assert sorted(results[-1].per_class) == [0.0] * 9 + [1.0]


def test_image_too_small_for_the_network_raises(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    stages = (VGGStage(width=4, kernels=("3x3",)),) * 4
    with pytest.raises(ValueError, match="at least 16 pixels, got 8"):
        Training(tiny_config(network=VGGConfig(stages=stages)), digits, CPU)


# Batches -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "batches"), [(32, 2), (33, 2), (34, 3), (1, 1), (15, 1)])
def test_last_batch_of_one_image_is_left_out(
    tiny_config: ConfigMaker, digits: ImageData, count: int, batches: int
) -> None:
    config = tiny_config(batch_size=16, epochs=1)
    data = first_images(digits, count)
    assert len(list(Training(config, data, CPU).steps(1))) == batches
    (result,) = Training(config, data, CPU).epochs()
    seen = count - 1 if count == 33 else count
    assert (result.train_acc * seen) % 1 == pytest.approx(0, abs=1e-9)


def test_every_image_is_seen_once_an_epoch(tiny_config: ConfigMaker, digits: ImageData) -> None:
    # Four batches of one size and weights that stay: the mean loss is that of the whole part.
    config = tiny_config(
        network=VGGConfig(stages=(VGGStage(width=8, kernels=("3x3",)),)),
        optimizer=SGDConfig(lr=1e-30),
        batch_size=23,
    )
    data = first_images(digits, 92)
    training = Training(config, data, CPU)
    losses = [float(step.loss) for step in training.steps(1)]
    assert sum(losses) / len(losses) == pytest.approx(training.evaluate(data.train).loss, rel=1e-5)


# Steps -------------------------------------------------------------------------------------------

PLAIN = SGDConfig(lr=1.0, momentum=0.0)


def clip_value(gradient: Tensor, bound: float) -> Tensor:
    return gradient.clamp(-bound, bound)


def clip_norm(gradient: Tensor, bound: float) -> Tensor:
    return gradient * min(1.0, bound / float(gradient.norm()))


@pytest.mark.parametrize(
    ("clip", "clipped"),
    [
        (ClipConfig(value=0.01), lambda g: clip_value(g, 0.01)),
        (ClipConfig(norm=0.1), lambda g: clip_norm(g, 0.1)),
        (ClipConfig(value=0.01, norm=0.05), lambda g: clip_norm(clip_value(g, 0.01), 0.05)),
        (ClipConfig(value=1e6, norm=1e6), lambda g: g),
    ],
    ids=["value", "norm", "value, then norm", "too wide to matter"],
)
def test_gradient_clipping_takes_effect(
    tiny_config: ConfigMaker,
    digits: ImageData,
    clip: ClipConfig,
    clipped: Callable[[Tensor], Tensor],
) -> None:
    free = first_step(tiny_config(optimizer=PLAIN), digits)
    assert free.norm() > 0.2
    assert free.abs().max() > 0.02
    step = first_step(tiny_config(optimizer=PLAIN, clip=clip), digits)
    # differences of weights near 1 carry their rounding, about 1e-7
    torch.testing.assert_close(step, clipped(free), rtol=1e-3, atol=1e-6)


def test_clipping_acts_on_each_of_the_two_ways_differently(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    free, by_value, by_norm = (
        first_step(tiny_config(optimizer=PLAIN, clip=clip), digits)
        for clip in (ClipConfig(), ClipConfig(value=0.01), ClipConfig(norm=0.1))
    )
    assert float(by_value.abs().max()) == pytest.approx(0.01, rel=1e-3)
    assert float(by_norm.norm()) == pytest.approx(0.1, rel=1e-3)
    assert float(F.cosine_similarity(by_norm, free, dim=0)) == pytest.approx(1, abs=1e-4)
    assert float(F.cosine_similarity(by_value, free, dim=0)) < 0.999


def test_label_smoothing_changes_the_training_loss_only(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    still = SGDConfig(lr=1e-30)
    network = VGGConfig(stages=(VGGStage(width=8, kernels=("3x3",)),))
    hard, soft = (
        curve(
            tiny_config(
                network=network,
                optimizer=still,
                epochs=1,
                regularisation=RegularisationConfig(label_smoothing=smoothing),
            ),
            digits,
        )[0]
        for smoothing in (0.0, 0.5)
    )
    assert soft["train_loss"] != hard["train_loss"]
    assert soft["val_loss"] == hard["val_loss"]


def test_dropout_acts_in_training_only(tiny_config: ConfigMaker, digits: ImageData) -> None:
    def losses(rate: float) -> dict[str, object]:
        network = VGGConfig(
            stages=(VGGStage(width=8, kernels=("3x3",)),), hidden=(16,), dropout=(rate,)
        )
        config = tiny_config(network=network, optimizer=SGDConfig(lr=1e-30), epochs=1)
        return curve(config, digits)[0]

    without, much = losses(0.0), losses(0.9)
    assert much["train_loss"] != without["train_loss"]
    assert much["val_loss"] == without["val_loss"]


def test_bf16_runs_on_the_cpu_with_fp32_weights(
    tiny_config: ConfigMaker, digits: ImageData
) -> None:
    training = Training(tiny_config(precision="bf16"), digits, CPU)
    half = [result.train_loss for result in training.epochs()]
    full = [result.train_loss for result in Training(tiny_config(), digits, CPU).epochs()]
    assert half == pytest.approx(full, rel=0.1)
    assert half != full
    assert {p.dtype for p in training.network.parameters()} == {torch.float32}


def test_weights_are_initialised_as_configured(tiny_config: ConfigMaker, digits: ImageData) -> None:
    training = Training(tiny_config(init="normal0.01", network=DROPOUT), digits, CPU)
    state = training.network.state_dict()
    assert float(state["classifier.0.weight"].std()) == pytest.approx(0.01, rel=0.1)
    assert state["classifier.0.bias"].count_nonzero() == 0
