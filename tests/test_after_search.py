"""What is done with a study that has been searched: choose, confirm, replay."""

import json
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import pytest
import torch
from optuna.trial import TrialState

from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.training import Training
from search import confirm as confirm_command
from search.problem.front import pareto_front
from search.study.records import TrialRecord, read_records
from search.study.repeats import as_attribute, fresh_seeds, read_repeats
from search.study.storage import open_storage

NAME = ("--study-name", "vgg_reduce-digits")
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The database of a small search: five trials that all ran to their end."""
    from search.run import main

    folder = tmp_path_factory.mktemp("searched")
    small = ("--epochs", "2", "--image-size", "16", "--per-class", "20", "--max-params", "20k")
    with pytest.MonkeyPatch.context() as context:
        context.chdir(folder)
        context.setenv("PARETRAIN_CACHE", str(folder / "cache"))
        few = ["--trials", "5", "--baselines", "none", "--pruner", "none", "--quiet"]
        context.setattr(sys, "argv", ["program", *few, *small])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == 0
    yield folder / "studies.db"


@pytest.fixture
def command(
    searched: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run_main: Command,
) -> Command:
    """Runs a command of search/ beside a copy of the database: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    source, copy = sqlite3.connect(searched), sqlite3.connect("studies.db")
    source.backup(copy)
    source.close()
    copy.close()
    return run_main


def study() -> optuna.Study:
    return optuna.load_study(study_name=NAME[1], storage=open_storage("studies.db"))


def records() -> list[TrialRecord]:
    return read_records(study(), TrialState.COMPLETE)


def test_every_way_to_choose(command: Command) -> None:
    from search.export import main as export

    front = pareto_front(records())
    best, smallest = front[-1], front[0]

    def chosen(*options: object) -> int:
        code, out, err = command(export, *NAME, *options)
        assert code == 0
        config = TrainConfig.from_yaml(out)
        assert "next: " in err and "parameters" in err
        (number,) = [
            r.number for r in records() if r.config.seed == config.seed
        ]  # a trial's seed is its own
        assert out.startswith(f"# Trial {number} of study vgg_reduce-digits: ")
        return number

    assert chosen("--best") == best.number
    assert chosen("--max-params", smallest.num_params) == smallest.number
    assert chosen("--min-acc", best.val_acc) == best.number
    assert chosen("--min-acc", smallest.val_acc) == smallest.number
    assert chosen("--within", "100%") == smallest.number
    assert chosen("--within", "0.0001%") == best.number
    assert chosen("--trial", 3) == 3
    for record in front:
        assert chosen("--min-acc", record.val_acc) == record.number
    assert chosen("--knee") in [record.number for record in front]


def test_the_neighbours_on_the_front_are_named_with_their_margins(command: Command) -> None:
    from search.export import main as export

    front = pareto_front(records())
    assert len(front) > 1, "another seed is needed"
    code, out, _ = command(export, *NAME, "--best", "--out", "my best.yaml")
    assert code == 0
    margin = 100 * (front[-2].val_acc - front[-1].val_acc)
    assert f"next smaller: #{front[-2].number}" in out and f"{margin:+.2f} points" in out
    assert "next: python -m paretrain 'my best.yaml'" in out and "trained once: " in out
    head = Path("my best.yaml").read_text().split("format:")[0]
    assert "5 finished of 5 trials: the most accurate one" in head
    assert "space vgg_reduce.py, sampler front, seed 0" in head


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--min-acc", "100%"), "no finished trial has 100%: the most accurate one has"),
        (("--max-params", "10"), "no finished trial has at most 10 parameters: the smallest has"),
        (("--trial", "77"), "no trained trial 77 in this study: there are trials 0 to 4"),
        (("--within", "none"), "--within none: must be more than 0 and at most 100%"),
        (("--min-acc", "95"), "--min-acc 95: must be more than 0 and at most 100%"),
        (("--best", "--within", "1%"), "got --within and --best"),
    ],
)
def test_choices_that_cannot_be_made(
    command: Command, options: tuple[str, ...], message: str
) -> None:
    from search.export import main as export

    code, out, err = command(export, *NAME, *options, "--out", "best.yaml")
    assert code == 2 and out == "" and err.count("\n") == 1 and message in err
    assert not Path("best.yaml").exists()


