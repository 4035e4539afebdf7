"""Whether labels are classes: what looks like another task is refused, what may be one is told."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from paretrain.cli import UserError

MANY = 20
"""More different numbers than these are looked at: fewer are usual as names of classes."""
NOT_ONE_CLASS = "paretrain gives an image one class of several"


def label_notes(rows: Sequence[tuple[str, str]], where: str) -> list[str]:
    """Look at the path and the label of each training row; `where` names the column.

    Raises UserError for labels of another task: numbers to be estimated (regression), several
    labels of an image (multi-label), boxes (detection), masks (segmentation). Returns what should
    be told.
    """
    counts = Counter(label for _, label in rows)
    _refuse_several(counts, where)
    notes = _numbers(counts, where)
    _refuse_single(counts, where)
    return notes + _contradictions(rows, where)


def _numbers(counts: Counter[str], where: str) -> list[str]:
    """Refuse numbers that are a quantity; tell of those that may be one."""
    values = [_number(label) for label in counts]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values) or len(numbers) <= MANY // 2:
        return []
    low, high = min(numbers), max(numbers)
    what = f"{where} has {len(numbers):,} different numbers ({low:g} to {high:g})"
    whole = all(value.is_integer() for value in numbers)
    single = sum(count == 1 for count in counts.values())
    if not whole or (len(numbers) > MANY and single > len(numbers) / 2):
        raise UserError(
            f"{what} in {sum(counts.values()):,} rows, which looks like a quantity to estimate "
            f"(regression): {NOT_ONE_CLASS}: write ranges as labels, such as '10-20'"
        )
    if len(numbers) > MANY and (low not in (0, 1) or high - low + 1 != len(numbers)):
        return [f"{what}: they are taken for classes, without an order"]
    return []


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None  # nor nan, which may be the name of a class


def _refuse_several(counts: Counter[str], where: str) -> None:
    lists = [label for label in counts if label.startswith("[") and label.endswith("]")]
    if len(lists) > len(counts) / 2:
        _refuse_multi_label(lists[0], where)
    for separator in "|;,":
        joined = [label for label in counts if separator in label]
        words = {word.strip() for label in counts for word in label.split(separator)}
        # Each name is in several labels, so that there are fewer names than labels.
        if joined and len(words) < len(counts):
            _refuse_multi_label(joined[0], where)


def _refuse_multi_label(example: str, where: str) -> None:
    raise UserError(
        f"{where} has labels such as '{example[:80]}', which look like several labels of one image "
        f"(multi-label): {NOT_ONE_CLASS}: keep one label a row, or join with another character, "
        "such as +, if the whole is a class"
    )


def _refuse_single(counts: Counter[str], where: str) -> None:
    if max(counts.values()) == 1 and len(counts) > 2:
        first = next(iter(counts))
        raise UserError(
            f"{where} has another label in every row ({len(counts):,} rows, such as "
            f"'{first[:80]}'): classes need two images or more; names of masks, captions and "
            f"numbers are no classes: {NOT_ONE_CLASS}"
        )


def _contradictions(rows: Iterable[tuple[str, str]], where: str) -> list[str]:
    labels: dict[str, set[str]] = defaultdict(set)
    for path, label in rows:
        labels[path].add(label)
    several = [path for path, each in labels.items() if len(each) > 1]
    if not several:
        return []
    example = f"such as {several[0][:120]}: {', '.join(sorted(labels[several[0]])[:3])}"
    if len(several) > len(labels) / 10:
        raise UserError(
            f"{where}: {len(several):,} of {len(labels):,} images have several labels in rows of "
            f"their own ({example}), as boxes (detection) or several labels (multi-label) have: "
            f"{NOT_ONE_CLASS}: keep one row an image"
        )
    count = f"{len(several):,} image{'s have' if len(several) > 1 else ' has'}"
    return [f"{count} several labels in rows of their own, {example[:200]}"]
