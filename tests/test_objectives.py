"""`--objective`: what is to be small, exact before training but for a latency."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from optuna.trial import TrialState

from paretrain.config import SGDConfig, StartConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.network_config import ResNetConfig
from paretrain.networks.build import build_network, count_macs, count_parameters
from paretrain.training import Training
from search.problem.constraints import OVER_CAP, Gate
from search.problem.objective import LatencyModel, Objective, in_database, shown
from search.session.plan import Plan, differences, settle
from search.study.records import read_records
from search.study.storage import load_study
from search.workers.probe import latency


def gate(objective: Objective, max_params: int | None = None) -> Gate:
    return Gate(lambda config: config, 10, max_params, objective=objective)


def resnet(width: int = 64, frozen: float = 0.0) -> TrainConfig:
    return TrainConfig(
        network=ResNetConfig(depth=18, width=width),
        start=StartConfig(pretrained=frozen > 0, frozen=frozen),
        optimizer=SGDConfig(lr=0.1),
    )


def test_each_objective_is_exact_before_training() -> None:
    config = resnet(frozen=1.0)
    parts = (config.network, 10, 32)
    assert gate("params").size(config) == count_parameters(*parts) == 11_181_642
    assert gate("trainable").size(config) == 512 * 10 + 10
    assert gate("flops").size(config) == 2 * count_macs(*parts)
    numbers = build_network(*parts).state_dict().values()
    assert gate("size_mb").size(config) == 4 * sum(t.numel() for t in numbers)


def test_the_cap_stays_on_parameters() -> None:
    for objective in ("flops", "trainable", "size_mb"):
        chosen = gate(objective, max_params=1_000_000)
        assert chosen.obstacle(resnet(), chosen.size(resnet())) == OVER_CAP
        assert chosen.obstacle(resnet(8), chosen.size(resnet(8))) is None
    assert gate("flops", 1_000_000).largest is None
    assert gate("params", 1_000_000).largest == 1_000_000


def test_a_model_sees_the_parameters_whatever_is_to_be_small() -> None:
    params, macs = gate("params").params(resnet()), gate("params").macs(resnet())
    assert gate("params").costs(resnet(), params) == (params, macs)
    assert gate("flops").costs(resnet(), 2 * macs) == (2 * macs, macs, params)


def test_latency_is_predicted_from_what_was_measured() -> None:
    model = LatencyModel(num_classes=10)
    raw = model.predict(resnet(16))
    assert raw > model.predict(resnet(8)) > 0
    for factor in (0.5, 4.0, 0.25):
        model.learn(resnet(16), round(factor * raw))
    assert model.predict(resnet(16)) == pytest.approx(0.5 * raw, rel=0.01)


@pytest.mark.parametrize(
    ("objective", "size", "stored", "text"),
    [
        ("params", 12_345, 12_345.0, "12,345"),
        ("flops", 1_230_000, 1_230_000.0, "1.23M"),
        ("latency", 1_234, 1.234, "1.23 ms"),
        ("size_mb", 28_987_000, 28.987, "29 MB"),
    ],
)
def test_sizes_have_their_usual_unit(
    objective: Objective, size: int, stored: float, text: str
) -> None:
    assert in_database(objective, size) == stored
    assert shown(objective, size) == text


def test_measuring_latency_changes_no_training(
    tiny_config: Callable[..., TrainConfig],
) -> None:
    data, device = load_data(tiny_config().data), torch.device("cpu")
    plain, measured = (Training(tiny_config(), data, device) for _ in range(2))
    assert latency(measured) >= 1
    expected = [result.train_loss for result in plain.epochs()]
    assert [result.train_loss for result in measured.epochs()] == expected


def test_a_study_keeps_its_objective(plan: Callable[..., Plan]) -> None:
    flops = plan(objective="flops")
    stored = flops.identity("f")
    assert settle(plan(), stored, {}).objective == "flops"
    assert settle(plan(), None, {}).objective == "params"
    assert settle(plan(), None, {"objective": "latency"}).objective == "latency"
    assert "objectives" in differences(stored, plan().identity("f"))[0]
    assert replace(flops, min_acc=0.5).aim_words.startswith("least flops at 50%")


SPACE = """
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
def suggest(trial):
    stage = VGGStage(width=trial.suggest_int("width", 2, 40, log=True), kernels=("3x3",))
    network = VGGConfig(stages=(stage,), norm="batch", pool="global")
    lr = trial.suggest_float("lr", 0.1, 2.0, log=True)
    return TrainConfig(network=network, optimizer=SGDConfig(lr=lr), keep="best", patience=1)
"""


def test_a_search_measures_latency_and_keeps_the_best_epoch(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SPACE)
    words = "--space mine.py --data digits --fraction 0.1 --image-size 16 --epochs 6 --trials 4"
    done = subprocess.run(
        [sys.executable, "-m", "search.run", "--json", *words.split(), "--objective", "latency"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    study = load_study(str(tmp_path / "studies.db"), "mine-digits")
    assert study.metric_names == ["val_acc", "latency_ms"]
    trials = study.get_trials(deepcopy=False)
    finished = read_records(study, TrialState.COMPLETE)
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
            assert curve[-1] <= curve[-2] and "patience, 1 epochs" in record.verdict
    assert impatient
    front = json.loads(done.stdout.splitlines()[-1])["front"]
    latencies = [point["latency_ms"] for point in front]
    assert latencies == sorted(latencies) and latencies[0] > 0
