"""Choices of images: stratified, seeded, nested, and fair to small classes."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from paretrain.data.split import split_off, stratified_order, subset

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=60)
FRACTION = st.floats(min_value=0.001, max_value=0.999)
SEED = st.integers(-10, 10)
STABLE = settings(derandomize=True, max_examples=60, deadline=None)


def per_class(labels: list[int], indices: list[int]) -> Counter[int]:
    return Counter(labels[i] for i in indices)


@STABLE
@given(LABELS, FRACTION, SEED)
def test_split_is_disjoint_and_covers_all(labels: list[int], fraction: float, seed: int) -> None:
    rest, part = split_off(labels, fraction, seed)
    assert sorted(rest + part) == list(range(len(labels)))
    assert rest == sorted(rest)
    assert part == sorted(part)


@STABLE
@given(LABELS, FRACTION, SEED)
def test_split_takes_the_fraction_of_every_class(
    labels: list[int], fraction: float, seed: int
) -> None:
    rest, part = split_off(labels, fraction, seed)
    kept, taken = per_class(labels, rest), per_class(labels, part)
    for label, count in Counter(labels).items():
        assert kept[label] >= 1
        if count == 1:
            assert taken[label] == 0  # a class with one image stays in training
        else:
            assert 1 <= taken[label] <= count - 1
            wanted = min(max(count * fraction, 1), count - 1)
            assert abs(taken[label] - wanted) <= 0.5


@STABLE
@given(LABELS, FRACTION, SEED)
def test_split_of_a_class_does_not_depend_on_the_other_classes(
    labels: list[int], fraction: float, seed: int
) -> None:
    alone = [label for label in labels if label == labels[0]]
    positions = [i for i, label in enumerate(labels) if label == labels[0]]
    _, part = split_off(labels, fraction, seed)
    _, part_alone = split_off(alone, fraction, seed)
    assert [positions[i] for i in part_alone] == [i for i in part if labels[i] == labels[0]]


def test_split_follows_the_seed() -> None:
    labels = [0, 1] * 50
    assert split_off(labels, 0.3, seed=1) == split_off(labels, 0.3, seed=1)
    splits = {tuple(split_off(labels, 0.3, seed)[1]) for seed in range(10)}
    assert len(splits) == 10


def test_split_is_the_same_on_every_machine() -> None:
    # Written down once: a change here would silently move images between parts.
    assert split_off([0, 1] * 10, 0.3, seed=0)[1] == [0, 2, 3, 4, 7, 9]


def test_classes_are_shuffled_independently() -> None:
    order = stratified_order([0] * 30 + [1] * 30, seed=0)
    assert [index + 30 for index in order[0]] != order[1]


@STABLE
@given(LABELS, SEED, st.tuples(FRACTION, FRACTION))
def test_smaller_fraction_is_contained_in_larger(
    labels: list[int], seed: int, fractions: tuple[float, float]
) -> None:
    small, large = sorted(fractions)
    assert set(subset(labels, small, seed)) <= set(subset(labels, large, seed))


@STABLE
@given(LABELS, SEED, FRACTION)
def test_subset_takes_the_fraction_of_every_class_and_at_least_one(
    labels: list[int], seed: int, fraction: float
) -> None:
    chosen = subset(labels, fraction, seed)
    assert chosen == sorted(set(chosen))
    taken = per_class(labels, chosen)
    for label, count in Counter(labels).items():
        assert taken[label] >= 1
        assert abs(taken[label] - max(count * fraction, 1)) <= 0.5


@STABLE
@given(LABELS, SEED)
def test_whole_fraction_takes_all(labels: list[int], seed: int) -> None:
    assert subset(labels, 1.0, seed) == list(range(len(labels)))


@STABLE
@given(LABELS, SEED, FRACTION, st.integers(1, 8))
def test_per_class_caps_each_class_and_is_nested(
    labels: list[int], seed: int, fraction: float, most: int
) -> None:
    chosen = subset(labels, fraction, seed, most)
    free = per_class(labels, subset(labels, fraction, seed))
    taken = per_class(labels, chosen)
    assert taken == {label: min(count, most) for label, count in free.items()}
    assert set(chosen) <= set(subset(labels, fraction, seed, most + 1))
