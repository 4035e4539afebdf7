"""`python -m search.explain`: the story of every trial of a real study."""

import pytest

from search.explain import main as explain
from tests.harness import SMALL, STUDY, RunMain


@pytest.mark.slow
def test_a_real_study_is_explained(search: RunMain, run_main: RunMain) -> None:
    options = ("--trials", 8, "--baselines", "none", *SMALL, "--epochs", 4)
    assert search(*options).code == 0
    told = ""
    for number in range(8):
        code, out, _ = run_main(explain, *STUDY, "--trial", number)
        assert code == 0
        assert out.startswith(f"Trial {number}: ") and "of 4 epochs" in out
        told += out
    assert "expected to end at" in told and "ends above that" in told
    assert "kept after epoch 1 of 4" in told and "Finished at" in told
    assert all(len(line) <= 80 for line in told.splitlines())
    code, _, err = run_main(explain, *STUDY, "--trial", 99)
    assert code == 2 and "there are trials 0 to 7" in err
