"""Damaged databases: no traceback, nothing that cannot be true, whatever is in them."""

from pathlib import Path

import pytest

from benchmarks.mutations.study import make_database, run_mutations
from tests.harness import forecast_briefly


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutations")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETRAIN_CACHE", str(folder / "cache"))
        patch.setenv("PARETRAIN_STATE", str(folder / "state"))
        forecast_briefly(patch)
        return make_database(folder)


@pytest.mark.bench  # ten minutes and more: each case runs seven commands
@pytest.mark.timeout(3600)
def test_three_hundred_mutations_of_a_database_give_no_traceback(
    base: Path, tmp_path: Path
) -> None:
    tally = run_mutations(300, 1, tmp_path, base, float("inf"))
    assert tally.cases == 300
    assert tally.codes["status 0"] > 100 and tally.codes["status 2"] > 10
    assert tally.sound, [*tally.tracebacks, *tally.impossible][0]
