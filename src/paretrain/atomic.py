"""Files that appear only when they are whole."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_or_not(path: Path) -> Iterator[Path]:
    """Give the block a hidden file to write; move it to `path` when the block ends without error.

    An earlier file stays until then. The hidden file is always the same one, so only one process
    may write a path at a time. Raises OSError when the file cannot be moved.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all. Raises OSError."""
    with whole_or_not(path) as partial:
        partial.write_text(text, encoding="utf-8")
