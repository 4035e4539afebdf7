"""A training on other images than its search had says so."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from paretrain.config import DataConfig, SearchedOn, TrainConfig
from paretrain.data.amount import with_all_images
from paretrain.data.parts import ImageData, Part
from paretrain.searched import other_images, same_images

MakeConfig = Callable[..., TrainConfig]
FINGERPRINT = "0123456789abcdef"
OTHER = "fedcba9876543210"
PETS = SearchedOn(source="pets", fingerprint=FINGERPRINT, classes=2, names=("cat", "dog"))


def images(*classes: str, fingerprint: str = FINGERPRINT) -> ImageData:
    one = Part(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    return ImageData(classes, one, one, (0, 0, 0), (1, 1, 1), fingerprint)


@pytest.fixture
def config(tiny_config: MakeConfig) -> TrainConfig:
    """Searched on pets."""
    return tiny_config(data=DataConfig(source="/x/pets", image_size=8), searched_on=PETS)


def elsewhere(config: TrainConfig, source: str) -> TrainConfig:
    data = config.data.model_copy(update={"source": source})
    return config.model_copy(update={"data": data})


def test_the_same_images_in_another_place_are_the_same(config: TrainConfig) -> None:
    moved = elsewhere(config, "/y/animals")
    assert same_images(moved, images("cat", "dog")) is True
    assert other_images(moved, images("cat", "dog"), "/x/pets") == ""


def test_other_images_are_named_with_their_classes_and_the_new_size(config: TrainConfig) -> None:
    birds = elsewhere(config, "/secret/birds.csv")
    data = images("ara", "jay", "owl", "rook", fingerprint=OTHER)
    said = other_images(birds, data, "/x/pets")
    assert same_images(birds, data) is False
    assert said.startswith(
        "other images than in the search: it used pets (2 classes: cat, dog), this uses birds "
        "(4 classes: ara, jay, owl, ...); "
    )
    assert " parameters instead of " in said and "secret" not in said
    data = images("cat", "owl", fingerprint=OTHER)
    assert "(2 classes: cat, owl). The" in other_images(birds, data, "/x/pets")


def test_other_images_of_the_same_classes_are_named(config: TrainConfig) -> None:
    data = images("cat", "dog", fingerprint=OTHER)
    said = other_images(elsewhere(config, "/x/wild"), data, "/x/pets")
    assert "it used pets, this uses wild; same classes." in said
    said = other_images(config, data, "/x/pets")
    assert "pets has changed, or is split or scaled in another way; same classes." in said


def test_all_images_of_a_search_on_a_part_are_no_others(config: TrainConfig) -> None:
    part = config.model_copy(update={"data": config.data.model_copy(update={"per_class": 5})})
    data = images("cat", "dog", fingerprint=OTHER)
    assert same_images(part, data) is False
    every = with_all_images(part)
    assert same_images(every, data) is None and other_images(every, data, "/x/pets") == ""
    assert same_images(every, replace(data, classes=("cat", "owl"))) is False
    assert with_all_images(config) == config, "nothing to change"


def test_what_is_not_known_is_said_where_the_names_differ(config: TrainConfig) -> None:
    by_hand = config.model_copy(update={"searched_on": None})
    data = images("cat", "dog")
    assert other_images(by_hand, data, "pets") == ""
    said = other_images(elsewhere(by_hand, "/y/animals"), data, "pets")
    assert said == (
        "the configuration is for pets, this uses animals: whether the search had the same images "
        "is not known"
    )


def test_a_configuration_without_a_search_is_written_as_ever(config: TrainConfig) -> None:
    text = config.to_yaml()
    assert TrainConfig.from_yaml(text) == config and f"fingerprint: {FINGERPRINT}" in text
    by_hand = config.model_copy(update={"searched_on": None})
    assert "searched_on" not in by_hand.to_yaml()
