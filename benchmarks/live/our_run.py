"""A search by `search.run`'s own machinery: coordinator, worker process, database."""

import contextlib
import io
import json

from optuna.trial import FrozenTrial, TrialState

from benchmarks.live.clock import seconds
from benchmarks.live.records import Ending, Run, Trained
from search.session.plan import Plan
from search.session.runner import search
from search.study.attributes import CURVE, SIZE, SPENT
from search.study.storage import load_study


class _Stamped(io.TextIOBase):
    """Takes the search's JSON events and notes when they come."""

    def __init__(self) -> None:
        self.begin: float | None = None
        """When the first trial was begun."""
        self.ends: dict[int, float] = {}
        """When each trial ended, from then on."""
        self.refused = 0
        self._line = ""

    def write(self, text: str) -> int:
        """A piece of the stream."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._hear(json.loads(line))
        return len(text)

    def _hear(self, event: dict[str, object]) -> None:
        if event["event"] == "trial_started" and self.begin is None:
            self.begin = seconds()
        elif event["event"] == "trial_ended":
            assert self.begin is not None and isinstance(event["trial"], int)
            self.ends[event["trial"]] = seconds() - self.begin
        elif isinstance(refused := event.get("refused"), dict):
            self.refused = sum(refused.values())


def run_ours(plan: Plan, method: str) -> Run:
    """Until another full training could exceed the plan's epochs. Raises UserError as the search
    does, and RuntimeError when it ends before its budget is spent."""
    heard = _Stamped()
    with contextlib.redirect_stdout(heard):
        code = search(plan, "json", dry_run=False)
    if code != 0 or heard.begin is None:
        raise RuntimeError(f"the search ended with exit code {code}")
    found = load_study(plan.storage, plan.study_name).get_trials(deepcopy=False)
    trials = [_trained(trial, heard.ends[trial.number]) for trial in found]
    return Run(method, plan.seed, trials, heard.refused, round(heard.begin, 3))


def _trained(trial: FrozenTrial, ended: float) -> Trained:
    attrs = trial.user_attrs
    curve = attrs.get(CURVE, {})
    diverged = curve.get("health", [""])[-1] == "diverged"
    endings: dict[TrialState, Ending] = {
        TrialState.COMPLETE: "completed",
        TrialState.PRUNED: "diverged" if diverged else "stopped",
    }
    return Trained(
        int(attrs[SIZE]),
        curve.get("val_acc", [0.0])[-1],
        endings.get(trial.state, "failed"),
        attrs[SPENT]["epochs"],
        round(ended, 3),
    )
