"""Every command that opens a database, run on one in this process as a person would, up to the
point where something would be trained. What it says is judged: an exit code of 0 or 2, an error in
one line, nothing that cannot be true."""

import contextlib
import csv
import io
import json
import math
import random
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import optuna_dashboard
from optuna.storages._rdb.storage import _VersionManager

from benchmarks.mutations.damage import MARK
from paretrain.cli import UserError
from paretrain.safe_text import one_line
from search.problem.optuna_internals import quiet_optuna
from search.reporting.dashboard.artifacts import Artifacts, report_path
from search.reporting.dashboard.refresh import ORDER, Refresher
from search.reporting.dashboard.server import refreshing
from search.reporting.dashboard.storage import DashboardStorage
from search.reporting.dashboard.theme import themed
from search.session import confirming, engine, rerun
from search.study.keeping import uploads_folder
from search.study.snapshot import StudySnapshot, read_snapshot
from search.workers.pool import WorkerPool

FIRST, SECOND = "first", "second"
"""Studies of the database. Only the first one's rows are changed one by one."""
SMALL = ("--epochs", "3", "--image-size", "16", "--per-class", "20")
DATABASE = "studies.db"

Rng = random.Random


@dataclass
class Seen:
    """What came of a case."""

    codes: list[str] = field(default_factory=list)
    """Exit codes by command, such as `status 0`."""
    tracebacks: list[str] = field(default_factory=list)
    impossible: list[str] = field(default_factory=list)
    longest: tuple[float, str] = (0.0, "")
    """Seconds of the longest command, and which."""


class Said(NamedTuple):
    """How a command ended, and all that it printed."""

    code: int
    text: str


class _Idle:
    """Instead of what trains repeats: nothing to do."""

    def __init__(self, *_: object) -> None:
        pass

    def run(self) -> int:
        """None failed."""
        return 0


_read_head_version = _VersionManager.get_head_version
_known: list[str] = []


def _head_version(manager: _VersionManager) -> str:
    _known[:] = _known or [_read_head_version(manager)]
    return _known[0]


def _nobody(_devices: object, threads: int, *_: object) -> WorkerPool:
    return WorkerPool((), threads)


@contextlib.contextmanager
def nothing_trains() -> Iterator[None]:
    """Commands go on to the point where something would be trained, and end there."""
    with contextlib.ExitStack() as stack:
        for module in (engine, confirming):
            stack.enter_context(patch.object(module, "WorkerPool", _nobody))
        stack.enter_context(patch.object(confirming, "Repeating", _Idle))
        stack.enter_context(patch.object(rerun, "compare_epochs", lambda *_: iter(())))
        # Optuna reads its own migrations from their files whenever it opens a database.
        stack.enter_context(patch.object(_VersionManager, "get_head_version", _head_version))
        yield


def call(command: str, *arguments: str) -> Said:
    """`python -m search.COMMAND`, run in this process. Other exceptions than its end go on."""
    main = import_module(f"search.{command}").main
    out, before = io.StringIO(), sys.argv
    sys.argv = ["program", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            main()
    except SystemExit as ended:
        return Said(int(ended.code or 0), out.getvalue())
    finally:
        sys.argv = before
    return Said(0, out.getvalue())


# --- commands. Each is run in the folder of the database, with what it may choose by chance, and
# yields what it must not have done beside what `faults_of` finds in its words.

Faults = Iterator[str]
Command = Callable[[Rng], tuple[Said, list[str]]]
OF = ("--study-name", FIRST)


def _simply(command: str, *arguments: str) -> Command:
    return lambda rng: (call(command, *arguments), [])


def _explain(rng: Rng) -> tuple[Said, list[str]]:
    return call("explain", *OF, "--trial", str(rng.randrange(7))), []


def _export(rng: Rng) -> tuple[Said, list[str]]:
    how = rng.choice(
        (
            *(["--best"], ["--knee"], ["--within", "5%"], ["--max-params", "10k"]),
            *(["--trial", str(rng.randrange(7))], ["--min-acc", "20%"], ["--best", "--all-images"]),
        )
    )
    return call("export", *OF, *how), []


def _table(rng: Rng) -> tuple[Said, list[str]]:
    return call("table", *OF), []


def _report(rng: Rng) -> tuple[Said, list[str]]:
    page = Path("page.html")
    said = call("report", *OF, "--out", str(page))
    if not page.exists():
        return said, []
    html = page.read_text(encoding="utf-8")
    page.unlink()
    return said, list(faults_of_page(html))


def _csv(rng: Rng) -> tuple[Said, list[str]]:
    folder = Path("numbers")
    said = call("report", *OF, "--csv", str(folder))
    faults: list[str] = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            csv.field_size_limit(2**31 - 1)
            for row in csv.DictReader(file):
                faults += faults_of_row(path.name, row)
        path.unlink()
    return said, faults


def _compare(rng: Rng) -> tuple[Said, list[str]]:
    return call("compare", FIRST, SECOND), []


def _replay(rng: Rng) -> tuple[Said, list[str]]:
    return call("replay", *OF, "--trial", str(rng.randrange(6)), "--device", "cpu"), []


def _confirm(rng: Rng) -> tuple[Said, list[str]]:
    return call("confirm", *OF, "--seeds", "2", "--device", "cpu"), []


def _run(*more: str) -> Command:
    arguments = ("--space", "vgg_reduce", *OF, *SMALL, "--device", "cpu", *more)
    return _simply("run", *arguments)


def _dashboard(rng: Rng) -> tuple[Said, list[str]]:
    """What a browser asks for."""
    out, faults = io.StringIO(), []
    said = call("dashboard", "--port", "1", "--host", "256.0.0.1")
    if "256.0.0.1: no such name" not in said.text:  # the database was refused before
        return said, []
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), quiet_optuna():
        storage = DashboardStorage(DATABASE)
        refresher = Refresher(storage, DATABASE)
        store = Artifacts(refresher.look, uploads_folder(DATABASE))
        application = refreshing(optuna_dashboard.wsgi(storage, artifact_store=store), refresher)
        application = themed(application, ORDER)
        report, curve = report_path(1), "/artifacts/1/1/d0a3-1-1-4"
        paths = [
            "/api/studies",
            "/api/studies/1",
            "/csv/1",
            curve,
            rng.choice(["/dashboard", report]),
        ]
        for path in paths:
            status, body = _get(application, path)
            if status not in ("200", "404", "503"):
                faults.append(f"{path} answers {status}: {body[:2000]!r}")
            elif path == "/api/studies/1" and status == "200":
                faults += faults_of_detail(json.loads(body))
        storage.engine.dispose()
    words = out.getvalue()
    if "cannot draw" in words:
        faults.append(words)
    return Said(0, ""), faults


