"""The dashboard without a browser: what it serves and what it writes."""

import csv
import gc
import io
import json
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import optuna
import optuna_dashboard
import plotly.graph_objects as go
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from optuna_dashboard._inmemory_cache import get_cached_extra_study_property

from search.problem.optuna_internals import quiet_optuna
from search.reporting.dashboard import ended_kept, refresh
from search.reporting.dashboard.artifacts import Artifacts
from search.reporting.dashboard.ended_kept import ended_trials_kept
from search.reporting.dashboard.ended_once import look_at_ended_trials_once, serializer
from search.reporting.dashboard.refresh import FIGURES, IMPORTANCES, ORDER, SHARE, Pace, Refresher
from search.reporting.dashboard.server import prepare, refreshing
from search.reporting.dashboard.storage import PLOT, DashboardStorage
from search.reporting.dashboard.theme import SCRIPT, Application, themed
from search.reporting.html import TRIAL, picker
from search.reporting.notes import _commands
from search.study.keeping import uploads_folder
from search.study.snapshot import StudySnapshot, read_snapshot
from search.study.stored import StoredConfig
from tests.harness import NAME

Ask = Callable[..., bytes]


@pytest.fixture
def copied(storage: str, tmp_path: Path) -> str:
    """The finished study in a database of this test's own."""
    path = tmp_path / "studies.db"
    with closing(sqlite3.connect(storage)) as old, closing(sqlite3.connect(path)) as new:
        old.backup(new)
    return str(path)


@pytest.fixture
def snapshot(copied: str) -> StudySnapshot:
    return read_snapshot(copied, NAME)


def asking(app: Application) -> Ask:
    """The application as a function of method, path and body."""

    def ask(
        path: str, method: str = "GET", body: dict[str, Any] | None = None, status: str = "20"
    ) -> bytes:
        sent = json.dumps(body or {}).encode()
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "x",
            "SERVER_PORT": "80",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(sent)),
            "wsgi.input": io.BytesIO(sent),
            "wsgi.errors": io.StringIO(),
            "wsgi.url_scheme": "http",
        }
        answered: list[str] = []
        chunks = app(environ, lambda status, headers, exc_info=None: answered.append(status))
        content = b"".join(chunks)
        if close := getattr(chunks, "close", None):
            close()
        assert answered[0].startswith(status), (answered, content)
        return content

    return ask


def served(storage: str) -> tuple[Application, Application]:
    """What is made of optuna-dashboard for a browser, and optuna-dashboard itself with what has
    been drawn."""
    with quiet_optuna():
        storage_ = DashboardStorage(storage)
    refresher = Refresher(storage_, storage)
    store = Artifacts(refresher.look, uploads_folder(storage))
    dashboard = optuna_dashboard.wsgi(storage_, artifact_store=store)
    look_at_ended_trials_once(dashboard, storage_.study)
    return refreshing(ended_trials_kept(dashboard, storage_), refresher), dashboard


def serve(storage: str) -> Ask:
    """The dashboard as a function of method, path and body."""
    return asking(served(storage)[0])


def content(storage: str) -> list[str]:
    with closing(sqlite3.connect(storage)) as database:
        return list(database.iterdump())


def test_a_study_is_shown_with_figures_notes_and_attachments(
    copied: str, snapshot: StudySnapshot, capfd: pytest.CaptureFixture[str]
) -> None:
    ask = serve(copied)
    told = json.loads(ask("/api/studies/1"))
    figures = told["plotly_graph_objects"]
    assert sorted(figure["id"] for figure in figures) == sorted(FIGURES)
    assert all(json.loads(figure["graph_object"])["data"] for figure in figures)
    assert told["objective_names"] == ["val_acc", "params"]
    note = told["note"]["body"]
    assert "No search is running" in note and f"export --study-name {NAME}" in note
    for record in snapshot.front:
        assert f"| #{record.number} | {record.num_params:,} | {record.val_acc:.2%} |" in note
    for trial, shown in zip(snapshot.trials, told["trials"], strict=True):
        assert f"Trial {trial.number}" in shown["note"]["body"]
        assert f"python -m paretrain trial-{trial.number}.yaml\n" in shown["note"]["body"]
        names = [artifact["filename"] for artifact in shown["artifacts"]]
        ended_by_itself = "confusion" in trial.user_attrs
        assert ended_by_itself or trial.state.name != "COMPLETE"
        tables = ["per_class.csv", "confusion.csv"] if ended_by_itself else []
        assert names == ["card.png", *tables, "curve.csv"]
    assert "cannot draw" not in capfd.readouterr().err


