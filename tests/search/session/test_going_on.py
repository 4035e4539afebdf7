"""A study that goes on: what it remembers, what it refuses, and when nothing is left to do."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from paretrain.config import DataConfig
from search.problem.space import load_space
from search.session import remembered
from search.session.budget import Limits
from search.session.options import Options
from search.session.plan import Plan, Stored, settle
from search.study.attributes import MIN_ACC, SETTINGS
from search.study.owner import sole_owner
from tests.harness import NAME, RunMain, study

SMALL = ("--epochs", "1", "--image-size", "16", "--per-class", "20", "--baselines", "none")


def test_every_option_is_remembered_or_said_anew_on_purpose() -> None:
    lists = (
        remembered.WHICH,
        remembered.OF_THE_STUDY,
        tuple(remembered.OF_ITS_RUNS),
        remembered.OF_ONE_RUN,
    )
    names = [name for listed in lists for name in listed]
    assert sorted(names) == sorted(field.name for field in fields(Options))
    assert {field.name for field in fields(Plan)} >= set(remembered.OF_ITS_RUNS)


VALUES: dict[str, Any] = {
    "max_params": 5_000,
    "max_size_mb": 0.5,
    "min_acc": 0.5,
    "weights_dir": "/weights",
    "microbatch": True,
    "stall_s": 60.0,
    "storage_wait_s": 60.0,
    "seed": 7,
    "pruner": "none",
    "sampler": "tpe",
    "baselines": "all",
    "prior": "auto",
}


@pytest.mark.parametrize("name", remembered.OF_ITS_RUNS)
def test_each_setting_of_a_run_is_taken_over_said_and_changed(
    name: str, plan: Callable[..., Plan]
) -> None:
    open_ = Options(space=load_space("vgg_reduce"), data=DataConfig(), limits=Limits(5))
    first = plan("vgg_reduce", **{name: VALUES[name]})
    has = Stored(first.identity("f"), threads=1, settings=first.settings())
    again = settle(open_, has)
    assert getattr(again, name) == VALUES[name]
    option = name.removesuffix("_s").replace("_", "-")
    assert any(str(kept).startswith(f"--{option}") for kept in again.kept)
    assert settle(open_, None).settings() | {name: VALUES[name]} != settle(open_, None).settings()
    if name in remembered.LIFTABLE:
        unlimited: dict[str, Any] = {name: "none"}
        lifted = Options(space=open_.space, data=open_.data, limits=open_.limits, **unlimited)
        assert getattr(settle(lifted, has), name) is None


def test_the_first_lines_say_what_is_taken_from_the_study(search: RunMain) -> None:
    begun = ("--max-params", "20k", "--seed", "3", "--pruner", "none", *SMALL)
    assert search("--trials", 1, *begun).code == 0
    code, _, err = search("--trials", 2)
    assert code == 0
    (kept,) = [line for line in err.splitlines() if line.startswith("kept ")]
    for option in (
        *("--max-params 20000", "--seed 3", "--pruner none", "--baselines none"),
        *("--epochs 1", "--image-size 16", "--per-class 20"),
    ):
        assert option in kept
    assert "limit     20k parameters" in err
    stored = study().user_attrs[SETTINGS]
    assert (stored["max_params"], stored["seed"], stored["baselines"]) == (20_000, 3, "none")
    assert len(study().trials) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [("--epochs", "2"), ("--image-size", "20"), ("--per-class", "10"), ("--threads", "2")]
)
def test_a_dry_run_refuses_what_the_run_refuses_before_it_measures(
    search: RunMain, monkeypatch: pytest.MonkeyPatch, change: tuple[str, ...]
) -> None:
    assert search("--trials", 1, "--max-params", "20k", *SMALL).code == 0
    monkeypatch.setattr("search.session.runner.load_data", None)  # calling it would fail
    run = search("--trials", 2, *change)
    dry = search("--trials", 2, *change, "--dry-run")
    assert run == dry and run.code == 2
    assert "was begun with other settings" in run.err


def test_a_dry_run_of_a_study_that_somebody_runs_is_refused_too(
    search: RunMain, plan: Callable[..., Plan]
) -> None:
    place = plan().storage
    with sole_owner(place, NAME):
        for dry in ((), ("--dry-run",)):
            code, _, err = search("--storage", "x.db", *SMALL, *dry)
            assert code == 2 and f"study '{NAME}' is being run by" in err
    assert not Path("x.db").exists()


@pytest.mark.slow
def test_a_dry_run_counts_what_is_done_and_changes_nothing(search: RunMain) -> None:
    assert search("--trials", 1, "--max-params", "20k", *SMALL).code == 0
    before = dict(study().user_attrs)
    code, _, err = search("--trials", 3, "--max-params", "10k", "--dry-run")
    assert code == 0 and "3 trials, 1 done" in err and "limit     10k parameters" in err
    assert study().user_attrs == before and len(study().trials) == 1


def test_a_finished_study_run_again_says_so_and_changes_nothing(search: RunMain) -> None:
    assert search("--trials", 2, "--max-params", "20k", *SMALL).code == 0
    before, trials = dict(study().user_attrs), study().trials
    for again in ((), ("--baselines", "none"), ("--max-params", "20k", "--quiet"), ("--dry-run",)):
        code, out, err = search("--trials", 2, *again)
        assert code == 0 and "python -m search.status" in out
        assert ("nothing to do: the study has its 2 trials" in err) == ("--quiet" not in again)
        assert study().user_attrs == before and study().trials == trials
    events = search("--trials", 1, "--json", "--baselines", "all", "--min-acc", "90%").events
    assert [event["event"] for event in events] == ["study", "note", "end"]
    assert study().trials == trials
    kept = study().user_attrs[SETTINGS]  # what was said is said for the next run too
    assert (kept["baselines"], kept["min_acc"], study().user_attrs[MIN_ACC]) == ("all", 0.9, 0.9)


@pytest.mark.slow
def test_a_study_of_an_earlier_version_keeps_what_it_noted(search: RunMain) -> None:
    begun = ("--max-params", "20k", "--seed", "3", "--pruner", "none", *SMALL)
    assert search("--trials", 1, *begun).code == 0
    with closing(sqlite3.connect("studies.db")) as database, database:
        database.execute("DELETE FROM study_user_attributes WHERE key = ?", (SETTINGS,))
    code, _, err = search("--trials", 2, "--baselines", "none")
    assert code == 0 and "limit     20k parameters" in err
    (kept,) = [line for line in err.splitlines() if line.startswith("kept ")]
    assert "--seed 3" in kept and "--pruner none" in kept
