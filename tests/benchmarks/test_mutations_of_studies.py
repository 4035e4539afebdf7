"""Damaged databases: no traceback, nothing that cannot be true, whatever is in them."""

import os
import signal
import time
from pathlib import Path

import pytest

from benchmarks.mutations.confined import Try, in_processes
from benchmarks.mutations.looking import CHANGES, LOOKS, Said, faults_of, faults_of_row
from benchmarks.mutations.study import make_base, run_mutations
from tests.harness import forecast_briefly


@pytest.mark.slow
def test_100_mutations_of_a_database_give_no_traceback_and_nothing_impossible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    forecast_briefly(monkeypatch)
    tally = run_mutations(range(100), 1, make_base(tmp_path), tmp_path, processes=2)
    assert not tally.faults, tally.faults[0]
    assert tally.cases == 100
    # It is not that everything is refused, nor that commands are left out.
    assert {code.rpartition(" ")[0] for code in tally.codes} == {*LOOKS, *CHANGES}
    for code in ("status 0", "snapshot 0", "explain 0", "export 0", "delete 0", "status 2"):
        assert tally.codes[code] > 0, code


def odd(place: int) -> Try:
    """Tries cases of which some do not come to their end."""

    def try_(case: int) -> int:
        if case == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if case == 2:
            time.sleep(600)
        if case == 3:
            try:
                bytearray(2**34)
            except MemoryError:
                return -1
        return case * case

    return try_


@pytest.mark.slow
def test_a_case_that_hangs_or_crashes_is_told_and_the_others_go_on() -> None:
    preload = "benchmarks.mutations.study"
    ended = in_processes(odd, preload, range(6), 2, seconds=5, memory=2**30)
    told = {each.case: (each.result, each.died) for each in ended}
    assert told == {
        0: (0, ""),
        1: (None, "its process ended: SIGKILL"),
        2: (None, "it did not end"),
        3: (-1, ""),
        4: (16, ""),
        5: (25, ""),
    }


@pytest.mark.parametrize(
    "said",
    [
        Said(1, ""),
        Said(2, "Traceback\nerror: x"),
        Said(2, "nothing to do"),
        Said(0, "\x1b[2J"),
        Said(0, "best 750.0% with 7,000 parameters"),
        Said(0, "best nan%"),
        Said(0, "-7 parameters"),
        Said(0, "inf s"),
        Said(0, "nan epochs"),
    ],
)
def test_what_cannot_be_is_found_in_what_a_command_says(said: Said) -> None:
    assert len(list(faults_of(said))) == 1


def test_what_can_be_is_not() -> None:
    assert not list(faults_of(Said(2, "note: trial 2 is damaged\nerror: no trial 7")))
    words = "best 97.2% (95%: 96.2-98.0), 1,234 params, -0.5 points, 12-15 epochs, 3.5 s"
    assert not list(faults_of(Said(0, words)))
    assert list(faults_of_row("x", {"val_acc": "7.5", "epochs": "2"}))
    assert not list(faults_of_row("x", {"val_acc": "0.5", "best_epoch": "2", "epochs": "2"}))
