"""What it costs to look at a study: commands, and the dashboard's page."""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STUDY = "growth"


def command(folder: Path, *words: str) -> dict[str, float]:
    """Return the processor seconds and the memory of a command."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=log
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        log.seek(0)
        assert process.returncode == 0, log.read()
    name = words[0].split(".")[-1]
    return {name: used.ru_utime + used.ru_stime, f"{name}, MB": used.ru_maxrss / 1024}


@contextmanager
def _spent() -> Iterator[list[float]]:
    """Give a list that afterwards has the processor seconds of this process meanwhile."""
    seconds: list[float] = []
    start = time.process_time()
    yield seconds
    seconds.append(time.process_time() - start)


def study_page(folder: Path, trials: int) -> dict[str, float]:
    """Return the processor seconds until the dashboard has answered: to a browser that opens the
    study, and to the same one a while later, when a trial has ended meanwhile; then to another
    browser that opens it."""
    import optuna_dashboard
    from optuna.trial import TrialState

    from search.reporting.dashboard.ended_kept import ended_trials_kept
    from search.reporting.dashboard.ended_once import look_at_ended_trials_once
    from search.reporting.dashboard.refresh import IMPORTANCES_S, Pace, Refresher
    from search.reporting.dashboard.server import refreshing
    from search.reporting.dashboard.storage import DashboardStorage
    from search.study.storage_url import StorageUrl

    place = StorageUrl.of(folder / "studies.db")
    storage = DashboardStorage(place)
    refresher = Refresher(storage, place)
    refresher.slow = Pace(1e9 * IMPORTANCES_S)  # in another thread, and nobody waits for them
    dashboard = optuna_dashboard.wsgi(storage)
    look_at_ended_trials_once(dashboard, storage.study)
    ask = refreshing(ended_trials_kept(dashboard, storage), refresher)

    def look(after: int) -> float:
        answered: list[str] = []
        asked = {"PATH_INFO": "/api/studies/1", "REQUEST_METHOD": "GET"}
        with _spent() as seconds:
            environ = {**asked, "QUERY_STRING": f"after={after}", "wsgi.input": io.BytesIO()}
            said = b"".join(ask(environ, lambda status, headers, *more: answered.append(status)))
        assert answered == ["200 OK"] and b'"trials"' in said, said[:200]
        return seconds[0]

    first = look(0)
    study = storage.study(1)
    study.tell(study.ask(), state=TrialState.FAIL)
    refresher.quick = Pace()
    time.sleep(11)  # optuna-dashboard itself looks at the database again after ten seconds
    return {
        "dashboard, first look": first,
        "dashboard, next look": look(trials),
        "dashboard, opened again": look(0),
    }
