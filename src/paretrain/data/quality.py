"""What a person should know about the images before a long run: one sentence each."""

from collections import Counter

from paretrain.data.parts import Part

UNEVEN = 10
"""Largest class over smallest class from which the difference is told."""
FEW = 5
"""Fewer training images than this teach a class little."""
NAMED = 3
"""So many examples stand for the rest."""


def quality_warnings(classes: tuple[str, ...], train: Part, val: Part) -> tuple[str, ...]:
    """Everything worth saying about training and validation images."""
    found = [
        *identical_images("training", train, "validation", val),
        *_uneven_classes(classes, train),
        *_small_classes(classes, train),
        *skipped_images("training", train),
        *skipped_images("validation", val),
    ]
    return tuple(found)


def identical_images(first: str, one: Part, second: str, other: Part) -> list[str]:
    """Says how many images of the other part are in the first one too, byte for byte."""
    known = dict(zip(reversed(one.contents), reversed(one.names), strict=True))
    pairs = [
        (known[content], name)
        for content, name in zip(other.contents, other.names, strict=True)
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
    """Says how many broken images were left out, and the first of them."""
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