def test_a_study_without_a_finished_trial(command: Command) -> None:
    from search.export import main as export
    from search.replay import main as replay

    empty = ("--study-name", "empty")
    optuna.create_study(
        study_name="empty", storage=open_storage("studies.db"), directions=["maximize", "minimize"]
    )
    code, _, err = command(export, *empty, "--knee")
    assert code == 2 and "no finished trial to choose from (0 in all)" in err
    code, _, err = command(confirm_command.main, *empty)
    assert code == 2 and "so it has no front" in err
    code, _, err = command(replay, *empty, "--trial", 0)
    assert code == 2 and "no trial 0 in study 'empty': it has none" in err
    for main in (confirm_command.main, replay):
        more = () if main is confirm_command.main else ("--trial", 0)
        code, _, err = command(main, "--study-name", "vgg_reduce-digist", *more)
        assert code == 2 and "did you mean 'vgg_reduce-digits'" in err


def test_replay_of_a_trial_is_equal_to_the_last_bit(command: Command) -> None:
    from search.replay import main as replay

    torch.set_num_threads(2)
    code, out, _ = command(replay, *NAME, "--trial", 2, "--device", "cpu")
    assert code == 0 and "equal to the last bit in all 2 epochs" in out
    assert torch.get_num_threads() == 1, "the study's own number"
    code, _, err = command(replay, *NAME, "--trial", 5)
    assert code == 2 and "there are trials 0 to 4" in err


def test_replay_says_where_curves_differ_and_what_else_does(command: Command) -> None:
    from search.replay import main as replay

    found = study()
    curve = found.trials[2].user_attrs["curve"]
    curve["val_acc"][1] -= 0.25
    curve["train_loss"][0] += 1e-12
    with sqlite3.connect("studies.db") as database:
        database.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE key = 'curve' AND trial_id = 3",
            (json.dumps(curve),),
        )
    database.close()
    found.set_user_attr("provenance", found.user_attrs["provenance"] | {"torch": "1.2.3"})
    code, out, _ = command(replay, *NAME, "--trial", 2, "--device", "cpu")
    assert code == 1
    first, second = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert first.endswith("train_loss differ") and second.endswith("val_acc differ")
    assert "the curves differ from epoch 1 on, the accuracy by 25.00 points at most" in out
    assert f"what differs: torch 1.2.3 then, {torch.__version__.split('+')[0]}" in out


def test_a_front_is_confirmed_by_the_workers_and_goes_on_after_ctrl_c(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.export import main as export

    before = records()
    front = pareto_front(before)
    wanted = 2 * len(front)

    with monkeypatch.context() as context:

        def interrupt(*arguments: object) -> object:
            signal.raise_signal(signal.SIGINT)
            return as_attribute(*arguments)  # type: ignore[arg-type]

        context.setattr(confirm_command, "as_attribute", interrupt)
        code, out, err = command(confirm_command.main, *NAME, "--seeds", 2, "--device", "cpu")
    assert code == 130 and out == "" and "the same command goes on from here" in err
    assert f"{wanted} trainings" in err and read_repeats(study()) == {}
    code, out, err = command(confirm_command.main, *NAME, "--seeds", 2, "--device", "cpu")
    assert code == 0 and "Rank" in out
    repeats = read_repeats(study())
    assert {number: [r.seed for r in of] for number, of in repeats.items()} == {
        record.number: fresh_seeds(record.number, 2) for record in front
    }
    # The search knows nothing of them: they do not count, and the front is the same.
    assert records() == before and study().user_attrs["owner"] is None
    again = front[0].config.model_copy(update={"seed": fresh_seeds(front[0].number, 1)[0]})
    mine = [r.val_acc for r in Training(again, load_data(again.data), torch.device("cpu")).epochs()]
    assert tuple(mine) == repeats[front[0].number][0].val_accs

    code, out, err = command(confirm_command.main, *NAME, "--seeds", 2, "--device", "cpu")
    assert code == 0 and "trainings" not in err and f"#{front[0].number}" in out
    code, out, err = command(export, *NAME, "--best")
    assert "2 other seeds: " in err and "(95%: " in err and "trained once" not in err
    assert "# Trained again with 2 other seeds: " in out


def test_other_images_than_the_searchs_confirm_nothing(command: Command) -> None:
    found = study()
    changed = found.user_attrs["provenance"] | {"data_fingerprint": "0123"}
    found.set_user_attr("provenance", changed)
    code, _, err = command(confirm_command.main, *NAME, "--device", "cpu")
    assert code == 2 and "the images of digits have changed since the search" in err
