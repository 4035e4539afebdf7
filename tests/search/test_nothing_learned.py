"""A study that learned nothing: every command says so first, and hands nothing out as found."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paretrain.config import TrainConfig
from search.compare import main as compare
from search.confirm import main as confirm
from search.explain import main as explain
from search.export import main as export
from search.frames import trials_frame
from search.problem.chance import Chance
from search.report import main as report
from search.reporting.notes import TrialNotes, study_note
from search.run import main as run
from search.status import main as status
from search.study.images import chance_of
from search.study.snapshot import read_snapshot
from tests.harness import RunMain, finished_trials, study, succeed_in

NAME = "vgg_reduce-noise"
STUDY = ("--study-name", NAME)
TINY = ("--epochs", 1, "--image-size", 16, "--max-params", "20k", "--baselines", "none")
HEADLINE = (
    "nothing learned yet: none of the 3 finished networks is better than guessing (always "
    "answering 'dog' is right for 62.5% of the 24 validation images; 95.8% or more would be "
    "better than luck)"
)


def noise_folder(root: Path) -> Path:
    """Noise that has nothing to do with its class; most of validation are dogs."""
    draws = np.random.default_rng(0)
    counts = {"train/cat": 8, "train/dog": 8, "val/cat": 9, "val/dog": 15}
    for place, count in counts.items():
        (root / place).mkdir(parents=True)
        for number in range(count):
            pixels = draws.integers(0, 256, (16, 16, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(root / place / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def learned_nothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a search of noise whose three trials ran to their end. To be read only."""
    folder = tmp_path_factory.mktemp("noise")
    data = noise_folder(folder / "noise")
    every = ("--data", data, "--trials", 3, "--pruner", "none", "--quiet")
    succeed_in(folder, run, *TINY, *every)
    return folder


@pytest.fixture
def command(learned_nothing: Path, here: Path, run_main: RunMain) -> RunMain:
    """Runs a command beside a copy of its database."""
    (here / "noise").symlink_to(learned_nothing / "noise")
    old_path = learned_nothing / "studies.db"
    with closing(sqlite3.connect(old_path)) as old, closing(sqlite3.connect("studies.db")) as new:
        old.backup(new)
    return run_main


def test_the_run_says_it_first_and_names_no_front(command: RunMain) -> None:
    code, out, _ = command(run, *TINY, "--data", "noise", "--trials", 3)
    assert code == 0 and out.startswith(HEADLINE), out
    assert "try more epochs in a new study (--epochs 10)" in out
    assert "16 training images of 2 classes are few" in out
    assert "Pareto front" not in out and "search.export" not in out and "confirm" not in out
    assert "python -m search.status --study-name vgg_reduce-noise" in out


@pytest.mark.slow
def test_a_trial_that_guesses_says_so_when_it_ends(command: RunMain) -> None:
    options = (*TINY, "--data", "noise", "--study-name", "one", "--trials", 1)
    done = command(run, *options, "--json")
    (ended,) = [event for event in done.events if event["event"] == "trial_ended"]
    end = done.events[-1]
    assert ended["guesses"] is True
    assert end["front"] == [] and end["nothing_learned"][0].startswith("nothing learned yet: the")
    assert end["chance"] == {"val_acc": 0.625, "answer": "dog"}


@pytest.mark.parametrize("choice", ["--knee", "--best", "--within=1%", "--min-acc=10%"])
def test_nothing_is_exported_as_the_best_of_what_guesses(command: RunMain, choice: str) -> None:
    code, out, err = command(export, *STUDY, choice, "--out", "best.yaml")
    assert code == 2 and out == "" and err.count("\n") == 1
    assert HEADLINE in err and "--trial NUMBER exports a network as it is" in err
    assert not Path("best.yaml").exists()


def test_a_trial_that_is_named_is_exported_with_a_word_on_it(command: RunMain) -> None:
    code, out, _ = command(export, *STUDY, "--trial", 1, "--out", "one.yaml")
    guess = "no better than guessing: always answering 'dog' is right for 62.5%"
    assert code == 0 and f"  it is {guess}" in out
    text = Path("one.yaml").read_text()
    assert f"# In that search it was {guess}" in text
    assert TrainConfig.from_yaml(text).seed == finished_trials(NAME)[1].config.seed


def test_status_explain_and_compare_say_the_same(command: RunMain) -> None:
    _, out, _ = command(status)
    assert f"{NAME}: {HEADLINE}" in out and " 0 " in out
    _, out, _ = command(status, *STUDY)
    assert HEADLINE in out and "  try more epochs" in out
    _, out, _ = command(explain, *STUDY, "--trial", 0)
    said = " ".join(out.split())
    assert "not on the front, no better than guessing: always answering 'dog'" in said
    assert HEADLINE in out


@pytest.mark.slow
def test_studies_that_learned_nothing_cannot_be_compared(command: RunMain) -> None:
    again = ("--study-name", "again", "--data", "noise", "--trials", 1, "--quiet")
    assert command(run, *TINY, *again).code == 0
    code, _, err = command(compare, NAME, "again")
    assert code == 2 and f"{NAME}: {HEADLINE}" in err and "again: nothing learned yet" in err


def test_confirm_trains_nothing(command: RunMain) -> None:
    code, _, err = command(confirm, *STUDY)
    assert code == 2 and err.count("\n") == 1 and HEADLINE in err


def test_report_and_dashboard_begin_with_it(command: RunMain) -> None:
    snapshot = read_snapshot("studies.db", NAME)
    note = study_note(snapshot, "report.html")
    assert note.startswith("**nothing learned yet: none of the 3") and "search.export" not in note
    assert "No network is on it yet." in note
    trial_note = TrialNotes(snapshot)(snapshot.trials[0])
    assert trial_note.startswith("**Finished, no better than guessing**")
    assert command(report, *STUDY, "--out", "page.html").code == 0
    page = Path("page.html").read_text()
    assert page.index("nothing learned yet") < page.index("Pareto front")
    assert "no network is better than guessing" in page


def test_frames_put_no_guess_on_the_front(command: RunMain) -> None:
    frame = trials_frame(study(NAME))
    assert not frame["on_front"].any() and not frame["beats_chance"].any()


def test_a_study_from_before_says_what_its_confusion_matrices_tell(command: RunMain) -> None:
    with closing(sqlite3.connect("studies.db")) as database, database:
        database.execute("DELETE FROM study_user_attributes WHERE key = 'images'")
    assert chance_of(study(NAME)) == Chance(0.625, 24, "dog")
    _, out, _ = command(status, *STUDY)
    assert HEADLINE in out
