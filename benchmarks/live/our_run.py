"""A search by `search.run` itself, with its coordinator, worker process and database."""

import contextlib
import io
import json
from unittest import mock

from optuna.trial import FrozenTrial, TrialState

from benchmarks.live.clock import seconds
from benchmarks.live.records import Ending, Run, Trained
from paretrain.data.names import short_name
from search.prior.shipped import shipped_studies
from search.session.plan import Plan
from search.session.runner import search
from search.study.attributes import CURVE, SIZE, SPENT
from search.study.storage import load_study


class _Stamped(io.TextIOBase):
    """A stream that takes the search's JSON events and notes when they come."""

    def __init__(self) -> None:
        self.begin: float | None = None
        """Time at which the first trial was begun."""
        self.ends: dict[int, float] = {}
        """Seconds from then to the end of each trial."""
        self.refused = 0
        self._line = ""

    def write(self, text: str) -> int:
        """Take a piece of the stream."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._note(json.loads(line))
        return len(text)

    def _note(self, event: dict[str, object]) -> None:
        if event["event"] == "trial_started" and self.begin is None:
            self.begin = seconds()
        elif event["event"] == "trial_ended":
            assert self.begin is not None and isinstance(event["trial"], int)
            self.ends[event["trial"]] = seconds() - self.begin
        elif isinstance(refused := event.get("refused"), dict):
            self.refused = sum(refused.values())


def run_ours(plan: Plan, method: str) -> Run:
    """Run a search until another full training could exceed the plan's epochs.

    With `--prior auto` it learns from the program's tables, but not from those of the images that
    it searches. Raises UserError as the search does, and RuntimeError when it fails before
    its budget is spent.
    """
    events = _Stamped()
    tables = shipped_studies(plan.space.name, without=short_name(plan.data.source))
    with (
        contextlib.redirect_stdout(events),
        mock.patch("search.prior.choice.shipped_studies", return_value=tables),
    ):
        code = search(plan, "json", dry_run=False)
    if code != 0 or events.begin is None:
        raise RuntimeError(f"the search ended with exit code {code}")
    stored = load_study(plan.storage, plan.study_name).get_trials(deepcopy=False)
    trials = [_trained(trial, events.ends[trial.number]) for trial in stored]
    return Run(method, plan.seed, trials, events.refused, round(events.begin, 3))


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
