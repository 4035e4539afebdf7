"""The edge of every command: one line and exit code 2 for what the user can mend, no traceback."""

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
    """Something the user can mend. The message is one line: what is wrong, what was seen,
    what is allowed, what to do next."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as " (did you mean 'vgg_reduce'?)", or nothing when no known word is close.
    Small and capital letters count as the same."""
    by_small_letters = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_small_letters, n=1, cutoff=0.5)
    return f" (did you mean '{by_small_letters[close[0]]}'?)" if close else ""


NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What a full disk, a quota and a limit on file sizes raise."""


def run_command(app: typer.Typer, name: str) -> None:
    """Run a typer app; a `UserError`, a wrong option or a full disk becomes `error: ...` and exit
    code 2."""
    try:
        code = app(standalone_mode=False, prog_name=name)
    except TyperException as error:
        said = error.format_message().rstrip(".").replace("Value error, ", "")
        _fail(f"{said}{_seen(error)}. See: {name} --help")
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
    """SIGTERM ends a run as Ctrl-C does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _seen(error: TyperException) -> str:
    """The value that an option was given, which typer leaves out, or the choice nearest to it."""
    if not isinstance(error.__cause__, ValidationError):
        return ""
    value = error.__cause__.errors(include_url=False)[0]["input"]
    _, listed, choices = error.format_message().partition("is not one of")
    return nearest(str(value), re.findall("'(.*?)'", choices)) if listed else f", got {value!r}"


def _fail(message: str) -> None:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
