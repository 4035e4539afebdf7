"""Watch studies in a browser: optuna-dashboard with our figures, notes and tables.

python -m search.dashboard
python -m search.dashboard --study-name vgg_reduce-digits --port 8090
"""

import errno
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Annotated, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna_dashboard
import typer
from typer import Option

from paretrain.cli import UserError, run_command, terminable
from paretrain.formatting import duration
from search.problem.optuna_internals import quiet_optuna
from search.reporting.dashboard.artifacts import Attachments
from search.reporting.dashboard.refresh import Painter
from search.reporting.dashboard.storage import Board
from search.reporting.dashboard.theme import Application, themed
from search.study.storage import check_name, open_studies, sqlite_path

HOST, PORT = "127.0.0.1", 8080
NICE = 5
"""On a machine with too few processors, a search goes first."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def dashboard(
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
    study_name: Annotated[str | None, Option(help="Only its address is printed.")] = None,
    port: Annotated[
        int | None, Option(min=1, max=65535, help="Default: 8080, or a free one.")
    ] = None,
    artifacts: Annotated[
        Path | None, Option(help="Folder for uploads. Default: beside the database.")
    ] = None,
) -> int:
    """Serves until Ctrl-C, on this machine only."""
    names = _names(storage, study_name)
    began = time.monotonic()
    with quiet_optuna(), terminable():
        # Here, because drawing threads cannot keep each other from hearing warnings.
        warnings.filterwarnings("ignore", category=UserWarning, module="optuna")
        board = Board(storage)
        painter = Painter(board, storage)
        attachments = Attachments(painter.look, artifacts or uploads_folder(storage))
        shown = optuna_dashboard.wsgi(board, artifact_store=attachments)
        server = _server(themed(fresh(shown, painter)), port)
        links = {name: board.get_study_id_from_name(name) for name in names}
        width = max(map(len, links))
        for name, study_id in links.items():
            place = f"http://{HOST}:{server.server_port}/dashboard/studies/{study_id}"
            typer.echo(f"{name:<{width}}  {place}")
        sys.stdout.flush()
        typer.echo("Ctrl-C ends it", err=True)
        if hasattr(os, "nice"):
            os.nice(NICE)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()
    times = painter.quick.times + painter.slow.times
    drew = f"{times} time{'' if times == 1 else 's'}"
    typer.echo(
        f"ended after {duration(time.monotonic() - began)}; drew {drew}, "
        f"{painter.share:.2%} of the time",
        err=True,
    )
    return 0


def uploads_folder(storage: str) -> Path:
    """`studies.db` -> `studies-artifacts`; for another database, in the current folder."""
    path = sqlite_path(storage)
    return Path("artifacts") if path is None else path.with_name(f"{path.stem}-artifacts")


def fresh(shown: Application, painter: Painter) -> Application:
    """The dashboard, whose studies are drawn just before they are asked for."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked = re.fullmatch(r"/api/studies/(\d+)/?", environ["PATH_INFO"])
        if asked and environ["REQUEST_METHOD"] == "GET":
            painter.refresh(int(asked[1]))
        return shown(environ, start_response)

    return application


def _names(storage: str, wanted: str | None) -> list[str]:
    """Of the studies to name. Raises UserError where there is nothing to show."""
    opened, names = open_studies(storage)
    opened.engine.dispose()
    if wanted is None:
        return names
    check_name(storage, wanted, names)
    return [wanted]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: a page asks every few seconds."""


def _server(application: Application, port: int | None) -> WSGIServer:
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


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.dashboard")


if __name__ == "__main__":
    main()
