"""What the size depends on, from its formula."""

import math
import random
from pathlib import Path

import pytest

from search.problem.constraints import Constraints
from search.problem.random_trial import RandomTrial
from search.problem.space import load_space
from search.reporting.figures.importances import importance_figures
from search.reporting.size_effects import LEAST, effects_on_size, size_effects
from search.study.snapshot import StudySnapshot

SPACE = """
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage

def suggest(trial):
    width = trial.suggest_categorical("width", [8, 16])
    lr = trial.suggest_float("lr", 0.01, 0.1)
    batch = trial.suggest_categorical("batch", [8, 64])
    stages = (VGGStage(width=width, kernels=("3x3",)),)
    network = VGGConfig(stages=stages, norm="batch")
    return TrainConfig(network=network, optimizer=SGDConfig(lr=lr), batch_size=batch, epochs=1)
"""


def test_only_what_changes_the_size_is_named_and_by_how_much(tmp_path: Path) -> None:
    path = tmp_path / "two.py"
    path.write_text(SPACE)
    space, constraints = load_space(str(path)), Constraints.of_images(10, 16)
    (found,) = effects_on_size(space, constraints)
    sizes = [
        constraints.size(space.suggest(RandomTrial(random.Random(0), {"width": width})))
        for width in (8, 16)
    ]
    assert found.name == "width" and None not in sizes
    # Of two values, drawing anew gives the other one every other time.
    factor = math.sqrt(float(sizes[1] or 0) / float(sizes[0] or 1))
    assert found.factor == pytest.approx(factor, rel=0.25)


@pytest.mark.parametrize("name", ["vgg_reduce", "from_scratch", "resnet9", "data_scale"])
def test_no_setting_of_the_training_is_said_to_matter_for_the_size(name: str) -> None:
    effects = effects_on_size(load_space(name), Constraints.of_images(10, 32))
    assert effects and all(effect.factor >= LEAST for effect in effects)
    assert [e.factor for e in effects] == sorted((e.factor for e in effects), reverse=True)
    training = ("lr", "decay", "momentum", "batch", "optimizer", "schedule", "augment", "init")
    assert not [e.name for e in effects if any(word in e.name for word in training)]


def test_there_is_no_figure_where_nothing_stands_out(snapshot: StudySnapshot) -> None:
    assert size_effects(snapshot)[0].name == "width"
    assert list(importance_figures(snapshot)) == ["size-importances"]  # ten trials tell nothing
