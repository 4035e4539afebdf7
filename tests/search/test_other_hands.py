"""Studies that somebody else has touched: with SQL, with Optuna itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search.explain import main as explain
from search.export import main as export
from search.report import main as report
from search.status import main as status
from tests.harness import NAME, STUDY, RunMain, make_larger_ones_better, study


def looks_well(command: RunMain) -> None:
    for main, *words in (
        (status,),
        (status, *STUDY),
        (export, *STUDY, "--best"),
        (report, *STUDY, "--out", "page.html"),
    ):
        code, _, err = command(main, *words)
        assert code == 0, err


@pytest.mark.slow
def test_a_trial_deleted_by_sql_is_gone_and_the_others_stay(command: RunMain) -> None:
    make_larger_ones_better()  # so that the others have a front
    with closing(sqlite3.connect("studies.db")) as database, database:
        database.execute("DELETE FROM trials WHERE number = 2")
    looks_well(command)
    code, _, err = command(explain, *STUDY, "--trial", 2)
    assert code == 2 and err == f"error: no trial 2 in study '{NAME}': it has been deleted\n"
    assert command(explain, *STUDY, "--trial", 3).out.startswith("Trial 3: ")


@pytest.mark.slow
def test_trials_that_another_program_added_are_no_finds(command: RunMain) -> None:
    other = study()
    other.add_trial(create_trial(state=TrialState.COMPLETE, values=[1.0, 1.0]))
    other.add_trial(create_trial(state=TrialState.FAIL))
    optuna.create_study(study_name="another", storage="sqlite:///studies.db").ask()
    looks_well(command)
    page = Path("page.html").read_text(encoding="utf-8")
    assert f"#{len(other.trials) - 2}</td>" not in page
    assert command(explain, *STUDY, "--trial", len(other.trials) - 2).code == 0