def _get(application: Any, path: str) -> tuple[str, bytes]:
    """Status and body of an answer of the dashboard."""
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    body = application(environ, lambda line, *_: status.append(line))
    return status[0].partition(" ")[0], b"".join(body)


def _list(rng: Rng) -> tuple[Said, list[str]]:
    return call("studies", "list"), []


def _snapshot(rng: Rng) -> tuple[Said, list[str]]:
    out = io.StringIO()
    try:
        with contextlib.redirect_stderr(out):
            return Said(0, ""), list(faults_of_study(read_snapshot(DATABASE, FIRST)))
    except UserError as error:
        return Said(2, f"error: {one_line(str(error))}"), []


def _rename(rng: Rng) -> tuple[Said, list[str]]:
    said = call("studies", "rename", FIRST, "third")
    if said.code != 0:
        return said, []
    status = call("status", "--study-name", "third")
    return said, [] if status.code == 0 else [f"renamed, but then: {status.text}"]


def _delete(rng: Rng) -> tuple[Said, list[str]]:
    said = call("studies", "delete", FIRST, "--yes")
    if said.code != 0:
        return said, []
    names = call("studies", "list")
    faults = []
    if re.search(rf"^{FIRST}\b", names.text, re.MULTILINE):
        faults.append(f"deleted, but still there: {names.text}")
    return said, faults


LOOKS: Mapping[str, tuple[float, Command]] = {
    "status": (3, _simply("status")),
    "status of one": (3, _simply("status", *OF)),
    "explain": (4, _explain),
    "export": (4, _export),
    "table": (2, _table),
    "compare": (2, _compare),
    "list": (2, _list),
    "snapshot": (4, _snapshot),
    "csv": (2, _csv),
    "report": (0.3, _report),
    "dashboard": (0.3, _dashboard),
    "dry run": (1, _run("--trials", "9", "--dry-run", "--quiet")),
}
"""Commands that only look, and how often each is run in proportion to the others."""
CHANGES: Mapping[str, tuple[float, Command]] = {
    "run": (2, _run("--trials", "9", "--timeout", "0.02s", "--quiet")),
    "finished run": (1, _run("--trials", "3", "--timeout", "0.02s", "--quiet")),
    "replay": (1, _replay),
    "confirm": (1, _confirm),
    "rename": (1, _rename),
    "delete": (2, _delete),
}
"""Commands that may change the database: at most one is run, after the others."""


def some(rng: Rng) -> dict[str, Command]:
    """Commands for one case."""
    chosen: dict[str, Command] = {}
    while len(chosen) < rng.choice((1, 2)):
        name = rng.choices(list(LOOKS), [weight for weight, _ in LOOKS.values()])[0]
        chosen[name] = LOOKS[name][1]
    if rng.random() < 0.3:
        name = rng.choices(list(CHANGES), [weight for weight, _ in CHANGES.values()])[0]
        chosen[name] = CHANGES[name][1]
    return chosen


def look(commands: Mapping[str, Command], rng: Rng) -> Seen:
    """Runs the commands on the database in the current folder."""
    seen = Seen()
    for name, command in commands.items():
        start = time.monotonic()
        faults: list[str] = []
        try:
            said, faults = command(rng)
        except BaseException:
            seen.tracebacks.append(f"{name}: {traceback.format_exc(limit=-8)}")
            said = Said(-1, "")
        seen.codes.append(f"{name} {said.code}")
        seen.longest = max(seen.longest, (time.monotonic() - start, name))
        seen.impossible += [f"{name}: {fault}" for fault in [*faults_of(said), *faults]]
    return seen


