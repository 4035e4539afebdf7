"""`python -m search.replay`: the same trial once more, compared epoch by epoch."""

import json
import sqlite3

import torch

from search.replay import main as replay
from tests.harness import STUDY, RunMain, empty_study, study


def test_replay_of_a_trial_is_equal_to_the_last_bit(command: RunMain) -> None:
    torch.set_num_threads(2)
    code, out, _ = command(replay, *STUDY, "--trial", 2, "--device", "cpu")
    assert code == 0 and "equal to the last bit in all 2 epochs" in out
    assert torch.get_num_threads() == 1, "the study's own number"
    code, _, err = command(replay, *STUDY, "--trial", 5)
    assert code == 2 and "there are trials 0 to 4" in err


def test_replay_says_where_curves_differ_and_what_else_does(command: RunMain) -> None:
    found = study()
    curve = found.trials[2].user_attrs["curve"]
    curve["val_acc"][1] += 0.25 if curve["val_acc"][1] < 0.5 else -0.25
    curve["train_loss"][0] += 1e-12
    with sqlite3.connect("studies.db") as database:
        database.execute(
            "UPDATE trial_user_attributes SET value_json = ? WHERE key = 'curve' AND trial_id = 3",
            (json.dumps(curve),),
        )
    database.close()
    found.set_user_attr("provenance", found.user_attrs["provenance"] | {"torch": "1.2.3"})
    code, out, _ = command(replay, *STUDY, "--trial", 2, "--device", "cpu")
    assert code == 1
    first, second = [line for line in out.splitlines() if line.startswith("epoch ")]
    assert first.endswith("train_loss differ") and second.endswith("val_acc differ")
    assert "the curves differ from epoch 1 on, the accuracy by 25.00 points at most" in out
    assert f"what differs: torch 1.2.3 then, {torch.__version__.split('+')[0]}" in out


def test_a_study_without_trials_and_one_that_is_not_there(command: RunMain) -> None:
    code, _, err = command(replay, "--study-name", empty_study(), "--trial", 0)
    assert code == 2 and "no trial 0 in study 'empty': it has none" in err
    code, _, err = command(replay, "--study-name", "vgg_reduce-digist", "--trial", 0)
    assert code == 2 and "did you mean 'vgg_reduce-digits'" in err