def test_attachments_are_what_the_trial_has(copied: str, snapshot: StudySnapshot) -> None:
    ask = serve(copied)
    told = json.loads(ask("/api/studies/1"))
    record = snapshot.front[-1]
    shown = told["trials"][record.number]
    files = {
        artifact["filename"]: ask(f"/artifacts/1/{shown['trial_id']}/{artifact['artifact_id']}")
        for artifact in shown["artifacts"]
    }
    assert files["card.png"].startswith(b"\x89PNG")
    table = {
        name: list(csv.reader(io.StringIO(files[name].decode())))
        for name in files
        if ".csv" in name
    }
    cells = [[int(cell) for cell in row[1:]] for row in table["confusion.csv"][1:]]
    right, images = sum(cells[i][i] for i in range(10)), sum(map(sum, cells))
    assert images == snapshot.attrs["provenance"]["validation_images"]
    assert right / images == pytest.approx(record.val_acc)
    assert [row[0] for row in table["per_class.csv"]] == ["label", *map(str, range(10))]
    assert len(table["curve.csv"]) == 1 + len(record.curve.accs)
    report = told["artifacts"][0]
    assert report["filename"] == "report.html" and report["artifact_id"] in told["note"]["body"]
    assert b"<h1>vgg_reduce-digits</h1>" in ask(f"/artifacts/1/{report['artifact_id']}")


def test_looking_writes_nothing_and_people_may_write(copied: str) -> None:
    before = content(copied)
    ask = serve(copied)
    told = json.loads(ask("/api/studies/1"))
    ask("/api/studies")
    assert content(copied) == before and not uploads_folder(copied).exists()
    version = told["note"]["version"]
    ask("/api/studies/1/note", "PUT", {"body": "Mine.", "version": version + 1})
    trial = told["trials"][2]
    body = {"body": "Mine, too.", "version": trial["note"]["version"] + 1}
    ask(f"/api/studies/1/{trial['trial_id']}/note", "PUT", body)
    for again in (ask, serve(copied)):  # now, and when the dashboard is started again
        told = json.loads(again("/api/studies/1"))
        assert told["note"]["body"] == "Mine."
        assert told["trials"][2]["note"]["body"] == "Mine, too."
        assert "Trial 3" in told["trials"][3]["note"]["body"]
        assert len(told["plotly_graph_objects"]) == len(FIGURES)
    file = {"file": "data:text/plain;base64,aGVsbG8=", "filename": "mine.txt"}
    uploaded = json.loads(ask("/api/artifacts/1", "POST", file))
    assert ask(f"/artifacts/1/{uploaded['artifact_id']}") == b"hello"
    assert len(list(uploads_folder(copied).iterdir())) == 1


def test_a_study_of_another_program_is_left_as_it_is(copied: str) -> None:
    other = optuna.create_study(study_name="other", storage=f"sqlite:///{copied}")
    other.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    told = json.loads(serve(copied)(f"/api/studies/{other._study_id}"))
    assert told["plotly_graph_objects"] == [] and told["note"]["body"] == ""
    assert [trial["artifacts"] for trial in told["trials"]] == [[], [], []]


def test_a_study_that_goes_on_is_drawn_again(copied: str, snapshot: StudySnapshot) -> None:
    ask = serve(copied)
    first = json.loads(ask("/api/studies/1"))
    added = snapshot.study.trials[snapshot.front[0].number]
    snapshot.study.add_trial(added)
    again = json.loads(ask("/api/studies/1"))
    count = len(snapshot.trials)
    assert f"{count} trials" in first["note"]["body"]
    assert f"{count + 1} trials" in again["note"]["body"]
    assert again["note"]["version"] == first["note"]["version"] + 1
    unchanged = json.loads(ask("/api/studies/1"))
    assert unchanged["note"]["version"] == again["note"]["version"]


