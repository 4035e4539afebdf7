"""Watch studies in a browser: optuna-dashboard with our figures, notes and tables.

python -m search.dashboard
python -m search.dashboard --study-name vgg_reduce-digits --port 8090
python -m search.dashboard --host 0.0.0.0

Whoever has the printed address can look at the studies and delete them. Nobody else can.
"""

import os
import secrets
import socket
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from paretrain.cli import help_text, run_command
from paretrain.formatting import count_of, duration
from paretrain.interruption import interruptible
from search.option_values import STUDIES_DB, Storage
from search.study.storage_url import StorageUrl

NICE = 5
"""A search goes first on a machine with too few processors."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
def dashboard(
    storage: Storage = STUDIES_DB,
    study_name: Annotated[str | None, Option(help="Print the address of this study only.")] = None,
    port: Annotated[
        int | None,
        Option(min=0, max=65535, help="Port; 0 is a free one. [default: 8080, or a free one]"),
    ] = None,
    host: Annotated[
        list[str] | None,
        Option(
            help="Address or name to listen at, for a remote machine; 0.0.0.0 is every address. "
            "Again, for other names by which it is reached, as through a proxy. "
            "[default: 127.0.0.1]"
        ),
    ] = None,
    artifacts: Annotated[
        Path | None, Option(help="Folder for uploads. [default: beside the database]")
    ] = None,
) -> int:
    """Serves until Ctrl-C, on this machine only unless --host says so."""
    import optuna_dashboard

    from search.problem.optuna_internals import quiet_optuna
    from search.reporting.dashboard.artifacts import Artifacts, is_report
    from search.reporting.dashboard.ended_kept import ended_trials_kept
    from search.reporting.dashboard.ended_once import look_at_ended_trials_once
    from search.reporting.dashboard.guard import LOOPBACK, TOKEN, Guard
    from search.reporting.dashboard.refresh import ORDER, Refresher
    from search.reporting.dashboard.server import (
        HOST,
        make_local_server,
        prepare,
        refreshing,
        shown_host,
    )
    from search.reporting.dashboard.storage import DashboardStorage
    from search.reporting.dashboard.theme import themed
    from search.study.keeping import uploads_folder

    hosts = [name.strip("[]") for name in host or ()]
    names = _names(storage, study_name)
    began = time.monotonic()
    with quiet_optuna(), interruptible():
        # Here, because drawing threads cannot keep each other from hearing warnings.
        warnings.filterwarnings("ignore", category=UserWarning, module="optuna")
        database = DashboardStorage(storage)
        refresher = Refresher(database, storage)
        store = Artifacts(refresher.look, artifacts or uploads_folder(storage))
        application = optuna_dashboard.wsgi(database, artifact_store=store)
        look_at_ended_trials_once(application, database.study)
        server = make_local_server(port, hosts[0] if hosts else HOST)
        token = secrets.token_urlsafe()
        known = [*hosts, socket.gethostname()] if set(hosts) - set(LOOPBACK) else hosts
        shown = refreshing(ended_trials_kept(application, database), refresher)
        page = themed(shown, ORDER)
        server.set_app(Guard(page, token, server.server_port, known, is_report))
        width = max(map(len, names))
        ids = {name: database.get_study_id_from_name(name) for name in names}
        for name, study_id in ids.items():
            place = f"http://{shown_host(hosts)}:{server.server_port}/dashboard/studies/{study_id}"
            typer.echo(f"{name:<{width}}  {place}?{TOKEN}={token}")
        sys.stdout.flush()
        if known != hosts:
            typer.echo("other machines can open these addresses, which are not encrypted", err=True)
        typer.echo("Ctrl-C ends it", err=True)
        if hasattr(os, "nice"):
            os.nice(NICE)
        # The newest alone where there are several, because each takes memory.
        newest = max(ids.values())
        threading.Thread(target=prepare, args=(shown, newest), daemon=True).start()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass
        finally:
            server.server_close()
    times = count_of(refresher.quick.times + refresher.slow.times, "time")
    typer.echo(
        f"ended after {duration(time.monotonic() - began)}; drew {times}, "
        f"{refresher.share:.2%} of the time",
        err=True,
    )
    return 0


def _names(storage: StorageUrl, wanted: str | None) -> list[str]:
    """Names of the studies to show. Raises UserError where there is nothing to show."""
    from search.study.storage import check_name, open_studies

    opened, names = open_studies(storage)
    opened.engine.dispose()
    if wanted is None:
        return names
    check_name(storage, wanted, names)
    return [wanted]


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.dashboard")


if __name__ == "__main__":
    main()
