"""What is advised where nothing was learned: what fits the study, and nothing else."""

from typing import Any

import pytest
from optuna.trial import FrozenTrial, create_trial

from paretrain.config import DataConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from search.reporting.nothing_learned import nothing_learned_from

IMAGES = {
    "classes": 10,
    "training": {"images": 5000, "most": 500, "most_of": "a", "fewest": 500},
    "validation": {"images": 1000, "most": 100, "most_of": "a", "fewest": 100},
}


def guessing(
    *losses: float, epochs: int = 30, acc: float = 0.1, health: str = "ok", **data: Any
) -> FrozenTrial:
    """A trial that finished with these training losses."""
    config = TrainConfig(
        data=DataConfig(**({"image_size": 64} | data)),
        network=VGGConfig(stages=(VGGStage(width=4, kernels=("3x3",)),), norm="batch"),
        optimizer=SGDConfig(lr=0.1),
        epochs=epochs,
        init="kaiming_uniform",
    )
    curve = {"train_loss": losses, "val_acc": [acc] * len(losses), "health": [health] * len(losses)}
    attrs = {"config": config.to_dict(), "num_params": 500, "curve": curve}
    return create_trial(values=[acc, 500.0], user_attrs=attrs)


FLAT = (2.3,) * 30


def advice(*trials: FrozenTrial, **images: Any) -> str:
    """All of it, a line each."""
    nothing = nothing_learned_from({"images": IMAGES | images}, trials)
    assert nothing is not None
    return "\n".join(nothing.advice)


def test_flat_losses_after_many_epochs_call_for_no_more_epochs() -> None:
    assert advice(guessing(*FLAT)).startswith("more trials (--trials)")


def test_losses_that_still_fall_call_for_more_epochs() -> None:
    falling = [2.3 - 0.02 * epoch for epoch in range(30)]
    said = advice(guessing(*falling), guessing(*FLAT))
    assert "(--epochs 90): the loss of 1 of 2 was still falling at its end" in said


def test_few_epochs_are_named() -> None:
    assert "(--epochs 10): these had 2 epochs" in advice(guessing(2.3, 2.3, epochs=2))


def test_few_images_are_counted_and_the_option_that_left_others_out_is_named() -> None:
    few = {"images": 400, "most": 40, "most_of": "a", "fewest": 40}
    said = advice(guessing(*FLAT, per_class=40), training=few)
    assert "400 training images of 10 classes are few (--per-class 40 left out others)" in said
    assert "--space finetune" in advice(guessing(*FLAT), training=few)


def test_small_photographs_call_for_larger_ones_but_not_a_set_that_is_small_itself() -> None:
    assert "--image-size 64): they are 32x32" in advice(
        guessing(*FLAT, image_size=32, source="photos")
    )
    assert "--image-size" not in advice(guessing(*FLAT, image_size=28, source="MNIST"))


@pytest.mark.parametrize(
    ("native", "said"),
    [(None, "--image-size 64"), (500, "--image-size 64"), (48, "--image-size 48")],
)
def test_images_are_to_grow_to_their_own_size_at_most(native: int | None, said: str) -> None:
    small = guessing(*FLAT, image_size=32, source="photos")
    assert said in advice(small, native_side=native)


def test_images_that_have_their_own_size_are_not_to_be_larger() -> None:
    small = guessing(*FLAT, image_size=32, source="photos")
    assert "--image-size" not in advice(small, native_side=32)
    assert "--image-size" not in advice(small, native_side=20)


def test_uneven_classes_call_for_even_ones() -> None:
    validation = {"images": 1000, "most": 600, "most_of": "a", "fewest": 10}
    training = {"images": 5000, "most": 3000, "most_of": "a", "fewest": 120}
    many = guessing(*FLAT, acc=0.6)
    said = advice(many, validation=validation, training=training)
    assert "(--per-class 120): 'a' has 3,000 of 5,000" in said
    assert "a more even validation part: 'a' has 60% of it" in advice(many, validation=validation)


def test_one_class_to_the_end_is_not_met_with_what_the_networks_have() -> None:
    said = advice(guessing(*FLAT, health="one class"))
    assert "1 trial predicted one class to the end (learning rates 0.1: try ten times" in said
    assert "BatchNorm" not in said


def test_one_network_above_chance_is_enough_and_none_finished_is_another_matter() -> None:
    found = guessing(*FLAT, acc=0.2)
    assert nothing_learned_from({"images": IMAGES}, [guessing(*FLAT), found]) is None
    assert nothing_learned_from({"images": IMAGES}, []) is None
