"""What each trial costs the coordinator of a study that goes on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.growth.made_study import CLASSES, EPOCHS, plan, recorded
from benchmarks.growth.recorded_workers import RecordedWorkers
from paretrain.data.noise import noise
from search.sampling.proposer import Proposer
from search.session.budget import Budget
from search.session.coordinator import Coordinator
from search.session.events import Event
from search.session.open_study import existing_study, open_study
from search.session.prepared_run import PreparedRun
from search.stopping.curve import Curve
from search.stopping.pruners import WithControlArm, make_rule
from search.stopping.rule import Decision, Rule, View
from search.study.batch import BatchWriter
from search.study.decisions import read_memory
from search.study.ledger import ledger
from search.study.records import COUNTED, read_ends


class Stopwatch:
    """Processor seconds of the calling thread in some functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, timed."""
        times = self.seconds.setdefault(name, [])

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                times.append(time.thread_time() - start)

        return timed


class TimedRule:
    """A rule whose decisions are timed."""

    def __init__(self, rule: Rule, watch: Stopwatch) -> None:
        self._decide = watch.around("decision", rule.decide)

    def decide(self, trial: Curve, view: View) -> Decision:
        """See `Rule`."""
        decision: Decision = self._decide(trial, view)
        return decision


def go_on(folder: Path, trials: int, more: int) -> dict[str, float]:
    """Go on with a study as `search.run` does; return what each step cost, without imports."""
    import sklearn.tree  # noqa: F401  the first model that is fitted would import it

    planned, data, watch = plan(folder, trials + more), noise(CLASSES), Stopwatch()
    run = PreparedRun(planned, data, planned.constraints(data), ())
    pool, first = RecordedWorkers(recorded()), dict[str, float]()
    begun = time.process_time()

    def tell(event: Event) -> None:
        first.setdefault("resume", time.process_time() - begun)

    study = open_study(planned, data, existing_study(planned))
    known = study.get_trials(deepcopy=False)
    rule = WithControlArm(make_rule("front", False, read_memory(known, None)), 0)
    budget = Budget(planned.limits, EPOCHS, 0.1, trials, ledger(known, EPOCHS).spent.epochs)
    budget.recall(read_ends(known))
    Proposer.propose = watch.around("proposal", Proposer.propose)  # type: ignore[method-assign]
    BatchWriter.write = watch.around("writing", BatchWriter.write)  # type: ignore[method-assign]
    coordinator = Coordinator(run, study, known, TimedRule(rule, watch), budget, pool, tell)
    outcome = coordinator.run()
    assert outcome.ending == "done", outcome
    whole = time.process_time() - begun - first["resume"]
    ended = study.get_trials(deepcopy=False, states=COUNTED)
    assert len(ended) == trials + more
    seconds = watch.seconds
    return {
        "a trial in all": whole / more,
        "proposal": float(np.mean(seconds["proposal"][1:])),
        "decision": float(np.mean(seconds["decision"][1:])),
        "first decision": seconds["decision"][0],
        "writing, a trial": sum(seconds["writing"]) / more,
        "resume": first["resume"],
    }
