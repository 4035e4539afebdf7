"""The benchmark of throughput at its smallest: it runs through, and both sides do the same work."""

import re
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.growth import epoch, study
from benchmarks.throughput import __main__ as program
from benchmarks.throughput import batches

pytestmark = pytest.mark.slow


def ratios(page: str, column: str) -> list[float]:
    """The numbers with which the cells of a column begin."""
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    place = rows[0].index(column)
    return [float(re.split("[ (]", row[place])[0]) for row in rows[1:]]


@pytest.mark.bench
def test_the_parts_run_through_and_write_their_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = tmp_path / "tables"
    quick = ["--quick", "--device", "cpu", "--rounds", "1", "--seeds", "1"]
    parts = ["--part", "epoch", "folder", "batches"]
    monkeypatch.setattr(sys, "argv", ["throughput", *quick, *parts, "--out", str(tables)])
    program.main()
    pages = {path.stem: path.read_text(encoding="utf-8") for path in tables.iterdir()}
    assert set(pages) == {"epoch", "folder", "batches"}
    # The bare loop leaves out what ours does beside, never more than that.
    assert all(0 < ratio < 1.5 for ratio in ratios(pages["epoch"], "ours / bare"))
    assert len(ratios(pages["batches"], "torchvision / ours")) == len(batches.kinds())
    (user,) = ratios(pages["folder"], "user, trials/h")
    (ours,) = ratios(pages["folder"], "ours, no stopping, trials/h")
    (ratio,) = ratios(pages["folder"], "no stopping: trials")
    assert ours / user == pytest.approx(ratio, rel=0.01)


def test_an_epoch_is_measured_for_each_thing_that_grows() -> None:
    usual = {"side": 16, "batch": 8, "images": 32, "width": 4}
    rows = epoch.epochs({"images": (32, 64)}, usual, 1, torch.device("cpu"))
    assert [row["to"] for row in rows] == [32, 64]
    assert rows[0]["k"] == "" and float(str(rows[1]["k"])) > 0


def test_a_study_is_measured_at_each_of_its_sizes() -> None:
    rows = {str(row["processor seconds"]): row for row in study.sizes([12, 24], 2, ["go-on"])}
    assert {"a trial in all", "proposal", "decision", "resume"} <= set(rows)
    values = [str(row[size]) for row in rows.values() for size in ("12", "24")]
    assert all(float(value.replace(",", "")) > 0 for value in values)


def test_what_grows_as_fast_as_the_trials_has_exponent_1() -> None:
    assert study.exponent({100: 2.0, 1_000: 20.0, 10_000: 200.0}) == pytest.approx(1)
    assert study.exponent({100: 2.0, 10_000: 2.0}) == pytest.approx(0)
