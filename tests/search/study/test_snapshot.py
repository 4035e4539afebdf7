"""What is shown of a study, and what it takes to show it: no code that only a database names."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from search import compare, explain, export, report, status, table
from search.problem.space import load_space
from search.reporting.answers.study import answers
from search.reporting.answers.study import command as more_trials
from search.study import attributes as attr
from search.study.snapshot import read_snapshot
from search.study.storage import load_study
from tests.harness import NAME, RunMain

MINE = """\
'''Widths of one layer.'''
from pathlib import Path

from paretrain.config import SGDConfig, TrainConfig
from paretrain.network_config import VGGConfig, VGGStage

with Path("ran.txt").open("a") as log:
    log.write("ran\\n")
BASELINES = {"wide": {"width": 16, "lr": 0.05}}
CLAIMS = {"wide": "97 %"}
LEVELS = {"no": (4, 8), "yes": (16,)}
QUESTIONS = {"big": {"ask": "Is wide better?", "of": ("width",), "levels": LEVELS}}


def suggest(trial):
    width = trial.suggest_categorical("width", [4, 8, 16])
    stage = VGGStage(width=width, kernels=("3x3",))
    return TrainConfig(
        network=VGGConfig(stages=(stage,)),
        optimizer=SGDConfig(lr=trial.suggest_float("lr", 0.01, 0.1)),
        batch_size=32,
    )
"""
OWN = ("--space", "mine.py", "--epochs", 1, "--image-size", 16, "--per-class", 20, "--trials", 3)


@pytest.fixture
def own_study(search: RunMain, here: Path) -> Callable[[], int]:
    """A finished study `mine-digits` of a file of one's own, which notes whenever it is run. Gives
    how often it has been run since."""
    (here / "mine.py").write_text(MINE)
    done = search(*OWN)
    assert done.code == 0, done.err
    ran = here / "ran.txt"
    assert ran.exists()
    ran.unlink()
    return lambda: len(ran.read_text().splitlines()) if ran.exists() else 0


def view_all(run_main: RunMain, name: str) -> str:
    """Everything that shows a study, as text."""
    of = ("--study-name", name)
    said = [run_main(status.main), run_main(status.main, *of), run_main(report.main, *of)]
    said.append(run_main(explain.main, *of, "--trial", 0))
    said.append(run_main(export.main, *of, "--best"))
    assert [done.code for done in said] == [0] * len(said), said
    page = Path(f"{name}.html").read_text()
    return page + "".join(done.out + done.err for done in said)


def rewrite(key: str, value: object) -> None:
    """Set an attribute of the only study, as somebody else's program would."""
    with closing(sqlite3.connect("studies.db")) as db, db:
        db.execute("DELETE FROM study_user_attributes WHERE key = ?", (key,))
        db.execute(
            "INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (1, ?, ?)",
            (key, json.dumps(value)),
        )


def test_a_study_shows_what_its_own_file_said_without_running_it(
    own_study: Callable[[], int], run_main: RunMain, monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    monkeypatch.setenv("PARETRAIN_STATE", str(here / "somebody-else"))
    shown = view_all(run_main, "mine-digits")
    assert "Widths of one layer." in shown and "97 %" in shown and "Is wide better?" in shown
    assert "PATH/TO/mine.py" in shown
    assert run_main(table.main, "--study-name", "mine-digits").out.count("97 %") == 1
    assert own_study() == 0


def test_a_file_that_this_user_has_searched_with_is_run_for_its_answers_only(
    own_study: Callable[[], int], run_main: RunMain, here: Path
) -> None:
    of = ("--study-name", "mine-digits")
    assert run_main(status.main, *of).code == 0
    assert run_main(table.main, *of).code == 0
    assert own_study() == 0
    assert read_snapshot("studies.db", "mine-digits").space is not None
    assert own_study() == 1
    (here / "mine.py").write_text(MINE + "\nchanged = True\n")
    assert read_snapshot("studies.db", "mine-digits").space is None
    assert own_study() == 1


def test_what_only_a_database_names_is_never_run(
    command: RunMain, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by its name as a path, nor by path and fingerprint, nor by a compiled file."""
    evil = here / "evil.py"
    evil.write_text(MINE)
    fingerprint = load_space(str(evil)).fingerprint
    Path("ran.txt").unlink()
    identity = dict(load_study("studies.db", NAME).user_attrs[attr.IDENTITY])
    for space, file in (
        (str(evil), None),
        ("./evil.py", None),
        ("../x/evil", None),
        ("vgg_reduce", {"path": str(evil), "fingerprint": fingerprint}),
        (str(evil), {"path": "/dev/zero", "fingerprint": fingerprint}),
    ):
        rewrite(attr.IDENTITY, identity | {"space": space})
        rewrite(attr.SPACE_FILE, file)
        shown = view_all(command, NAME)
        assert "is not run" in shown
        assert "PATH/TO/" in more_trials(read_snapshot("studies.db", NAME), 3)
        found = answers(read_snapshot("studies.db", NAME))
        assert found.trials == 5 and found.savings is None
        assert command(table.main, "--study-name", NAME).code == 2
        assert not Path("ran.txt").exists(), (space, file)
    assert command(compare.main, NAME, "other").code == 2