def test_of_a_trial_that_is_noted_no_longer_nothing_old_is_said(
    copied: str, snapshot: StudySnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "MOST_NOTES", 2)
    ask, front = serve(copied), {record.number for record in snapshot.front}
    first = json.loads(ask("/api/studies/1"))["trials"]
    noted = [t["number"] for t in first if t["note"]["body"] and t["number"] not in front]
    for _ in range(2):
        snapshot.study.add_trial(snapshot.study.trials[snapshot.front[0].number])
    second = json.loads(ask("/api/studies/1"))["trials"]
    assert noted and not any(second[number]["note"]["body"] for number in noted)


def test_a_drawing_that_failed_is_made_up_for(
    copied: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And complained about once, however often a page asks."""
    good = FIGURES["growth"]

    def bad(snapshot: StudySnapshot) -> go.Figure:
        raise ValueError("out of ink")

    ask = serve(copied)
    monkeypatch.setitem(FIGURES, "growth", bad)
    monkeypatch.setattr(Pace, "due", True)
    for _ in range(3):
        assert json.loads(ask("/api/studies/1"))["plotly_graph_objects"] == []
    assert capfd.readouterr().err.count("out of ink") == 1
    monkeypatch.setitem(FIGURES, "growth", good)
    told = json.loads(ask("/api/studies/1"))["plotly_graph_objects"]
    assert sorted(figure["id"] for figure in told) == sorted(FIGURES)


def test_a_drawing_that_fails_takes_no_more_time_than_one_that_does_not(
    copied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def bad(snapshot: StudySnapshot) -> go.Figure:
        calls.append(snapshot)
        raise ValueError("out of ink")

    ask = serve(copied)
    monkeypatch.setitem(FIGURES, "growth", bad)
    monkeypatch.setattr(Pace, "due", False)
    for _ in range(3):
        ask("/api/studies/1")
    assert len(calls) == 1


def test_pages_are_given_the_style_and_nothing_else_is_touched() -> None:
    """Whole, also where a browser has kept the page without it."""

    def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        kept = "HTTP_IF_MODIFIED_SINCE" in environ
        start_response("304" if kept else "200", [("Content-Length", "13"), ("X", "y")])
        return [] if kept else [b"<head>", b"</head>"]

    def ask(path: str, method: str = "GET") -> tuple[str, dict[str, str], bytes]:
        told: list[Any] = []
        environ = {"PATH_INFO": path, "REQUEST_METHOD": method, "HTTP_IF_MODIFIED_SINCE": "then"}
        content = themed(page)(environ, lambda status, headers, *_: told.extend((status, headers)))
        return told[0], dict(told[1]), b"".join(content)

    status, headers, content = ask("/dashboard/studies/1")
    assert status == "200" and headers == {"X": "y", "Content-Length": str(len(content))}
    assert content.startswith(b"<head><style>") and content.endswith(b"</style>\n</head>")
    assert b"addEventListener('click'" in ask(SCRIPT)[2]
    for path, method in (("/api/studies/1", "GET"), ("/dashboard", "HEAD")):
        assert ask(path, method) == ("304", {"Content-Length": "13", "X": "y"}, b"")


def test_the_style_gives_every_figure_its_place_and_the_rest_comes_after_them() -> None:
    def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200", [])
        return [b"<head></head>"]

    environ = {"PATH_INFO": "/dashboard/studies/1", "REQUEST_METHOD": "GET"}
    content = b"".join(themed(page, ORDER)(environ, lambda *_: None)).decode()
    places = re.findall(r'\[id="user-defined-plot:([\w-]+)"\].*\{ order: (\d+); \}', content)
    assert [(name, int(place)) for name, place in places] == [
        (name, place) for place, name in enumerate([*FIGURES, *IMPORTANCES], start=1)
    ]
    assert "~ .MuiGrid-root:not(" in content and f"{{ order: {len(ORDER) + 1}; }}" in content


def test_drawing_waits_until_it_is_a_small_share(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("search.reporting.dashboard.refresh.time.monotonic", lambda: now)
    pace = Pace()
    assert pace.due
    pace.took(0.2)
    now += 0.2 / SHARE - 1
    assert not pace.due
    now += 2
    assert pace.due and (pace.times, pace.seconds) == (1, 0.2)


@pytest.mark.parametrize("name", ["a --b c", "it's --x", 'q" --y $(z)', "NUMBER"])
def test_a_command_in_a_note_keeps_its_words_where_it_is_wrapped(name: str) -> None:
    place = "sqlite:////some/where/quite/long/with a --space/studies.db"
    words = ["python", "-m", "search.export", "--study-name", name, "--storage", place, "--knee"]
    shown = _commands(("search.export", *words[3:])).removeprefix("```\n").removesuffix("\n```")
    assert "\n" in shown and shlex.split(shown.replace("\\\n", "")) == words


def test_only_the_place_of_the_trial_is_filled_in_a_picked_command() -> None:
    html = unescape(picker("pareto", [f"explain --study-name NUMBER --trial {TRIAL}"]))
    assert html.count('class="trial"') == 1
    assert '<span>NUMBER</span> <span>--trial</span> <span><b class="trial"></b></span>' in html


def test_a_damaged_study_is_not_there_for_the_dashboard(copied: str) -> None:
    ask = serve(copied)
    assert json.loads(ask("/api/studies/1"))["name"] == NAME
    assert b"trial is not found" in ask("/artifacts/1/99/d0a3-1-63-4", status="404")
    with closing(sqlite3.connect(copied)) as database, database:
        database.execute("UPDATE study_user_attributes SET value_json = 0 WHERE key = 'identity'")
    for again in (ask, serve(copied)):
        assert json.loads(again("/api/studies"))["study_summaries"] == []
        for path in ("/api/studies/1", "/csv/1", "/artifacts/1/d0a3-1-0"):
            assert "is not found" in json.loads(again(path, status="404"))["reason"]


def test_a_database_that_cannot_be_read_is_one_line_for_the_dashboard(
    copied: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = serve(copied)
    with closing(sqlite3.connect(copied)) as database, database:
        database.execute("DROP TABLE trial_params")
    for path in ("/api/studies/1", "/csv/1", "/artifacts/1/d0a3-1-0"):
        reason = json.loads(ask(path, status="503"))["reason"]
        assert reason.startswith("the database cannot be read: ") and "\n" not in reason
    with closing(sqlite3.connect(copied)) as database, database:
        database.execute("DROP TABLE studies")
    ask("/artifacts/1/d0a3-1-0", status="503")
    assert json.loads(ask("/api/studies"))["study_summaries"] == []
    assert json.loads(ask("/api/studies"))["study_summaries"] == []
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and err.startswith("error: the database cannot be read: ")


def test_what_the_dashboard_fails_at_is_one_line(
    copied: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = serve(copied)
    with closing(sqlite3.connect(copied)) as database, database:
        database.execute("UPDATE studies SET study_name = 'two\nlines'")
    reason = json.loads(ask("/csv/1", status="503"))["reason"]
    assert reason.startswith("cannot be shown: ") and "\n" not in reason
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "value", "cause"),
    [
        ("dashboard:1:note_ver", '"abc"', "ValueError: invalid literal for int()"),
        ("dashboard:1:note_str:0", "5", "TypeError: sequence item 0: expected str"),
        ("dashboard:artifacts:1:abc", '"no json"', "JSONDecodeError: Expecting value"),
    ],
)
def test_a_damaged_note_or_upload_is_one_line(
    copied: str, key: str, value: str, cause: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(copied)) as database, database:
        attributes = {"dashboard:1:note_ver": "1"} | {key: value}
        database.executemany(
            "INSERT INTO study_system_attributes (study_id, key, value_json) VALUES (1, ?, ?)",
            attributes.items(),
        )
    app, _ = served(copied)
    prepare(app, 1)
    reason = json.loads(asking(app)("/api/studies/1", status="503"))["reason"]
    assert reason.startswith(f"cannot be shown: {cause}") and "\n" not in reason
    assert capfd.readouterr().err == ""


def test_what_fails_in_a_study_that_nobody_has_opened_yet_is_not_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        raise ValueError("out of ink")

    prepare(broken, 1)
    assert capfd.readouterr() == ("", "")


def ended(number: int, **more: Any) -> FrozenTrial:
    """A trial as it is stored."""
    trial = create_trial(**({"state": TrialState.PRUNED} | more))
    trial.number = trial._trial_id = number
    return trial


def test_to_look_at_ended_trials_once_shows_the_same() -> None:
    lr, wide = FloatDistribution(1e-3, 1e-1, log=True), FloatDistribution(1e-5, 1e-2, log=True)
    kind = CategoricalDistribution((0, 1))  # theirs shuffles texts
    trials = [
        ended(0, params={"lr": 0.01, "kind": 0}, distributions={"lr": lr, "kind": kind}),
        ended(1, params={"lr": 0.02, "kind": 1}, distributions={"lr": lr, "kind": kind}),
        ended(2, state=TrialState.FAIL, user_attrs={"x": 1}),
        ended(3, state=TrialState.RUNNING, params={"lr": 0.01}, distributions={"lr": lr}),
        ended(4, params={"lr": 1e-4}, distributions={"lr": wide}, user_attrs={"x": "text"}),
    ]
    later = [
        *trials[:3],
        ended(3, params={"lr": 0.01}, distributions={"lr": lr}, intermediate_values={1: 0.5}),
        trials[4],
        ended(5, params={"n": 3}, distributions={"n": IntDistribution(1, 9)}),
    ]
    storage = InMemoryStorage()
    theirs, ours = optuna_dashboard.wsgi(storage), optuna_dashboard.wsgi(storage)
    study = optuna.create_study(storage=storage)
    look_at_ended_trials_once(ours, lambda _: study)
    for known in (trials[:2], trials, later, later):
        shown = [
            get_cached_extra_study_property(app._inmemory_cache, 7, known) for app in (theirs, ours)
        ]
        assert shown[0] == shown[1] and len(shown[1][1]) == len({*known[-1].params, "lr", "kind"})
    assert shown[1][3] and dict(shown[1][2]) == {"x": False}


def test_a_text_is_pinned_in_one_piece(copied: str) -> None:
    """For each trial, optuna-dashboard looks through the names of all attributes of the study."""
    with quiet_optuna():
        storage = DashboardStorage(copied)
    refresher = Refresher(storage, copied)
    for _ in range(2):  # drawn again over what was there
        refresher.refresh(1)
        refresher.quick = Pace()
        storage.study(1).set_user_attr("new", _)
    pinned = [key for key in storage.get_study_system_attrs(1) if key.startswith(PLOT)]
    assert sorted(pinned) == sorted(f"{PLOT}{name}:0" for name in FIGURES)


def seen(answer: bytes) -> dict[str, Any]:
    """What a page looks at, with what optuna-dashboard keeps in sets in an order."""
    told: dict[str, Any] = json.loads(answer)
    for trial in told["trials"]:
        for param in trial["params"]:
            param.pop("distribution", None), param.pop("param_external_pytyp", None)
    told["plotly_graph_objects"].sort(key=lambda figure: figure["id"])
    return told


def test_a_page_is_sent_what_optuna_dashboard_would_send_and_half_of_it_less(copied: str) -> None:
    ours, theirs = served(copied)
    for after in (0, 2, 10_000):
        path = f"/api/studies/1?after={after}"
        mine, whole = asking(ours)(path), asking(theirs)(path)
        assert seen(mine) == seen(whole)
    assert len(asking(ours)("/api/studies/1")) < 0.8 * len(asking(theirs)("/api/studies/1"))
    for path, status in (("/api/studies/1?after=-1", "400"), ("/api/studies/7", "404")):
        assert "reason" in json.loads(asking(ours)(path, status=status))


def test_a_configuration_is_sent_as_it_is_stored_unless_another_program_wrote_it(
    copied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To make its text again would be half of what an answer with many trials takes."""
    made: list[object] = []
    text_of = ended_kept._attribute

    def noted(value: object) -> str:
        made.append(value)
        return text_of(value)

    monkeypatch.setattr(ended_kept, "_attribute", noted)
    json.loads(serve(copied)("/api/studies/1"))
    assert made and not any(isinstance(value, StoredConfig) for value in made)
    right_to_left = "\u202e"
    with closing(sqlite3.connect(copied)) as database, database:
        key = "key = 'config' AND trial_id = 1"
        [(text,)] = database.execute(f"SELECT value_json FROM trial_user_attributes WHERE {key}")
        config = json.loads(text)
        config["data"]["source"] = f"a{right_to_left}b"
        stored = json.dumps(config, ensure_ascii=False)
        database.execute(f"UPDATE trial_user_attributes SET value_json = ? WHERE {key}", (stored,))
    mine, whole = (seen(asking(app)("/api/studies/1")) for app in served(copied))
    assert mine == whole and right_to_left not in str(mine["trials"][0]["user_attrs"])


@pytest.mark.parametrize("name", [NAME, "other"])
@pytest.mark.parametrize("new_file", [False, True])
def test_of_a_study_that_was_replaced_nothing_old_is_shown(
    copied: str, name: str, new_file: bool
) -> None:
    """Neither where another program deleted it, nor where the file is another one: the new study
    and its trials get the ids of the old ones."""
    ask, url = serve(copied), f"sqlite:///{copied}"
    old = json.loads(ask("/api/studies/1"))
    if new_file:
        Path(copied).unlink()
    else:
        optuna.delete_study(study_name=NAME, storage=url)
    study = optuna.create_study(study_name=name, storage=url, directions=["maximize", "minimize"])
    for number in range(len(old["trials"]) + 1):
        params, values = {"only": 0.5}, [0.9, float(number)]
        ranges: dict[str, BaseDistribution] = {"only": FloatDistribution(0, 1)}
        study.add_trial(create_trial(values=values, params=params, distributions=ranges))
    again, fresh = seen(ask("/api/studies/1")), seen(serve(copied)("/api/studies/1"))
    assert again == fresh and again["trials"][0]["values"][0] == 0.9
    assert [each["name"] for each in again["union_search_space"]] == ["only"]
    assert old["plotly_graph_objects"] and not again["plotly_graph_objects"]


def test_a_database_whose_file_is_gone_is_one_line_and_no_empty_file(copied: str) -> None:
    ask = serve(copied)
    first = json.loads(ask("/api/studies/1"))
    moved = Path(copied).rename(f"{copied}.moved")
    for path in ("/api/studies/1", "/api/studies", "/csv/1"):
        reason = json.loads(ask(path, status="503"))["reason"]
        assert reason == f"--storage {copied} is gone: put it back, or end the dashboard"
    assert not Path(copied).exists()
    moved.rename(copied)
    assert json.loads(ask("/api/studies/1"))["trials"] == first["trials"]


def test_a_study_is_remembered_while_it_goes_on_and_forgotten_with_its_trials(
    copied: str, snapshot: StudySnapshot
) -> None:
    with quiet_optuna():
        storage = DashboardStorage(copied)
    theirs = serializer()
    assert theirs is not None
    texts = ended_kept._TrialTexts(storage, theirs)
    texts.after(1, 0)
    opened = id(storage.study(1))
    snapshot.study.enqueue_trial({})
    storage.forget_replaced(1)
    running = snapshot.study.ask()
    storage.forget_replaced(1)
    snapshot.study.tell(running, state=TrialState.PRUNED)
    storage.forget_replaced(1)
    assert id(storage.study(1)) == opened and len(texts._kept) == 1
    storage.delete_study(1)
    gc.collect()
    assert len(texts._kept) == 0


def test_an_ended_trial_becomes_json_again_only_with_another_note(
    copied: str, snapshot: StudySnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    theirs = serializer()
    assert theirs is not None

    def counted(study_id: int, trial: FrozenTrial, attrs: dict[str, Any]) -> dict[str, Any]:
        made.append(trial.number)
        return theirs(study_id, trial, attrs)

    monkeypatch.setattr(ended_kept, "serializer", lambda: counted)
    app, _ = served(copied)
    prepare(app, 1)
    numbers = [trial.number for trial in snapshot.trials]
    assert made == numbers
    ask = asking(app)
    first = json.loads(ask("/api/studies/1"))["trials"]
    assert made == numbers
    version = first[2]["note"]["version"] + 1
    ask(f"/api/studies/1/{first[2]['trial_id']}/note", "PUT", {"body": "Mine.", "version": version})
    again = json.loads(ask("/api/studies/1"))["trials"]
    assert made == [*numbers, 2] and again[2]["note"] == {"version": version, "body": "Mine."}
    assert again[:2] + again[3:] == first[:2] + first[3:]
    running = snapshot.study.ask()
    for _ in range(2):
        assert len(json.loads(ask("/api/studies/1"))["trials"]) == len(numbers) + 1
    assert made.count(running.number) == 2


def test_another_optuna_dashboard_answers_for_itself(
    copied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna_dashboard, "__version__", "0.22.0")
    with quiet_optuna():
        storage = DashboardStorage(copied)
    dashboard = optuna_dashboard.wsgi(storage)
    assert ended_trials_kept(dashboard, storage) is dashboard


@pytest.mark.slow
def test_a_server_that_begins_loads_no_matplotlib() -> None:
    """Only who opens a trial's picture needs it."""
    code = """
import sys
import search.reporting.dashboard.server
sys.exit("matplotlib" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
