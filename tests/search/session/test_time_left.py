"""Whose networks a forecast measures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paretrain.config import DataConfig, TrainConfig
from search.session import runner
from search.session.plan import Plan
from tests.harness import RunMain, study


@pytest.mark.slow
@pytest.mark.parametrize("name", ["none", "nets"])
def test_the_measured_networks_are_those_that_run_first(
    name: str, search: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not baselines come before them."""
    measured: list[TrainConfig] = []
    examples = runner._examples

    def seen(*arguments: Any) -> list[TrainConfig]:
        found = examples(*arguments)
        measured.extend(found)
        return found

    monkeypatch.setattr(runner, "_examples", seen)
    options = "--epochs 1 --image-size 32 --per-class 3 --max-params 100k --trials 4 --json"
    done = search(*options.split(), "--baselines", name)
    assert done.code == 0, done.err
    assert done.events[0]["seconds"] > 0
    trials = study().trials
    proposed = [t.user_attrs["config"] for t in trials if t.user_attrs["origin"] != "baseline"]
    assert len(proposed) == (4 if name == "none" else 3)
    for trained_config, config in zip(proposed, measured, strict=False):
        assert trained_config | {"seed": 0} == config.to_dict() | {"seed": 0}


FEW = """
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage

def suggest(trial):
    stage = VGGStage(width=trial.suggest_int("width", 4, 5), kernels=("3x3",))
    return TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=0.1))
"""


def test_a_space_of_fewer_configurations_than_a_forecast_measures_is_no_error(
    tmp_path: Path, plan: Callable[..., Plan]
) -> None:
    file = tmp_path / "few.py"
    file.write_text(FEW)
    run = runner._prepare(plan(str(file), data=DataConfig(image_size=8, fraction=0.1)))
    assert len(runner._examples(run)) == 2
