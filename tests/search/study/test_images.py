"""What a study stores of its images, and what older ones say of guessing."""

from typing import Any

from optuna.trial import create_trial

from paretrain.data.noise import noise
from paretrain.data.parts import ImageData, Part
from search.problem.chance import Chance
from search.study.images import chance_on, images_of, read_chance, read_images

CURVE = {"val_acc": [0.3, 0.25, 0.4], "health": ["one class", "one class", "ok"]}


def uneven() -> ImageData:
    """Eight validation images of one class and two of another, and an even training part."""
    even = noise(classes=2, side=8, images=10)
    labels = even.val.labels_N.clone()
    labels[:8], labels[8:] = 1, 0
    part = Part(even.val.images_NCHW, labels)
    return ImageData(("cat", "dog"), even.train, part, even.mean, even.std, "")


def trial(**attrs: Any) -> Any:
    """A finished one."""
    return create_trial(values=[0.4, 10.0], user_attrs=attrs)


def test_chance_is_the_share_of_the_most_frequent_class_of_the_validation_images() -> None:
    assert chance_on(uneven()) == Chance(0.8, 10, "dog")


def test_what_is_stored_gives_the_same_chance_back() -> None:
    stored = images_of(uneven())
    assert (stored.training.most, stored.training.fewest) == (5, 5)
    assert (stored.validation.most, stored.validation.fewest) == (8, 2)
    attrs = {"images": stored.model_dump()}
    assert read_images(attrs) == stored
    assert read_chance(attrs, []) == Chance(0.8, 10, "dog")


def test_an_older_study_has_the_shares_in_its_confusion_matrices() -> None:
    attrs = {"provenance": {"classes": ["cat", "dog"], "validation_images": 10}}
    trials = [trial(curve=CURVE), trial(confusion=[[2, 1], [3, 4]])]
    assert read_chance(attrs, trials) == Chance(0.7, 10, "dog")


def test_without_them_chance_is_at_least_what_one_class_gave() -> None:
    attrs = {"provenance": {"classes": list("abcde"), "validation_images": 90}}
    assert read_chance(attrs, [trial(curve=CURVE)]) == Chance(0.3, 90, exact=False)
    assert read_chance(attrs, []) == Chance(0.2, 90, exact=False)


def test_of_a_study_that_says_nothing_nothing_is_known() -> None:
    assert read_chance({}, []) == Chance(0.0, None, exact=False)


def test_damaged_numbers_are_not_used() -> None:
    stored = images_of(uneven()).model_dump()
    stored["validation"]["images"] = 0
    broken = trial(confusion=[["x", 1], [3, 4]], per_class=[0.5, 0.5])
    assert read_images({"images": stored}) is None
    assert read_chance({"images": stored}, [broken]) == Chance(0.5, None, exact=False)
