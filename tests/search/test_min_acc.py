"""`--min-acc`: the fewest parameters at no less than an accuracy."""

from pathlib import Path

import pytest

from tests.harness import NAME, SMALL, Finished, RunMain, study

LEARNS = """\
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage


def suggest(trial):
    stage = VGGStage(width=trial.suggest_int("width", 8, 24), kernels=("3x3",))
    network = VGGConfig(stages=(stage, stage), norm="batch", pool="global", hidden=())
    return TrainConfig(network=network, optimizer=SGDConfig(lr=0.05), batch_size=16)
"""
"""A space of networks that all learn something in a few epochs."""


@pytest.mark.slow
def test_a_search_says_stores_and_answers_it(search: RunMain) -> None:
    Path("learns.py").write_text(LEARNS)
    space = ("--space", "learns.py", "--study-name", NAME, "--epochs", "4")

    def run(*arguments: str) -> Finished:
        done = search("--baselines", "none", *SMALL, *space, *arguments)
        assert done.code == 0
        return done

    def stored() -> object:
        return study().user_attrs["min_acc"]

    _, out, err = run("--trials", "2", "--min-acc", "11%")
    assert "target    fewest parameters at 11% validation accuracy or more" in err
    assert "Smallest network with 11% or more: #" in out or "No network with 11%" in out
    assert stored() == 0.11
    _, _, err = run("--trials", "2")  # what was not typed comes from the study
    assert "target    fewest parameters at 11%" in err
    events = run("--trials", "3", "--min-acc", "0.999", "--json").events
    assert events[0]["min_acc"] == stored() == 0.999
    told = events[-1]["aim"]
    assert told["reached"] is False and told["min_acc"] == 0.999
    assert told["val_acc"] == max(point["val_acc"] for point in events[-1]["front"])
    _, out, _ = run("--trials", "3")
    assert "No network with 99.9% or more: the best, #" in out
    _, out, err = run("--trials", "3", "--min-acc", "none")
    assert "target " not in err and "or more:" not in out and stored() is None
