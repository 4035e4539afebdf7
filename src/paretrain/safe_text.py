"""Makes text from outside, such as names of files and classes, safe to print and to store."""

import re

_ACTING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters, ESC among them, but tab and newline
    "\u202a-\u202e\u2066-\u2069"  # turn the direction of all that follows
)
_UNSAFE = re.compile(
    f"[{_ACTING}"
    "\u061c\u200e\u200f"  # marks of a direction
    "\u2028\u2029\ufeff]"  # line ends, and a space that nobody sees
)
_UNFIT = re.compile(f"[{_ACTING}\ud800-\udfff]")  # halves of characters too
_UNFIT_IN_LINE = re.compile(f"[\t\n\u2028\u2029]|{_UNFIT.pattern}")
_UNSAFE_IN_LINE = re.compile(f"[\t\n]|{_UNSAFE.pattern}")


def escaped(text: str) -> str:
    r"""Return text without characters that act on a terminal; they are written as `\x1b`.

    Newlines and tabs stay.
    """
    return _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Return text likewise, but with newlines and tabs written as `\n` and `\t` too."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def visible(text: str) -> str:
    r"""Return text as a study may hold it: without what acts, and without halves of characters.

    Newlines and tabs stay, and so do marks of a direction, which belong to names in some scripts.
    """
    return _UNFIT.sub(_escape, text)


def visible_in_line(text: str) -> str:
    r"""Return text likewise, but with newlines and tabs written as `\n` and `\t` too."""
    return _UNFIT_IN_LINE.sub(_escape, text)


def as_text(name: str) -> str:
    r"""Return a file's name as text that can be stored: a byte that is no UTF-8 becomes `\udce9`.

    Python keeps such a byte as a surrogate, which neither files, databases nor terminals take.
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
