"""Names of the parts of a data set, as people write them: `train`, `Validation_Set`."""

import re
from typing import Literal

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

USUAL: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "val": ("val", "valid", "validation"),
    "test": ("test",),
}
"""Names that come first, in this order, where several could be the same part."""

_PLAIN: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_RARE: dict[str, Split] = {
    "dev": "val",
    "development": "val",
    "eval": "val",
    "evaluation": "val",
    "holdout": "test",
    "heldout": "test",
}
"""Words that mean a part beside a training part, and may as well be the name of a class."""

_ADDED = r"(set|data|dataset|images|imgs|part|split|\d*)"
_NAME = re.compile(f"({'|'.join([*_PLAIN, *_RARE])}){_ADDED}")


def part_of(name: str) -> Split | None:
    """Return the part that a folder's name or a value means; None where it means none.

    Capital letters, spaces, dots, dashes and underscores do not count, nor does a word such as
    `set` or `images` at the end.
    """
    word = _word(name)
    return None if word is None else (_PLAIN | _RARE)[word]


def is_plain(name: str) -> bool:
    """Whether a name means a part wherever it stands: `Train` does, `dev` may be a class."""
    return _word(name) in _PLAIN


def _word(name: str) -> str | None:
    letters = re.sub(r"[\s._-]", "", name.casefold())
    found = _NAME.fullmatch(letters)
    return None if found is None else found[1]
