"""Who runs a study: one coordinator, and those that were asked to join it. Another one would repeat
trials and break the count."""

import contextlib
import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import psutil
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from paretrain.cli import UserError
from paretrain.locks import LockedError, locked
from search.study.attributes import JOINED, OWNER
from search.study.patience import patient
from search.study.storage_url import StorageUrl

BEAT_EVERY_S = 15.0
STALE_AFTER_S = 60.0
RUN = uuid.uuid4().hex
"""Tells this process from any other: two containers may have the same host name and process id."""
PID_NAMESPACE, BOOT_ID = Path("/proc/self/ns/pid"), Path("/proc/sys/kernel/random/boot_id")
RENEWING = threading.Lock()
"""Whoever changes what this process's sign of life says holds it: another thread may renew it."""

Beat = dict[str, Any]
"""A sign of life."""


@contextlib.contextmanager
def sole_owner(storage: StorageUrl, study_name: str, join: bool = False) -> Iterator[None]:
    """Holds a lock on the study for this machine, which the system frees even after a kill -9.

    Raises UserError when another process holds it, but not to one that asks to `join`.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(f"{storage.place}\0{study_name}"))
        except LockedError as error:
            if not join:
                raise UserError(_busy(study_name, str(error))) from None
        yield


def beat(shares: bool | None = None) -> Beat:
    """What a coordinator writes into the study every BEAT_EVERY_S, for other machines to see.
    `shares`: whether it asks the database for its next trial, as it must beside others; None for
    whoever cannot."""
    signs = {"host": socket.gethostname(), "pid": os.getpid(), "time": time.time(), "run": RUN}
    signs |= {} if (pids := _pids()) is None else {"pids": pids}
    return signs if shares is None else signs | {"shares": shares}


def signs(attrs: Mapping[str, Any]) -> dict[str, Beat]:
    """The last signs of life of all who run a study, by the names of its attributes."""
    keys = [key for key in attrs if key == OWNER or key.startswith(JOINED)]
    return {key: attrs[key] for key in sorted(keys) if attrs[key]}


def own_key(attrs: Mapping[str, Any]) -> str | None:
    """The attribute with the sign of life of this process; None where it does not run the study."""
    return next((key for key, last in signs(attrs).items() if is_ours(last)), None)


def shares(study: optuna.Study) -> bool:
    """Whether this process has said that it shares the study."""
    attrs = study.user_attrs
    return (key := own_key(attrs)) is not None and bool(attrs[key].get("shares"))


def place_of(key: str) -> int:
    """0 for the attribute of the first coordinator of a study, else 1 and up."""
    return 0 if key == OWNER else int(key.removeprefix(JOINED))


def who(last: Beat) -> str:
    """A coordinator in words."""
    return f"process {last['pid']} on {last['host']}"


def renew(study: optuna.Study) -> bool:
    """Write a new beat in place of the last one; False, and nothing is written, where that is not
    this process's."""
    with RENEWING:
        attrs = study.user_attrs
        if (key := own_key(attrs)) is None:
            return False
        study.set_user_attr(key, beat(attrs[key].get("shares")))
    return True


@contextlib.contextmanager
def beating(study: optuna.Study) -> Iterator[None]:
    """Meanwhile the last beat is renewed: measuring, and reading a long study, take longer than one
    holds. Later the study's writer does it (study/writer.py)."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(BEAT_EVERY_S):
            # A server that is restarted must find it alive. What does not pass, the run says.
            with contextlib.suppress(StorageInternalError, SQLAlchemyError, UserError):
                if not renew(study):
                    break

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
        if study is not None:
            leave(study)


def leave(study: optuna.Study) -> None:
    """This process does not run the study any more. Where the database does not answer, others hear
    that from its silence."""
    with patient(0.0), contextlib.suppress(StorageInternalError, SQLAlchemyError, UserError):
        if (key := own_key(study.user_attrs)) is not None:
            study.set_user_attr(key, None)


def is_fresh(last: Mapping[str, Any]) -> bool:
    """Whether a beat is of now. One of the future is of a wrong clock: it would hold a study until
    that time comes."""
    return abs(time.time() - float(last["time"])) <= STALE_AFTER_S


def at_work(attrs: Mapping[str, Any]) -> list[Beat]:
    """Those of whom the last beat is fresh and the process is not known to be dead."""
    return [last for last in signs(attrs).values() if is_fresh(last) and not is_dead(last)]


def refuse_if_owned(study_name: str, attrs: Mapping[str, Any]) -> None:
    """Raises UserError when somebody else is at work."""
    here = socket.gethostname()
    for last in at_work(attrs):
        if last["host"] != here:
            raise UserError(_busy(study_name, who(last)))
        if last["pid"] != os.getpid() or not _sees(last):
            raise UserError(_busy(study_name, f"process {last['pid']}"))


def is_ours(last: Beat | None) -> bool:
    """Whether the last beat is this process's."""
    return last is not None and last.get("run") == RUN


def refuse_unless_owned(study_name: str, attrs: Mapping[str, Any]) -> None:
    """Raises UserError when another process has the study, or has had it, since this one wrote its
    beat: both had found it free at the same moment, or this one was silent for so long, as on a
    machine that slept, that it was taken for dead."""
    if own_key(attrs) is not None:
        return
    if last := next(iter(signs(attrs).values()), None):
        raise UserError(_busy(study_name, who(last)))
    raise UserError(
        f"study '{study_name}' has been run by another process meanwhile: the same command goes on "
        "from what is stored"
    )


def _busy(study_name: str, by: str) -> str:
    return (
        f"study '{study_name}' is being run by {by}: wait for it, give that run more --workers, "
        "or use another --study-name"
    )


def is_dead(last: Beat) -> bool:
    """Whether a process is known to have ended: one of this machine, and of this container."""
    here = last["host"] == socket.gethostname() and _sees(last)
    return here and not _alive(last["pid"])


def _sees(last: Beat) -> bool:
    """Whether the number of a process on a host of this name is one of those that are seen here."""
    return bool(last.get("pids", _pids()) == _pids())


def _pids() -> int | None:
    """Tells which processes can be seen from here: containers of one host name may have numbers of
    their own, and so have machines of one name, whose number of the namespace is the same outside
    containers. None where the system has no such thing. Earlier versions wrote that number alone:
    of such a process it is not known whether it lives."""
    try:
        namespace = PID_NAMESPACE.stat().st_ino
        boot = BOOT_ID.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    mixed = hashlib.sha256(f"{boot} {namespace}".encode()).digest()
    return int.from_bytes(mixed[:6], "big")  # JSON keeps it


def _alive(pid: int) -> bool:
    try:  # killed, but not yet waited for by its parent, is dead
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # somebody else's, who does not let us look
        return True
