"""How every command ends: a mistake that the user can correct becomes one line and exit code 2."""

import atexit
import contextlib
import difflib
import errno
import gc
import glob
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, TextIO, cast

import typer
from pydantic import ValidationError
from typer.exceptions import TyperException

from paretrain.not_done import not_done
from paretrain.output import safe_output
from paretrain.safe_text import as_text, one_line


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


_SECRETS: set[str] = set()
SHORT = 6
"""Characters. A secret of fewer is hidden only where it stands as a word of its own: hidden inside
of other words, it could be told from what is missing there."""


def hide(*secrets: str) -> None:
    """Keep these texts out of all that this process says from now on when something goes wrong."""
    _SECRETS.update(filter(None, secrets))


def hidden(text: str) -> str:
    """Return the text with stars in the place of every secret."""
    for secret in sorted(_SECRETS, key=len, reverse=True):
        whole = re.escape(secret)
        text = re.sub(rf"(?<!\w){whole}(?!\w)" if len(secret) < SHORT else whole, "***", text)
    return text


class _Hiding:
    """Standard error without secrets: for warnings, logs and tracebacks of whatever library."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text without secrets. Returns the length of what was given."""
        self._stream.write(hidden(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write lines without secrets."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


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


INTERRUPTED = 130
"""Exit code after Ctrl-C, or when nobody reads the output any more."""


def run_command(app: typer.Typer, name: str) -> None:
    """Run a typer app under this name and exit with its code.

    A `UserError`, a wrong option or a full disk becomes one line `error: ...` and exit code 2.
    Ctrl-C becomes exit code 130, and so does a reader of the output that has gone, such as `head`.
    What must not be seen (`hide`) is seen neither in an error nor in a traceback.
    """
    atexit.register(gc.freeze)  # else Python ends with a look for cycles in all that has been read
    with contextlib.ExitStack() as stack:
        if sys.stderr is not None:
            stack.enter_context(contextlib.redirect_stderr(cast(TextIO, _Hiding(sys.stderr))))
        stack.enter_context(safe_output())
        code = _code_of(app, name)
    _let_go_of_broken_pipes()
    sys.exit(code)


def call(app: typer.Typer, name: str, arguments: Sequence[str]) -> int:
    """Run a typer app from Python as if these arguments had been typed; return its exit code.

    Raises UserError for a wrong option, whatever the app raises, and KeyboardInterrupt for Ctrl-C.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(safe_output())
        return _invoke(app, name, arguments)


def _invoke(app: typer.Typer, name: str, arguments: Sequence[str]) -> int:
    """Raises UserError for a wrong option too."""
    try:
        # Not `app()`, which would keep a broken pipe and Ctrl-C from being told apart.
        command = typer.main.get_command(app)
        named = ["-h", "--help"]
        with command.make_context(name, list(arguments), help_option_names=named) as context:
            code = command.invoke(context)
    except typer.Exit as ended:  # as after --help
        return ended.exit_code
    except TyperException as error:
        if (refused := _refused_value(error)) is not None:
            raise UserError(str(refused)) from None
        option = str(getattr(error, "option_name", ""))
        if answer := not_done(option):
            raise UserError(f"no option {option}: {answer}") from None
        message = error.format_message().rstrip(".").replace("Value error, ", "")
        said = f"{message}{_given_value(error)}"
        end = "" if said.endswith("?") else "."
        raise UserError(f"{said}{end} See: {name} --help") from None
    return code if isinstance(code, int) else 0


def _code_of(app: typer.Typer, name: str) -> int:
    try:
        code = _invoke(app, name, _arguments())
        if sys.stdout is not None:
            sys.stdout.flush()
    except UserError as error:
        return _fail(str(error))
    except BrokenPipeError:
        return INTERRUPTED
    except (KeyboardInterrupt, EOFError, typer.Abort):  # the last two: a question without answer
        _say("interrupted")
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            where = error.filename or "a file"
            return _fail(
                f"cannot write {where}: {error.strerror}: free space, then run the command again"
            )
        if not _SECRETS:
            raise
        _say(traceback.format_exc())
        return 1
    return code


def _arguments() -> list[str]:
    """Return what was typed. The shells of Windows leave it to a program to find `*.jpg`."""
    if os.name != "nt":
        return sys.argv[1:]
    found = ((word, glob.glob(word.replace("[", "[[]"))) for word in sys.argv[1:])  # noqa: PTH207
    return [name for word, names in found for name in sorted(names) or [word]]


def _let_go_of_broken_pipes() -> None:
    """Let nothing that is left for a reader who has gone be written when the process ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _given_value(error: TyperException) -> str:
    """Return the value of a wrong option, which typer leaves out, or the nearest choice."""
    if not isinstance(error.__cause__, ValidationError):
        return ""
    value = error.__cause__.errors(include_url=False)[0]["input"]
    _, listed, choices = error.format_message().partition("is not one of")
    return nearest(str(value), re.findall("'(.*?)'", choices)) if listed else f", got {value!r}"


def _refused_value(error: TyperException) -> UserError | None:
    """Return what the function that reads an option's value has raised."""
    if not isinstance(error.__cause__, ValidationError):
        return None
    raised = error.__cause__.errors(include_url=False)[0].get("ctx", {}).get("error")
    return raised if isinstance(raised, UserError) else None


def _fail(message: str) -> int:
    _say("error: " + one_line(as_text(" ".join(message.split()))))
    return 2


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stderr)
