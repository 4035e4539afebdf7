"""The story of a trial, through the command line of a real study."""

import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from search.explain import main
from search.reporting.story import sentence, story
from search.stopping.rule import Decision


def run(main_of: object, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as ended:
        main_of()  # type: ignore[operator]
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_real_study_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from search.run import main as search

    monkeypatch.chdir(tmp_path)
    small = ["--epochs", "4", "--image-size", "16", "--per-class", "20", "--max-params", "20k"]
    assert run(search, ["--trials", "8", "--baselines", "none", *small], monkeypatch) == 0
    capfd.readouterr()
    name = ["--study-name", "vgg_reduce-digits"]
    told = ""
    for number in range(8):
        assert run(main, [*name, "--trial", str(number)], monkeypatch) == 0
        out, _ = capfd.readouterr()
        assert out.startswith(f"Trial {number}: ") and "of 4 epochs" in out
        told += out
    assert "expected to end at" in told and "to end above that" in told
    assert "kept after epoch 1 of 4" in told and "Finished at" in told
    assert all(len(line) <= 80 for line in told.splitlines())
    assert run(main, [*name, "--trial", "99"], monkeypatch) == 2
    assert "there are trials 0 to 7" in capfd.readouterr().err


NUMBERS = {
    "epoch": 6.0,
    "val_acc": 0.612,
    "expected": 0.664,
    "low": 0.63,
    "high": 0.691,
    "front": 0.68,
    "rival": 9.0,
    "probability": 0.03,
    "gain": 0.0,
    "rate": 0.0,
    "rate_needed": 0.0,
}


def told(stop: bool, reason: str = "", **changes: float) -> str:
    return sentence(Decision(stop, reason, NUMBERS | changes), 30, {9: 1_700_000})


def test_a_sentence_has_the_numbers_of_the_judgement() -> None:
    assert told(True) == (
        "stopped after epoch 6 of 30: 61.2%, expected to end at 66.4% (90%: 63.0-69.1); trial 9 "
        "has 68.0% with 1.7M; 3% to end above that"
    )
    assert told(False, would_stop=1.0).startswith("kept in the control arm after epoch 6 of 30")
    assert told(True, probability=0.0001).endswith("under 1% to end above that")
    slow = told(True, rate=0.1, rate_needed=0.4)
    assert slow.endswith("; an epoch gains 25% of what others promise")


def test_a_sentence_names_the_accuracy_that_was_asked_for() -> None:
    numbers = {key: value for key, value in NUMBERS.items() if key != "rival"}
    asked = Decision(True, "", numbers | {"min_acc": 0.7, "front": 0.7})
    assert "; 70% is asked for; 3% to end above that" in sentence(asked, 30, {})
    not_yet = Decision(True, "", numbers | {"min_acc": 0.9})
    assert "; 90% is asked for, the best so far has 68.0%; 3%" in sentence(not_yet, 30, {})


def test_a_judgement_without_an_expectation_gives_its_reason_once() -> None:
    early = {"epoch": 2.0, "val_acc": 0.1}
    waiting = Decision(False, "predicts one class, may still start", early)
    assert sentence(waiting, 30, {}) == (
        "kept after epoch 2 of 30: 10.0%; predicts one class, may still start"
    )
    reason = "control arm; else stopped: epoch 2: 10.0%, #7 had 70.0% (12k) by then"
    control = Decision(False, reason, early | {"would_stop": 1.0})
    assert sentence(control, 30, {}) == (
        "kept in the control arm after epoch 2 of 30: 10.0%; #7 had 70.0% (12k) by then"
    )


def test_trials_in_every_state_have_a_story() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    study.set_user_attr("identity", {"epochs": 6})
    stage = VGGStage(width=4, kernels=("3x3",))
    config = TrainConfig(network=VGGConfig(stages=(stage,)), optimizer=SGDConfig(lr=0.1))
    told = {"config": config.to_dict(), "num_params": 562, "network": "a net"}
    curve = {"curve": {"val_acc": [0.1, 0.4], "health": ["one class", "ok"]}}

    def ending(state: TrialState, verdict: str | None, trained: bool = True) -> list[str]:
        attrs = told | (curve if trained else {}) | ({"verdict": verdict} if verdict else {})
        values = [0.4, 562.0] if state == TrialState.COMPLETE else None
        study.add_trial(create_trial(state=state, values=values, user_attrs=attrs))
        lines = story(study, study.trials[-1])
        assert all(len(line) <= 80 for line in lines)
        return lines

    assert ending(TrialState.RUNNING, None, trained=False)[-1].startswith("It is running, and has")
    assert ending(TrialState.RUNNING, None)[-1] == "It is running."
    assert ending(TrialState.WAITING, None, trained=False)[-1].startswith("It waits in the queue")
    paused = ending(TrialState.WAITING, "interrupted: Ctrl-C; queued again")
    assert paused[-1] == "Interrupted: Ctrl-C; queued again."
    assert ending(TrialState.FAIL, "failed: killed")[-1] == "It failed: killed."
    assert ending(TrialState.FAIL, "failed: killed", trained=False)[-1] == (
        "It has no epoch: failed: killed."
    )
    assert ending(TrialState.PRUNED, "epoch 2")[-1] == "Stopped after epoch 2 of 6."
    assert ending(TrialState.COMPLETE, "finished")[-1] == "Finished at 40.0%: on the front."
