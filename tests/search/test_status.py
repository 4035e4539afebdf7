"""`python -m search.status`: how studies stand."""

from pathlib import Path

import pytest

from search.status import main as status
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
