"""`python -m search.table`: a report's table with what was measured."""

from pathlib import Path

import pytest
from optuna.trial import TrialState, create_trial

from paretrain.cli import UserError
from search.problem.baselines import load_baselines
from search.problem.constraints import Constraints
from search.problem.space import load_space
from search.study.storage_url import StorageUrl
from search.table import table
from tests.makers import empty_study_of


def study(folder: Path, space: str, accs: dict[str, float]) -> StorageUrl:
    """A database with one study in which these baselines have finished."""
    storage = str(folder / "studies.db")
    made = empty_study_of(storage, "mine", {"space": space, "epochs": 1})
    constraints = Constraints.of_images(10, 32)
    for base in load_baselines(load_space(space), constraints, "all"):
        if base.name not in accs:
            continue
        acc = accs[base.name]
        curve = {"val_acc": [acc], "val_loss": [1.0], "health": ["ok"]}
        made.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                values=[acc, float(base.num_params or 0)],
                user_attrs={
                    "config": base.config.to_dict(),
                    "num_params": base.num_params,
                    "baseline": base.name,
                    "curve": curve,
                },
            )
        )
    return StorageUrl.of(storage)


def test_the_reports_own_table_has_our_figures_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accs = {"ResNet18, 1/16, batch 32 lr 1e-4": 0.511, "ResNet50, all, batch 256 lr 1e-3": 0.7}
    assert table("mine", storage=study(tmp_path, "data_scale", accs)) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "ResNet18, 1/16 - (62 %) 51.1% (62.4 %) - (64 %)" in lines
    assert "ResNet50, all - (70.1 %) - (86.2 %) 70.0% (81.5 %)" in lines
    assert any(line.startswith("16 not measured") for line in lines)


def test_a_space_without_a_table_lists_its_baselines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = study(tmp_path, "resnet9", {"ResNet9/8": 0.25})
    assert table("mine", storage=storage) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "ResNet9 - - 75.17 %" in lines
    assert any(line.startswith("ResNet9/8 ") and line.endswith("25.0%") for line in lines)
    with pytest.raises(UserError, match="is of space 'resnet9', not of 'vgg_reduce'"):
        table("mine", storage=storage, space="vgg_reduce")
