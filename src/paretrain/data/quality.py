"""Warnings about the images, given before a long run, one sentence each."""

from collections import Counter

from paretrain.data.parts import Part

UNEVEN = 10
"""Classes are called uneven where the largest has at least so many times the smallest's images."""
FEW = 5
"""A class with fewer training images than this is warned of: it will hardly be learned."""
NAMED = 3
"""Most examples that a sentence names."""


def quality_warnings(classes: tuple[str, ...], train: Part, val: Part) -> tuple[str, ...]:
    """Return all warnings about training and validation images."""
    warnings = [
        *train.notes,
        *(note for note in val.notes if note not in train.notes),  # of one part that was split
        *identical_images("training", train, "validation", val),
        *_uneven_classes(classes, train),
        *_small_classes(classes, train),
        *skipped_images("training", train),
        *skipped_images("validation", val),
    ]
    return tuple(warnings)


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
