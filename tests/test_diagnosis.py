"""Failures by cause, the status of studies, and studies over one another."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from search.compare import main as compare
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import quiet_optuna
from search.reporting.failures import diagnose
from search.status import main as status
from search.study.storage import open_storage


def run(main_of: Callable[[], None], arguments: list[str], patch: pytest.MonkeyPatch) -> int:
    patch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        main_of()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def attributes(
    health: list[str], accs: list[float], size: int = 500, **more: Any
) -> dict[str, Any]:
    stage = VGGStage(width=4, kernels=("3x3",))
    config = TrainConfig(
        network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=0.5), init="normal0.01"
    )
    return {
        "config": config.to_dict(),
        "num_params": size,
        "curve": {"val_acc": accs, "health": health},
        "per_class": [0.5, 0.5],
        "spent": {"epochs": len(accs), "seconds": 1.0, "lost_seconds": 0.0},
        **more,
    }


def study(storage: str, name: str, data: str = "same") -> optuna.Study:
    """Two finished trials, one stopped and three failures."""
    with quiet_optuna():
        made = optuna.create_study(
            study_name=name, storage=open_storage(storage), directions=DIRECTIONS
        )
    objectives = ["val_acc maximize", "params minimize"]
    made.set_user_attr(
        "identity", {"space": "vgg_reduce", "epochs": 4, "data": data, "objectives": objectives}
    )
    for accs, size in (([0.5, 0.7], 500), ([0.5, 0.9], 5000)):
        attrs = attributes(["ok", "ok"], accs, size)
        values = [accs[-1], float(size)]
        made.add_trial(create_trial(values=values, user_attrs=attrs))
    pruned, failed = TrialState.PRUNED, TrialState.FAIL
    one_class = attributes(["one class"], [0.1])
    made.add_trial(create_trial(state=pruned, user_attrs=one_class))
    made.add_trial(create_trial(state=pruned, user_attrs=attributes(["diverged"], [0.1])))
    memory = attributes([], []) | {"infeasible": "does not fit into memory"}
    made.add_trial(create_trial(state=failed, user_attrs=memory))
    made.add_trial(create_trial(state=failed, user_attrs={"verdict": "failed: ValueError: x"}))
    return made


def test_failures_are_grouped_by_cause_with_advice(tmp_path: Path) -> None:
    found = {t.cause: t for t in diagnose(study(str(tmp_path / "s.db"), "a").trials)}
    assert found["diverged at once"].numbers == (3,)
    assert "0.5: try a tenth" in found["diverged at once"].advice
    assert "1 of 1 have no BatchNorm, 1 begin with" in found["one class to the end"].advice
    assert "Batches of up to 32" in found["out of memory"].advice
    assert found["error (ValueError: x)"].sentence().startswith("error (ValueError: x): 1 (#5).")


def test_status_has_a_row_a_study_and_the_details_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    storage = str(tmp_path / "s.db")
    assert run(status, ["--storage", storage], monkeypatch) == 2
    assert "run python -m search.run first" in capfd.readouterr().err
    assert not Path(storage).exists()
    study(storage, "vgg_reduce-clothing")
    study(storage, "b")
    assert run(status, ["--storage", storage], monkeypatch) == 0
    lines = [" ".join(line.split()) for line in capfd.readouterr().out.splitlines()]
    assert "vgg_reduce-clothing idle 4, 2 failed 2 90.00% #1 6 6 -" in lines
    assert run(status, ["--storage", storage, "--study-name", "b"], monkeypatch) == 0
    assert "diverged at once: 1 (#3)" in capfd.readouterr().out


def test_studies_are_compared_only_where_data_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    storage, out = str(tmp_path / "s.db"), tmp_path / "both.html"
    for name, data in (("a", "same"), ("b", "same"), ("c", "other")):
        study(storage, name, data)
    place = ["--storage", storage]
    assert run(compare, ["a", "b", *place, "--out", str(out)], monkeypatch) == 0
    told = capfd.readouterr().out
    assert "90.00%*" in told and "Hypervolume" in told
    assert 'id="fronts"' in out.read_text(encoding="utf-8")
    assert run(compare, ["a", "c", *place], monkeypatch) == 2
    assert "'c' has other images (other) than 'a' (same)" in capfd.readouterr().err
    assert run(compare, ["a", *place], monkeypatch) == 2
    assert "two different studies" in capfd.readouterr().err
