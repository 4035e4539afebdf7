"""Files that appear when they are whole, and not before."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_or_not(path: Path) -> Iterator[Path]:
    """A hidden file beside `path`, which takes its place when the block ends without an error. An
    earlier file stays until then. Raises OSError when it cannot take that place."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Text in UTF-8, whole or not at all. Raises OSError."""
    with whole_or_not(path) as partial:
        partial.write_text(text, encoding="utf-8")
