"""One coordinator a study: a second one would repeat trials and break the count."""

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import optuna
import psutil
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from paretrain.cli import UserError
from paretrain.locks import LockedError, locked
from search.study.attributes import OWNER
from search.study.storage_url import StorageUrl

BEAT_EVERY_S = 15.0
STALE_AFTER_S = 60.0
RUN = uuid.uuid4().hex
"""Tells this process from any other: two containers may have the same host name and process id."""


@contextlib.contextmanager
def sole_owner(storage: StorageUrl, study_name: str) -> Iterator[None]:
    """Holds a lock on the study for this machine, which the system frees even after a kill -9.

    Raises UserError when another process holds it.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(f"{storage.place}\0{study_name}"))
        except LockedError as error:
            raise UserError(_busy(study_name, str(error))) from None
        yield


def beat() -> dict[str, Any]:
    """What the owner writes into the study every BEAT_EVERY_S, for other machines to see."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "time": time.time(), "run": RUN}


def renew(study: optuna.Study) -> bool:
    """Write a new beat in place of the last one; False, and nothing is written, where that is not
    this process's."""
    if not is_ours(study.user_attrs.get(OWNER)):
        return False
    study.set_user_attr(OWNER, beat())
    return True


@contextlib.contextmanager
def beating(study: optuna.Study) -> Iterator[None]:
    """Meanwhile the last beat is renewed: measuring, and reading a long study, take longer than one
    holds. Later the study's writer does it (study/writer.py)."""
    over = threading.Event()

    def work() -> None:
        # What fails here fails for the run itself too, which says so.
        with contextlib.suppress(StorageInternalError, SQLAlchemyError, UserError):
            while not over.wait(BEAT_EVERY_S) and renew(study):
                pass

    thread = threading.Thread(target=work, name="beats", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def released_at_the_end(study: optuna.Study | None) -> Iterator[None]:
    """However the block ends: this process does not run the study any more. None = it never did."""
    try:
        yield
    finally:
        with contextlib.suppress(StorageInternalError, SQLAlchemyError, UserError):
            if study is not None and is_ours(study.user_attrs.get(OWNER)):
                study.set_user_attr(OWNER, None)


def is_fresh(last: Mapping[str, Any]) -> bool:
    """Whether a beat is of now. One of the future is of a wrong clock: it would hold a study until
    that time comes."""
    return abs(time.time() - float(last["time"])) <= STALE_AFTER_S


def is_at_work(last: Mapping[str, Any] | None) -> bool:
    """Whether a search goes on: its last beat is fresh and its process is not known to be dead."""
    if not last or not is_fresh(last):
        return False
    return last["host"] != socket.gethostname() or _alive(last["pid"])


def refuse_if_owned(study_name: str, last: dict[str, Any] | None) -> None:
    """Raises UserError when the last beat is fresh and its process is not known to be dead."""
    if not last or not is_fresh(last):
        return
    here = last["host"] == socket.gethostname()
    if here and (last["pid"] == os.getpid() or not _alive(last["pid"])):
        return
    who = f"process {last['pid']}" + ("" if here else f" on {last['host']}")
    raise UserError(_busy(study_name, who))


def is_ours(last: dict[str, Any] | None) -> bool:
    """Whether the last beat is this process's."""
    return last is not None and last.get("run") == RUN


def refuse_unless_owned(study_name: str, last: dict[str, Any] | None) -> None:
    """Raises UserError when another process has the study, or has had it, since this one wrote its
    beat: both had found it free at the same moment, or this one was silent for so long, as on a
    machine that slept, that it was taken for dead."""
    if last is None:
        raise UserError(
            f"study '{study_name}' has been run by another process meanwhile: the same command "
            "goes on from what is stored"
        )
    if not is_ours(last):
        raise UserError(_busy(study_name, f"process {last['pid']} on {last['host']}"))


def _busy(study_name: str, who: str) -> str:
    return (
        f"study '{study_name}' is being run by {who}: wait for it, give that run more --workers, "
        "or use another --study-name"
    )


def _alive(pid: int) -> bool:
    try:  # killed, but not yet waited for by its parent, is dead
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # somebody else's, who does not let us look
        return True
