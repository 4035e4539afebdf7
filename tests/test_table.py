"""`python -m search.table`: a report's table with what was measured."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from paretrain.cli import UserError
from search.problem.baselines import baselines
from search.problem.constraints import Gate
from search.problem.objective import DIRECTIONS
from search.problem.optuna_internals import quiet_optuna
from search.problem.space import load_space
from search.study.attributes import IDENTITY
from search.study.storage import open_storage
from search.table import table


def study(folder: Path, space: str, accs: dict[str, float]) -> str:
    """A database with one study in which these baselines have finished."""
    storage = str(folder / "studies.db")
    with quiet_optuna():
        made = optuna.create_study(
            study_name="mine", storage=open_storage(storage), directions=DIRECTIONS
        )
    made.set_user_attr(IDENTITY, {"space": space, "epochs": 1})
    gate = Gate(lambda config: config, num_classes=10, max_params=None)
    for base in baselines(load_space(space), gate, "all"):
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
    return storage


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
