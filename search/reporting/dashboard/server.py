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
    """`studies.db` -> `studies-artifacts`; for another database, in the current folder."""
    path = sqlite_path(storage)
    return Path("artifacts") if path is None else path.with_name(f"{path.stem}-artifacts")


def refreshing(dashboard: Application, refresher: Refresher) -> Application:
    """The dashboard, whose studies are drawn just before they are asked for."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = re.fullmatch(r"/api/studies/(\d+)/?", environ["PATH_INFO"])
        if asked and environ["REQUEST_METHOD"] == "GET":
            refresher.refresh(int(asked[1]))
        return dashboard(environ, start_response)

    return application


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: a page asks every few seconds."""


def make_local_server(application: Application, port: int | None) -> WSGIServer:
    """On that port, or the usual one, or a free one. Raises UserError when that one is taken."""
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
