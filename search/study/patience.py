"""How long a database server that does not answer is asked again, and who is told."""

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from paretrain.cli import hidden
from paretrain.formatting import duration
from paretrain.interruption import raise_if_interrupted
from paretrain.safe_text import visible

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

TRY_EVERY_S = 1.0
"""A server that has not answered is asked again after this time."""


@dataclass(frozen=True)
class Patience:
    """Of whoever asks a server."""

    seconds: float = 0.0
    waits: Callable[[str], None] = lambda text: None
    """Is told, in a line, when waiting begins and ends."""
    meanwhile: str = "it"
    """What the line says before `is asked again`."""
    option: str = "--storage-wait"
    """What sets the seconds, in words for the user."""
    hurry: threading.Event = field(default_factory=threading.Event)
    """Ends the waiting."""


NONE = Patience()
_PATIENCE: ContextVar[Patience] = ContextVar("patience", default=NONE)


@contextlib.contextmanager
def patient(
    seconds: float,
    waits: Callable[[str], None] = NONE.waits,
    option: str = NONE.option,
) -> Iterator[None]:
    """Within the block, and in its thread, whatever is read or written through a storage is asked
    for again where the server does not answer, for so many seconds each time. `option`: see
    `Patience`."""
    before = _PATIENCE.set(Patience(seconds, waits, option=option))
    try:
        yield
    finally:
        _PATIENCE.reset(before)


def patiently(work: Callable[[bool], T], patience: Patience | None = None) -> T:
    """What `work` gives. It is done again and again where the server does not answer; it is told
    whether it was tried before: where an answer was lost, it may be stored already. `patience`: by
    default that of `patient`. Raises what the database raises."""
    patience = _PATIENCE.get() if patience is None else patience
    began: float | None = None
    while True:
        try:
            done = work(began is not None)
            break
        except (DBAPIError, StorageInternalError) as error:
            first = began is None
            began = time.monotonic() if began is None else began
            left = patience.seconds - (time.monotonic() - began)
            if not _may_pass(error) or left <= 0 or patience.hurry.is_set():
                raise
            if first:
                patience.waits(
                    f"the database does not answer ({cause_of(error)}): {patience.meanwhile} "
                    f"is asked again for {duration(patience.seconds)} ({patience.option})"
                )
        raise_if_interrupted()
        patience.hurry.wait(min(TRY_EVERY_S, left))
    if began is not None:
        silent = duration(time.monotonic() - began)
        patience.waits(f"the database answers again, after {silent}; nothing is lost")
    return done


def repeated(method: F) -> F:
    """A method of a storage that is asked patiently. Only for one that, done twice, does what it
    does once: where an answer was lost, it is done twice."""

    @functools.wraps(method)
    def asked(*arguments: Any, **options: Any) -> Any:
        return patiently(lambda _: method(*arguments, **options))

    return cast(F, asked)


def cause_of(error: Exception) -> str:
    """What a database, or its driver, says of an error, in a line without secrets."""
    lines = visible(str(error.__cause__ or error)).splitlines()
    return hidden(lines[0] if lines else type(error).__name__)


def _may_pass(error: DBAPIError | StorageInternalError) -> bool:
    """Whether the same may succeed later. A file does not come back by waiting."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    if not isinstance(cause, DBAPIError):
        return False
    of_file = type(cause.orig).__module__.startswith("sqlite3")
    lost = cause.connection_invalidated or isinstance(cause, OperationalError | InterfaceError)
    return lost and not of_file
