"""`python -m search.status`: how studies stand."""

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

from search.reporting.status_table import COLUMNS
from search.status import main as status
from search.study import checked_storage
from search.study.collector import without_collector
from search.study.storage import load_study
from tests.harness import RunMain
from tests.makers import mixed_study


def test_status_has_a_row_a_study_and_the_details_of_one(
    tmp_path: Path, run_main: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    storage = str(tmp_path / "s.db")
    code, _, err = run_main(status, "--storage", storage)
    assert code == 2 and "run python -m search.run first" in err
    assert not Path(storage).exists()
    mixed_study(storage, "vgg_reduce-clothing")
    mixed_study(storage, "b")
    code, out, _ = run_main(status, "--storage", storage)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0 and "vgg_reduce-clothing idle 4, 2 failed 2 90.00% #1 6 6 -" in lines
    code, out, _ = run_main(status, "--storage", storage, "--study-name", "b")
    assert code == 0 and "Diverged at once: 1 trial (#3)" in out


def test_looking_at_a_study_and_choosing_from_it_load_no_torch(
    tmp_path: Path,
) -> None:
    """They would take three times as long."""
    storage = str(tmp_path / "s.db")
    mixed_study(storage, "b")
    code = f"""
import sys
from search import export, status, studies
named = ["--storage", {storage!r}, "--study-name", "b"]
status.app(named[:2], standalone_mode=False)
status.app(named, standalone_mode=False)
studies.app(["list", *named[:2]], standalone_mode=False)
export.app([*named, "--trial", "1", "--out", {str(tmp_path / "net.yaml")!r}], standalone_mode=False)
slow = {{"torch", "torchvision", "pandas", "plotly", "sklearn"}}
sys.exit(" ".join(sys.modules.keys() & slow) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "idle" in done.stdout and (tmp_path / "net.yaml").exists()


def test_nobody_looks_for_cycles_while_a_study_is_read_and_shown(
    tmp_path: Path, run_main: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 10,000 trials that took a third of the time."""
    storage = str(tmp_path / "s.db")
    mixed_study(storage, "b")
    looking = []

    def row(_: object) -> list[str]:
        looking.append(gc.isenabled())
        return [""] * len(COLUMNS)

    monkeypatch.setattr("search.reporting.status_table.status_row", row)
    code, _, _ = run_main(status, "--storage", storage)
    assert code == 0 and looking == [False] and gc.isenabled()


def test_nobody_looks_for_cycles_in_all_of_it_as_soon_as_one_may_again() -> None:
    """Of the 5 s that `search.status` took at 10,000 trials, that was 0.5."""
    with without_collector(ends_soon=True):
        made = [[number] for number in range(5_000)]
    youngest = {id(thing) for thing in gc.get_objects(generation=0)}
    assert gc.isenabled() and not youngest & set(map(id, made))


def test_many_trials_that_were_read_at_once_count_as_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in a process that goes on, such as a dashboard: three looks at all that was read."""

    def youngest_after_reading(name: str) -> bool:
        trials = load_study(str(tmp_path / "s.db"), name).get_trials(deepcopy=False)
        youngest = {id(thing) for thing in gc.get_objects(generation=0)}
        return any(id(trial.user_attrs) in youngest for trial in trials)

    for name in ("few", "many"):
        mixed_study(str(tmp_path / "s.db"), name)
    with without_collector():
        assert youngest_after_reading("few")
        monkeypatch.setattr(checked_storage, "AT_ONCE", 3)
        assert not youngest_after_reading("many")


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_what_was_made_meanwhile_is_looked_through_in_a_process_that_goes_on() -> None:
    """A dashboard that counted it as old kept all its figures: 4.5 MB a look."""
    with without_collector():
        lost = weakref.ref(Cycle())
    made = [[number] for number in range(5_000)]  # enough for a look at the youngest
    assert made and lost() is None
