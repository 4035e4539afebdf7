"""The edge of every command: one line and exit code 2 for what the user can mend, no traceback."""

import difflib
import sys
from collections.abc import Iterable

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


def run_command(app: typer.Typer, name: str) -> None:
    """Run a typer app; a `UserError` or a wrong option becomes `error: ...` and exit code 2."""
    try:
        code = app(standalone_mode=False, prog_name=name)
    except TyperException as error:
        said = error.format_message().rstrip(".")
        _fail(f"{said}{_seen(error.__cause__)}. See: {name} --help")
    except UserError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _seen(cause: BaseException | None) -> str:
    """The value that an option was given, which typer leaves out."""
    if not isinstance(cause, ValidationError):
        return ""
    return f", got {cause.errors(include_url=False)[0]['input']!r}"


def _fail(message: str) -> None:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)
