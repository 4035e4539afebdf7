"""Labels that are classes, and labels of other tasks."""

from collections.abc import Sequence

import pytest

from paretrain.cli import UserError
from paretrain.data.labels import label_notes


def notes(labels: Sequence[object], paths: Sequence[str] = ()) -> list[str]:
    named = paths or [f"{i}.png" for i in range(len(labels))]
    return label_notes(list(zip(named, map(str, labels), strict=True)), "all.csv column 'label'")


@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dog", "cat"],
        ["a", "b"],  # too few, which is told elsewhere
        [*range(100)] * 5,
        [*range(1, 101)] * 2,
        [0.5, 1.0, 1.5] * 3,
        ["001", "NA", "nan", "inf"] * 2,
        ["tench, Tinca tinca", "goldfish, Carassius auratus"] * 3,
        ["shirt, red", "shirt, blue", "shoe, red", "shoe, blue"] * 2,
        ["cat|old", "dog"] * 2,
    ],
    ids=str,
)
def test_classes_are_taken(labels: Sequence[object]) -> None:
    assert notes(labels) == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([i / 7 for i in range(50)], r"50 different numbers \(0 to 7\) in 50 rows, .*regression"),
        ([3.5 + i % 11 for i in range(200)], "11 different numbers"),
        ([7 * i for i in range(60)], r"60 different numbers \(0 to 413\) in 60 rows"),
        (["cat|dog", "cat", "dog", "cat"], r"'cat\|dog', which look like .*multi-label"),
        (["a;b", "a;c", "b;c", "a", "b", "c", "a"], "several labels of one image"),
        (["haze, clear", "clear", "haze", "clear"], "several labels of one image"),
        (["['cat']", "['cat', 'dog']", "['dog']"], "several labels of one image"),
        ([f"mask/{i}.png" for i in range(9)], r"another label in every row \(9 rows, such as 'mas"),
    ],
)
def test_labels_of_other_tasks_are_refused(labels: Sequence[object], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        notes(labels)
    assert "\n" not in str(refused.value) and "gives an image one class" in str(refused.value)


def test_whole_numbers_that_are_no_count_of_classes_are_told() -> None:
    (said,) = notes([18 + i % 60 for i in range(600)])
    assert said.endswith(
        "60 different numbers (18 to 77): they are taken for classes, without an order"
    )


def test_an_image_in_rows_of_several_labels_is_told_and_many_are_refused() -> None:
    paths = [f"{i}.png" for i in range(20)]
    (said,) = notes(["cat", "dog"] * 10 + ["dog"], [*paths, "0.png"])
    assert said == "1 image has several labels in rows of their own, such as 0.png: cat, dog"
    with pytest.raises(UserError, match=r"5 of 20 images have several labels.*detection"):
        notes(["cat", "dog"] * 10 + ["bird"] * 5, [*paths, *paths[:5]])
