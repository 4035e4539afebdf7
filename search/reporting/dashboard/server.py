"""Serves optuna-dashboard on this machine only."""

import errno
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from paretrain.cli import UserError
from search.reporting.dashboard.refresh import Refresher
from search.reporting.dashboard.theme import Application
from search.study.storage import sqlite_path

HOST, PORT = "127.0.0.1", 8080


def uploads_folder(storage: str) -> Path:
    """The folder for uploads: `studies-artifacts` beside `studies.db`; `artifacts` in the current
    folder for a database that is no file."""
    path = sqlite_path(storage)
    return Path("artifacts") if path is None else path.with_name(f"{path.stem}-artifacts")


def refreshing(dashboard: Application, refresher: Refresher) -> Application:
    """The dashboard, which has a study drawn just before it answers with it."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        study_path = re.fullmatch(r"/api/studies/(\d+)/?", environ["PATH_INFO"])
        if study_path and environ["REQUEST_METHOD"] == "GET":
            refresher.refresh(int(study_path[1]))
        return dashboard(environ, start_response)

    return application


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Reports an error, unless it is only a browser that went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Prints nothing: a page asks every few seconds."""


def make_local_server(application: Application, port: int | None) -> WSGIServer:
    """A server on this port. Where it is None: on PORT, or on a free one when that is taken. Raises
    UserError when the port asked for is taken or not allowed."""
    for chosen in (PORT, 0) if port is None else (port,):
        try:
            return make_server(HOST, chosen, application, _Server, _Quiet)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            cause = error
    raise UserError(
        f"--port {port}: {cause.strerror}: give another one, or none, and a free one is taken"
    )
