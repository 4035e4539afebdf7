"""Serves optuna-dashboard, on this machine only unless asked to."""

import contextlib
import errno
import io
import json
import logging
import re
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from paretrain.cli import UserError
from paretrain.safe_text import one_line
from search.problem.optuna_internals import id_of
from search.reporting.dashboard.ended_kept import STUDY
from search.reporting.dashboard.refresh import Refresher
from search.reporting.dashboard.theme import Application
from search.study.collector import without_collector

HOST, PORT = "127.0.0.1", 8080
EVERY_ADDRESS = ("0.0.0.0", "::")
IDLE_S = 60
"""Seconds after which a connection that says nothing is closed."""
_OF_STUDIES = re.compile(r"/(?:csv|artifacts|api)/(?:(?:studies|artifacts)/)?(\d+)?")
"""How the paths begin that show or change studies; the id of one, where one is meant."""
_OF_ONE_STUDY = re.compile(r"/(?:csv|artifacts|api/studies)/(\d+)")
"""How those begin that show what one study holds; its id."""
_OF_TRIAL = re.compile(r"/artifacts/\d+/(\d+)/")
"""Those of an upload to a trial; the trial's id."""
_ERRORS = ContextVar[io.StringIO]("errors")
"""Of the answer that is being made."""


class _Heard(logging.Handler):
    """Hears why optuna-dashboard cannot answer. Most of its own answers say no more than that there
    was an error, and it logs a traceback, which would be printed."""

    def emit(self, record: logging.LogRecord) -> None:
        """What belongs to no answer is printed, as without this handler."""
        cause, errors = sys.exception(), _ERRORS.get(None)
        if errors is None or record.levelno < logging.ERROR:
            sys.stderr.write(f"{one_line(record.getMessage())}\n")
        else:
            errors.write(_said(cause) if cause else one_line(record.getMessage()))


_HEARD = _Heard(logging.WARNING)


def _said(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {error}")


def refreshing(dashboard: Application, refresher: Refresher) -> Application:
    """The dashboard, which has a study drawn just before it answers with it. What cannot be read
    is answered in a line, for which optuna-dashboard knows only tracebacks."""
    logger = logging.getLogger("optuna_dashboard")
    logger.addHandler(_HEARD)  # once, however often
    logger.propagate = False

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path, get = environ["PATH_INFO"], environ["REQUEST_METHOD"] == "GET"
        if get and STUDY.fullmatch(path):
            with without_collector():  # each trial becomes hundreds of objects, for a moment
                return checked(environ, start_response)
        return checked(environ, start_response)

    def checked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path, get = environ["PATH_INFO"], environ["REQUEST_METHOD"] == "GET"
        try:
            if of_study := _OF_STUDIES.match(path):
                refresher.storage.forget_replaced(int(of_study[1]) if of_study[1] else None)
            if get and (drawn := STUDY.fullmatch(path)):
                refresher.refresh(int(drawn[1]))
            elif get and (read := _OF_ONE_STUDY.match(path)):
                trials = {id_of(trial) for trial in refresher.look(int(read[1])).trials}
                of_trial = _OF_TRIAL.match(path)
                if of_trial and int(of_trial[1]) not in trials:
                    return answer(start_response, "404 Not Found", "trial is not found")
        except KeyError:
            return answer(start_response, "404 Not Found", "study is not found")
        except UserError as error:
            return answer(start_response, "503 Service Unavailable", str(error))
        except Exception as error:
            return cannot(start_response, _said(error))
        try:
            return shown(environ, start_response)
        except Exception as error:
            return cannot(start_response, _said(error))

    def shown(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # What the checks above let through may still be more than optuna-dashboard can show: an
        # upload whose data are gone, a name with two lines.
        errors = io.StringIO()
        failed = False

        def start(status: str, headers: Sequence[tuple[str, str]], *more: Any) -> object:
            nonlocal failed
            failed = status.startswith("500")
            return None if failed else start_response(status, headers, *more)

        token = _ERRORS.set(errors)
        try:
            body = dashboard(environ | {"wsgi.errors": errors}, start)
        finally:
            _ERRORS.reset(token)
        if not failed:
            return body
        return cannot(start_response, (errors.getvalue().strip().splitlines() or ["unknown"])[-1])

    def cannot(start_response: Callable[..., Any], cause: str) -> list[bytes]:
        return answer(start_response, "503 Service Unavailable", f"cannot be shown: {cause}")

    def answer(start_response: Callable[..., Any], status: str, reason: str) -> list[bytes]:
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps({"reason": one_line(reason)}).encode()]

    return application


def prepare(application: Application, study_id: int) -> None:
    """Asks for a study as a page does, and throws the answer away: what can be kept of it is there
    when somebody opens the page."""
    place = {"PATH_INFO": f"/api/studies/{study_id}", "QUERY_STRING": "after=0"}
    environ = {**place, "REQUEST_METHOD": "GET", "wsgi.input": io.BytesIO()}
    with contextlib.suppress(Exception):  # whoever opens the page is told
        for _ in application(environ, lambda status, headers, *more: None):
            pass


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """As its bases do it, but asks no name server for this machine's full name, which may take
        long and is not needed."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Reports an error, unless it is only a browser that went away or said nothing."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = IDLE_S

    def log_message(self, format: str, *arguments: Any) -> None:
        """Prints nothing: a page asks every few seconds."""


def make_local_server(port: int | None, host: str = HOST) -> WSGIServer:
    """A server on this port, which has no application yet. Where the port is None: on PORT, or on a
    free one when that is taken; 0 is a free one. `host`: address or name to listen at. Raises
    UserError when the port is taken or not allowed, or the host is none of this machine."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise UserError(
            f"--host {host}: no such name or address: give one of this machine's, or 0.0.0.0 for "
            "all of them"
        ) from None
    family, *_, address = sorted(found, key=lambda each: each[0] != socket.AF_INET)[0]
    kind = _Server if family == socket.AF_INET else _ServerV6
    for chosen in (PORT, 0) if port is None else (port,):
        try:
            return kind((str(address[0]), chosen), _Quiet)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise UserError(
                    f"--host {host}: not an address of this machine: give 0.0.0.0 first, to listen "
                    f"at all of them, then --host {host} again"
                ) from None
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            cause = error
    raise UserError(
        f"--port {port}: {cause.strerror}: give another one, or none, and a free one is taken"
    )


def shown_host(hosts: Sequence[str]) -> str:
    """The host in the address that is printed: the last that --host named; this machine's own name
    where that is every address."""
    last = hosts[-1] if hosts else HOST
    if last in EVERY_ADDRESS:
        last = socket.gethostname()
    return f"[{last}]" if ":" in last else last
