"""How long what is left of a run will take: a forecast for this study, under the run's limits."""

from collections.abc import Callable, Sequence

import optuna

from paretrain.config import TrainConfig
from paretrain.threads import cores
from search.session.prepared_run import PreparedRun
from search.stopping.expected_share import expected_share
from search.study.attributes import BASELINE
from search.study.ledger import ledger
from search.study.records import COUNTED
from search.workers.engine import Pool
from search.workers.forecast import LATER, Course, Forecast, forecast

ENOUGH = 15
"""Trials after which a study's own share of saved epochs is used for the forecast."""


def expected_time(
    run: PreparedRun,
    study: optuna.Study | None,
    pool: Pool,
    examples: Sequence[TrainConfig],
    tell: Callable[[int, int], None] = lambda n, of: None,
) -> Forecast | None:
    """The forecast for the trials that are left; None when nothing could be measured. `study` is
    None when none has been opened, `examples` are networks like those to come. `tell` is called
    before each measurement, with its number and how many there are."""
    plan = run.plan
    trials = [] if study is None else study.get_trials(deepcopy=False)
    done = sum(trial.state in COUNTED for trial in trials)
    known = {trial.user_attrs.get(BASELINE) for trial in trials}
    baselines = [b.config for b in run.baselines if not b.obstacle and b.name not in known]
    so_far, left = ledger(trials, plan.epochs), max(0, plan.trials - done)

    def share(place: int) -> float:
        if plan.pruner == "none":
            return 1.0
        if done >= ENOUGH:
            spent = so_far.spent.epochs
            return spent / max(1, spent + so_far.saved.epochs)
        return expected_share(plan.epochs, done + place)

    course = Course(
        left,
        share,
        later=LATER if plan.sampler == "front" else 1.0,
        fresh=not trials,
        crowded=plan.engine == "local" and plan.workers * plan.threads >= cores(),
    )
    expected, limits = forecast(pool, baselines, examples, course, tell), plan.limits
    if expected is None or limits.epochs is None:
        return expected and expected.within(limits.seconds)
    epochs_left = max(0, limits.epochs - so_far.spent.epochs)
    at_most = epochs_left / max(1, left * plan.epochs)
    return expected.within(limits.seconds, at_most, at_most / share(left))
