"""How every command ends: a mistake that the user can correct becomes one line and exit code 2."""

import contextlib
import difflib
import errno
import re
import signal
import sys
from collections.abc import Iterable, Iterator

import typer
from pydantic import ValidationError
from typer.exceptions import TyperException


class UserError(ValueError):
    """A mistake that the user can correct.

    The message is one line: what is wrong, what was given, what is allowed, what to do next.
    """


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint such as " (did you mean 'vgg_reduce'?)", or "" when no known word is close.

    Small and capital letters count as the same.
    """
    by_small_letters = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_small_letters, n=1, cutoff=0.5)
    return f" (did you mean '{by_small_letters[close[0]]}'?)" if close else ""


NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Error numbers of a full disk, a quota and a limit on file sizes."""


def help_text(docstring: str | None) -> str:
    """Return a module's docstring as the help of its command.

    A paragraph of commands, which are examples to copy, keeps its lines. All other paragraphs are
    wrapped to the width of the terminal.
    """
    paragraphs = re.split(r"\n\s*\n", (docstring or "").strip())
    return "\n\n".join(_unwrapped(part) if _is_example(part) else part for part in paragraphs)


def _is_example(paragraph: str) -> bool:
    return all(line.strip().startswith("python -m ") for line in paragraph.splitlines())


def _unwrapped(paragraph: str) -> str:
    """Put the mark that typer knows before a paragraph that it is to leave alone."""
    return "\b\n" + "\n".join(f"  {line.strip()}" for line in paragraph.splitlines())


def run_command(app: typer.Typer, name: str) -> None:
    """Run a typer app under this name and exit with its code.

    A `UserError`, a wrong option or a full disk becomes one line `error: ...` and exit code 2.
    Ctrl-C becomes exit code 130.
    """
    try:
        code = app(standalone_mode=False, prog_name=name)
    except TyperException as error:
        message = error.format_message().rstrip(".").replace("Value error, ", "")
        _fail(f"{message}{_given_value(error)}. See: {name} --help")
    except UserError as error:
        _fail(str(error))
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        where = error.filename or "a file"
        _fail(f"cannot write {where}: {error.strerror}: free space, then run the command again")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does: with KeyboardInterrupt."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _given_value(error: TyperException) -> str:
    """Return the value of a wrong option, which typer leaves out, or the nearest choice."""
    if not isinstance(error.__cause__, ValidationError):
        return ""
    value = error.__cause__.errors(include_url=False)[0]["input"]
    _, listed, choices = error.format_message().partition("is not one of")
    return nearest(str(value), re.findall("'(.*?)'", choices)) if listed else f", got {value!r}"


def _fail(message: str) -> None:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
