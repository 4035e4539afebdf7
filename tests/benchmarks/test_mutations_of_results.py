"""300 damaged or crafted result folders: one line, or probabilities. The benchmark tries more."""

import json
from pathlib import Path

import pytest

from benchmarks.mutations.result import make_believable, make_result, try_all
from paretrain.result.metrics import read_metrics


@pytest.mark.slow
def test_300_mutated_result_folders_give_one_line_or_probabilities(tmp_path: Path) -> None:
    base = make_result(tmp_path)
    tally = try_all(base, 300, seed=1)
    assert tally.faults == []
    assert tally.cases == 300 and sum(tally.codes.values()) == 300
    # It is not that everything is refused: what was made to fit may give an answer.
    assert tally.codes["weights refused"] > 50
    assert tally.codes["weights same answer"] + tally.codes["weights other answer"] > 0
    # The sums of a folder that was not changed still fit when they are made to.
    before = read_metrics(base)
    make_believable(base)
    assert read_metrics(base) == before
    assert "checksum" not in json.loads((base / "metrics.json").read_text())
