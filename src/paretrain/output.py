"""What commands write to: no name from outside acts on the terminal or fails to be written."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

from paretrain.safe_text import escaped


class _Escaping:
    """A text stream that writes control characters as `\\x1b`. All but `write` is the stream's."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        # Progress bars of libraries begin with a return to the start of the line. There it does no
        # harm: what was printed before ended with a newline.
        start = "\r" if text.startswith("\r") else ""
        self.stream.write(start + escaped(text[len(start) :]))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # typer would write to it, past this class, on Windows and in ASCII
            raise AttributeError(name)
        return getattr(self.stream, name)


@contextlib.contextmanager
def safe_output() -> Iterator[None]:
    """Let whatever is printed in the block be safe.

    Control characters are written as `\\x1b`. So are characters that the stream cannot encode, such
    as those beyond ASCII or cp1252, and bytes of file names that are no UTF-8.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    out, err = ((s if s is None or isinstance(s, _Escaping) else _Escaping(s)) for s in before)
    sys.stdout, sys.stderr = cast(TextIO, out), cast(TextIO, err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def inner(stream: TextIO) -> TextIO:
    """Return the stream that `safe_output` has wrapped; only for what escapes names itself."""
    return stream.stream if isinstance(stream, _Escaping) else stream
