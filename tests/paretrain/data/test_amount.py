"""How many images a configuration uses, and the bound on validation images."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretrain.config import DataConfig, TrainConfig
from paretrain.data.amount import amount_used, leaves_out, with_all_images
from paretrain.data.load import load_data

Maker = Callable[..., Path]


def test_numbers_and_reasons_are_named(tiny_config: Callable[..., TrainConfig]) -> None:
    config = tiny_config(data=DataConfig(per_class=40, fraction=0.5), share=0.25)
    assert leaves_out(config) == "per_class 40, fraction 0.5, share 0.25"
    few = tiny_config(data=DataConfig(per_class=40))
    assert amount_used(few, 400, 48_000) == "400 of 48,000 training images (per_class 40)"
    assert amount_used(few, 400, None) == "400 training images (per_class 40)"
    assert amount_used(few, None, None) == "a part of the training images (per_class 40)"
    assert amount_used(few, 380, 380) == ""


def test_with_all_images_nothing_is_left_out(tiny_config: Callable[..., TrainConfig]) -> None:
    part = DataConfig(per_class=40, fraction=0.5, val_least=500)
    config = with_all_images(tiny_config(data=part, share=0.25))
    assert leaves_out(config) == "" and config == tiny_config(data=DataConfig())


def test_all_images_are_counted_before_some_are_chosen(image_folder: Maker) -> None:
    root = str(image_folder(train=6, val=4))
    data = load_data(DataConfig(source=root, image_size=8, per_class=2))
    assert (len(data.train), data.all_training) == (4, 12)
    assert (len(data.val), data.all_validation) == (8, 8)
    assert data.joined().all_training == 20


def test_a_broken_image_is_not_one_that_an_option_left_out(image_folder: Maker) -> None:
    root = image_folder(train=6, val=4)
    (root / "train" / "cat" / "000.png").write_text("broken")
    data = load_data(DataConfig(source=str(root), image_size=8, per_class=20, skip_broken=True))
    assert (len(data.train), data.all_training) == (11, 11)


def test_validation_is_bounded_by_training_but_not_below_the_least(image_folder: Maker) -> None:
    root = str(image_folder(train=6, val=40))

    def validates(**fields: Any) -> int:
        return len(load_data(DataConfig(source=root, image_size=8, **fields)).val)

    assert validates(per_class=3, val_least=1) == 6
    assert validates(per_class=3, val_least=20) == 20
    assert validates(per_class=3, val_least=500) == 80
    assert validates(per_class=3) == 80, "as in configurations of earlier versions"
    assert validates(val_least=1) == 80, "all images train, so all validate"
    assert validates(per_class=3, val_least=20, fraction=0.1) == 8


def test_bounded_validation_keeps_the_proportion_of_classes_and_is_part_of_a_larger_one(
    image_folder: Maker,
) -> None:
    root = image_folder(train=6, val=40)
    for number in range(20):
        (root / "val" / "dog" / f"{number:03}.png").unlink()

    def chosen(least: int | None) -> tuple[Counter[int], set[str]]:
        config = DataConfig(source=str(root), image_size=8, per_class=1, val_least=least)
        val = load_data(config).val
        return Counter(val.labels_N.tolist()), set(val.names)

    (few, names), (more, larger) = chosen(15), chosen(30)
    assert few == {0: 10, 1: 5} and more == {0: 20, 1: 10}
    assert names < larger < chosen(None)[1]


def test_the_digits_have_few_enough() -> None:
    before = load_data(DataConfig(per_class=20, image_size=8, val_fraction=0.28))
    bounded = load_data(DataConfig(per_class=20, image_size=8, val_fraction=0.28, val_least=500))
    assert bounded.fingerprint == before.fingerprint and len(bounded.val) == 404


@pytest.mark.parametrize(("cats", "warned"), [(40, True), (4, False)])
def test_validation_that_is_uneven_where_training_is_not_is_warned_of(
    image_folder: Maker, cats: int, warned: bool
) -> None:
    root = image_folder(train=6, val=40)
    for place in ("cat", "dog"):
        files = sorted((root / "val" / place).iterdir())
        for path in files[cats if place == "cat" else 4 :]:
            path.unlink()
    (*_, said) = ("", *load_data(DataConfig(source=str(root), image_size=8)).warnings)
    expected = (
        "validation is uneven where training is not: 'cat' has 91% of the validation images, 50% "
        "of the training images: who always answers 'cat' has 90.9% validation accuracy"
    )
    assert (said == expected) is warned
