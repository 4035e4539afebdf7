"""Warnings about the images, given before a long run, one sentence each."""

from collections import Counter

import torch

from paretrain.cli import UserError
from paretrain.data.parts import Part

UNEVEN = 10
"""Classes are called uneven where the largest has at least so many times the smallest's images."""
SHIFTED = 0.2
"""Share of the validation images that a class may have beyond its share of the training images."""
FEW = 5
"""A class with fewer training images than this is warned of: it will hardly be learned."""
DARK = 16
"""Images are called nearly black where no value of 0 to 255 is above this."""
NAMED = 3
"""Most examples that a sentence names."""


def quality_warnings(classes: tuple[str, ...], train: Part, val: Part) -> tuple[str, ...]:
    """Return all warnings about training and validation images."""
    warnings = [
        *train.notes,
        *(note for note in val.notes if note not in train.notes),  # of one part that was split
        *_images_of_one_colour(classes, train),
        *_nearly_black(train),
        *identical_images("training", train, "validation", val),
        *_uneven_classes(classes, train),
        *_uneven_validation(classes, train, val),
        *_small_classes(classes, train),
        *skipped_images("training", train),
        *skipped_images("validation", val),
    ]
    return tuple(warnings)


def refuse_too_dark(train: Part) -> None:
    """Raise UserError where all images have more than eight bits and are nearly black.

    They hold 12 bits in files of 16, for example: a few shades are left of them.
    """
    if len(train) == train.deep and (brightest := _brightest(train)) <= DARK:
        raise UserError(
            f"all {len(train):,} training images have more than 8 bits and are nearly black: the "
            f"brightest is {brightest} where 255 is white: multiply all values by the same number, "
            "so that they use all 16 bits (0 to 65535), or 0 to 1 in floating point"
        )


def identical_images(first: str, first_part: Part, second: str, second_part: Part) -> list[str]:
    """Say how many images of the second part are in the first one too, byte for byte."""
    known = dict(zip(reversed(first_part.contents), reversed(first_part.names), strict=True))
    pairs = [
        (known[content], name)
        for content, name in zip(second_part.contents, second_part.names, strict=True)
        if content in known
    ]
    if not pairs:
        return []
    count = f"{_images(len(pairs))} {'is' if len(pairs) == 1 else 'are'}"
    return [
        f"{count} in {first} and in {second} alike, such as {pairs[0][0]} = {pairs[0][1]}: "
        f"{second} accuracy is too high by what is learned by heart"
    ]


def skipped_images(name: str, part: Part) -> list[str]:
    """Say how many broken images were left out, and name the first of them."""
    if not part.broken:
        return []
    shown = ", ".join(part.broken[:NAMED]) + (", ..." if len(part.broken) > NAMED else "")
    broken = _images(len(part.broken), "broken ")
    return [f"{broken} of {len(part) + len(part.broken):,} skipped in {name}: {shown}"]


def _images_of_one_colour(classes: tuple[str, ...], train: Part) -> list[str]:
    """Name the classes in which every image has one colour only."""
    flat = []
    for label, name in enumerate(classes):
        rows = (train.labels_N == label).nonzero().flatten().tolist()
        images = (train.images_NCHW[row] for row in rows)
        if rows and all(bool((image == image[:, :1, :1]).all()) for image in images):
            flat.append(name)
    if not flat:
        return []
    shown = ", ".join(f"'{name}'" for name in flat[:NAMED]) + (", ..." if flat[NAMED:] else "")
    return [f"every training image of {shown} is of a single colour: look at these files"]


def _nearly_black(train: Part) -> list[str]:
    brightest = _brightest(train)
    if brightest > DARK:
        return []
    return [
        f"all training images are nearly black: the brightest value is {brightest}, white is 255"
    ]


def _brightest(part: Part) -> int:
    """Return the highest of all values, or one above DARK: most often the first image has it."""
    highest = 0
    for images in torch.split(part.images_NCHW, 256):
        highest = max(highest, int(images.max()))
        if highest > DARK:
            break
    return highest


def _uneven_classes(classes: tuple[str, ...], train: Part) -> list[str]:
    counts = Counter(train.labels_N.tolist())
    (largest, most), (smallest, fewest) = counts.most_common()[0], counts.most_common()[-1]
    if most < UNEVEN * fewest:
        return []
    return [
        f"classes are uneven: '{classes[largest]}' has {_images(most, 'training ')}, "
        f"'{classes[smallest]}' {fewest:,}: accuracy counts images, so it says little about "
        "small classes"
    ]


def _uneven_validation(classes: tuple[str, ...], train: Part, val: Part) -> list[str]:
    """Say so where one class has far more of the validation images than of the training images."""
    in_train, in_val = Counter(train.labels_N.tolist()), Counter(val.labels_N.tolist())
    label, most = in_val.most_common()[0]
    share, trained = most / len(val), in_train[label] / len(train)
    fewest = min(in_val.values())
    if share - trained < SHIFTED and (most < UNEVEN * fewest or share < 2 * trained):
        return []
    return [
        f"validation is uneven where training is not: '{classes[label]}' has {share:.0%} of the "
        f"validation images, {trained:.0%} of the training images: who always answers "
        f"'{classes[label]}' has {share:.1%} validation accuracy"
    ]


def _small_classes(classes: tuple[str, ...], train: Part) -> list[str]:
    counts = sorted(Counter(train.labels_N.tolist()).items(), key=lambda pair: pair[1])
    small = [f"'{classes[label]}' ({count})" for label, count in counts if count < FEW]
    if not small:
        return []
    shown = ", ".join(small[:NAMED]) + (", ..." if len(small) > NAMED else "")
    has = "1 class has" if len(small) == 1 else f"{len(small)} classes have"
    return [f"{has} fewer than {FEW} training images: {shown}"]


def _images(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}image{'' if count == 1 else 's'}"
