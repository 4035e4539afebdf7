"""`--objective` in a whole search."""

from pathlib import Path

import pytest

from tests.harness import RunMain, finished_trials, study

SPACE = """
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
def suggest(trial):
    stage = VGGStage(width=trial.suggest_int("width", 2, 40, log=True), kernels=("3x3",))
    network = VGGConfig(stages=(stage,), norm="batch", pool="global")
    lr = trial.suggest_float("lr", 0.1, 2.0, log=True)
    return TrainConfig(network=network, optimizer=SGDConfig(lr=lr), keep="best", patience=1)
"""


def test_a_search_measures_latency_and_keeps_the_best_epoch(search: RunMain) -> None:
    Path("mine.py").write_text(SPACE)
    words = "--space mine.py --data digits --fraction 0.5 --image-size 16 --epochs 6 --trials 4"
    done = search(*words.split(), "--objective", "latency", "--json")
    assert done.code == 0, done.err
    stored = study("mine-digits")
    assert stored.metric_names == ["val_acc", "latency_ms"]
    trials = stored.get_trials(deepcopy=False)
    finished = finished_trials("mine-digits")
    assert len(trials) == 4 and finished
    for trial in trials:
        attrs = trial.user_attrs
        assert attrs["size_measured"] and attrs["size"] > 0
        assert attrs["trainable_params"] == attrs["num_params"] < 3_000
    impatient = 0
    for record in finished:
        trial, curve = trials[record.number], trials[record.number].user_attrs["curve"]["val_acc"]
        assert trial.values == [max(curve), pytest.approx(record.size / 1000)]
        assert record.val_acc == max(curve) and record.size == trial.user_attrs["size"]
        if len(curve) < 6:
            impatient += 1
            assert curve[-1] <= curve[-2] and "patience, 1 epoch without" in record.verdict
    assert impatient
    front = done.events[-1]["front"]
    latencies = [point["latency_ms"] for point in front]
    assert latencies == sorted(latencies) and latencies[0] > 0
