"""The story of a trial in sentences."""

import subprocess
import time
from dataclasses import replace
from typing import Any

import optuna
from optuna.trial import TrialState, create_trial

from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from search.problem.chance import Chance
from search.reporting.story import sentence, story, story_among, traceback_of
from search.stopping.rule import Decision, Evidence
from search.study.owner import beat
from tests.makers import record

EVIDENCE = Evidence(
    epoch=6,
    val_acc=0.612,
    expected=0.664,
    low=0.63,
    high=0.691,
    to_beat=0.68,
    rival=9,
    probability=0.03,
    gain=0.0,
    rate=0.0,
    rate_needed=0.0,
)


def told(stop: bool, spared: bool = False, **changes: Any) -> str:
    decision = Decision(stop, "", replace(EVIDENCE, **changes), spared=spared)
    return sentence(decision, 30, {9: "1.7M parameters"})


def test_a_sentence_has_the_numbers_of_the_judgement() -> None:
    assert told(True) == (
        "stopped after epoch 6 of 30: 61.2%, expected to end at 66.4% (90% interval: 63.0-69.1); "
        "trial 9 has 68.0% with 1.7M parameters; it ends above that with a probability of 3%"
    )
    assert told(False, spared=True).startswith("kept in the control arm after epoch 6 of 30")
    assert told(True, probability=0.0001).endswith("a probability of under 1%")
    slow = told(True, rate=0.1, rate_needed=0.4)
    assert slow.endswith("; per epoch it promises 25% of what other trials promise")


def test_a_sentence_names_the_accuracy_that_was_asked_for() -> None:
    asked = told(True, rival=None, min_acc=0.7, to_beat=0.7)
    assert "; the target is 70%; it ends above that with a probability of 3%" in asked
    not_yet = told(True, rival=None, min_acc=0.9)
    assert "; the target is 90%, the best so far has 68.0%; it ends above" in not_yet


def test_a_judgement_without_an_expectation_gives_its_reason_once() -> None:
    early = Evidence(epoch=2, val_acc=0.1)
    one_class = Decision(False, "predicts one class, may still begin to learn", early)
    assert sentence(one_class, 30, {}) == (
        "kept after epoch 2 of 30: 10.0%; predicts one class, may still begin to learn"
    )
    control = Decision(False, "#7 had 70.0% (12k parameters) by then", early, spared=True)
    assert control.reason == (
        "control arm; else stopped: epoch 2: 10.0%, #7 had 70.0% (12k parameters) by then"
    )
    assert sentence(control, 30, {}) == (
        "kept in the control arm after epoch 2 of 30: 10.0%; #7 had 70.0% (12k parameters) by then"
    )


def dead_process() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


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

    study.set_user_attr("owner", beat())
    assert ending(TrialState.RUNNING, None, trained=False)[-1].startswith("It is running, and has")
    assert ending(TrialState.RUNNING, None)[-1] == "It is running."
    for dead in ({"time": time.time() - 61}, {"pid": dead_process()}):
        study.set_user_attr("owner", beat() | dead)
        before_its_first = " ".join(ending(TrialState.RUNNING, None, trained=False)[-2:])
        assert "Interrupted before the end of its first epoch: the next" in before_its_first
        assert ending(TrialState.RUNNING, None)[-1] == (
            "Interrupted after epoch 2 of 6: the next run of the search goes on with it."
        )
    assert ending(TrialState.WAITING, None, trained=False)[-1].startswith("It waits in the queue")
    paused = ending(TrialState.WAITING, "interrupted: Ctrl-C; queued again")
    assert paused[-1] == "Interrupted: Ctrl-C; queued again."
    assert ending(TrialState.FAIL, "failed: killed")[-1] == "It failed: killed."
    assert ending(TrialState.FAIL, "failed: killed", trained=False)[-1] == (
        "It has no epoch: failed: killed."
    )
    assert traceback_of(study.trials[-1]) == []
    told["stderr"] = "Traceback:\n  in forward\nIndexError: \x1b[2J\n"
    ending(TrialState.FAIL, "failed: IndexError")
    said, *lines = traceback_of(study.trials[-1])
    assert said == "What its process said:"
    assert lines == ["Traceback:", "  in forward", "IndexError: \\x1b[2J"]
    del told["stderr"]
    assert ending(TrialState.PRUNED, "epoch 2")[-1] == "Stopped after epoch 2 of 6."
    told["steps"] = "eager: only 12 steps"
    assert "Steps on the GPU: eager: only 12 steps." in ending(TrialState.PRUNED, "epoch 2")
    assert ending(TrialState.COMPLETE, "finished")[-1] == "Finished at 40.0%: on the front."


def test_a_faster_rival_is_told_by_its_time() -> None:
    rival, own = record(4, 4_684, 0.5), record(2, 1_389, 0.4)
    rival = replace(rival, curve=replace(rival.curve, size=1_110))
    attrs = {
        "config": own.config.to_dict(),
        "num_params": own.num_params,
        "size": 1_770,
        "curve": {"val_acc": [0.4], "health": ["ok"]},
    }
    trial = create_trial(state=TrialState.COMPLETE, values=[0.4, 1.77], user_attrs=attrs)
    told = story_among(trial, [rival], 1, "latency", {}, Chance(0.1), searching=False)
    assert " ".join(told).endswith("not on the front, trial 4 has 50.0% with 1.11 ms.")