# --- what must not be

UNITS = "params|parameters|epochs?|trials?|images|networks|seconds|s|min|h|MB|kB|GB"
NUMBER = r"(?<![\w.:/+-])(-?[\d][\d.,]*|-?nan|-?inf)"


def faults_of(said: Said) -> Faults:
    """What a command must not say."""
    if said.code not in (-1, 0, 2):
        yield f"exit code {said.code}: {said.text[-2000:]}"
    if said.code == 2:
        errors = [line for line in said.text.splitlines() if not line.startswith("note: ")]
        if len(errors) != 1 or not errors[0].startswith("error: "):
            yield f"no single line: {said.text!r:.1000}"
    yield from faults_of_text(said.text)


def faults_of_text(text: str) -> Faults:
    """Escape sequences, shares outside 0 to 100 %, and negative or infinite amounts."""
    if acting := re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text):
        yield f"control character {acting[0]!r}"
    for line in text.splitlines():
        for number in re.findall(NUMBER + r" ?%", line):
            if "n" in number or not 0 <= float(number.replace(",", "").rstrip(".")) <= 100:
                yield f"{number} % in {line[:300]!r}"
        for number, unit in re.findall(rf"{NUMBER} ({UNITS})\b", line):
            if number.startswith("-") or "n" in number:
                yield f"{number} {unit} in {line[:300]!r}"


class _Visible(HTMLParser):
    """The text of a page, without scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Counts what is not shown."""
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        """Likewise."""
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        """Keeps what is shown."""
        if not self._hidden:
            self.text.append(data)


def faults_of_page(html: str) -> Faults:
    """What a report must not show, nor run."""
    if MARK in html:
        yield "a script of the database is in the page"
    page = _Visible()
    page.feed(html)
    # A claim of a course report or an effect may be anything; an amount may not.
    yield from faults_of_text("\n".join(page.text))


BOUNDS = {
    **dict.fromkeys(("val_acc", "val_acc_best", "val_acc_last", "train_acc"), (0.0, 1.0)),
    **dict.fromkeys(("params", "size"), (1.0, 1e18)),
    **dict.fromkeys(("seconds", "trainable_params", "trial", "lr"), (0.0, 1e18)),
    **dict.fromkeys(("epoch", "best_epoch"), (1.0, 1e5)),
    "epochs": (0.0, 1e5),
}
"""What columns of tables may hold."""


def faults_of_row(name: str, row: Mapping[str, str]) -> Faults:
    """What a row of a CSV file must not hold."""
    for column, (low, high) in BOUNDS.items():
        if text := row.get(column):
            number = _number(text)
            if number is None or not low <= number <= high:
                yield f"{name}: {column} is {text!r:.100}"
    if row.get("best_epoch") and float(row["best_epoch"]) > float(row["epochs"]):
        yield f"{name}: best epoch {row['best_epoch']} of {row['epochs']}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def faults_of_detail(detail: Mapping[str, Any]) -> Faults:
    """What the dashboard must not be told of a study of ours."""
    ours = any(attribute["key"] == "identity" for attribute in detail["user_attrs"])
    numbers = [trial["number"] for trial in detail["trials"]]
    if len(set(numbers)) < len(numbers):
        yield f"trial numbers {numbers}"
    for trial in detail["trials"] if ours else ():
        values = trial.get("values") or [0.5, 1]
        if len(values) != 2 or not 0 <= float(values[0]) <= 1 or not 0 <= float(values[1]) < 1e19:
            yield f"trial {trial['number']}: values {values}"


def faults_of_study(snapshot: StudySnapshot) -> Faults:
    """Values of a study that cannot be true."""
    for record in snapshot.records:
        about = f"trial {record.number}"
        if not all(0 <= acc <= 1 for acc in record.curve.accs):
            yield f"{about}: accuracies {record.curve.accs}"
        if not 1 <= record.num_params <= 10**18 or not 1 <= record.size <= 10**18:
            yield f"{about}: {record.num_params} parameters, size {record.size}"
        if not 0 <= record.seconds < 1e13:
            yield f"{about}: {record.seconds} s"
        if len(record.curve.accs) > record.config.epochs:
            yield f"{about}: {len(record.curve.accs)} epochs of {record.config.epochs}"
    numbers = [trial.number for trial in snapshot.trials]
    if len(set(numbers)) < len(numbers) or not all(type(number) is int for number in numbers):
        yield f"trial numbers {numbers}"
    for row, entry in snapshot.ledger.as_dict().items():
        if not all(math.isfinite(value) for value in entry.values()):
            yield f"ledger: {row} {entry}"
        if min(entry.values()) < 0:
            yield f"ledger: {row} {entry}"
    chance = snapshot.chance
    if not 0 <= chance.share <= 1:
        yield f"chance {chance.share}"
