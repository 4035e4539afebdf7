"""Trials that wait in a study before its run begins: baselines, and those that somebody
enqueued."""

import random
from functools import partial
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.cli import UserError
from paretrain.describe import describe
from search.problem.baselines import Baseline
from search.problem.optuna_internals import id_of, set_attributes, set_params
from search.problem.random_trial import RandomTrial
from search.problem.refusals import UNBUILDABLE
from search.session.prepared_run import PreparedRun
from search.study import attributes as attr
from search.study import owner
from search.study.batch import NewTrial
from search.study.records import size_attributes
from search.study.sharing import SharedWriter
from search.study.stored import short


def enqueue(study: optuna.Study, run: PreparedRun, writer: SharedWriter) -> list[str]:
    """Complete what waits: trials that somebody enqueued by Optuna's own `enqueue_trial`, and
    baselines that can run and have not. Gives what the user must be told of them, a line each."""
    notes, trials = [], study.get_trials(deepcopy=False)
    for trial in trials:
        # The size is stored last: without it, an earlier run was killed before it had completed.
        if trial.state == TrialState.WAITING and attr.SIZE not in trial.user_attrs:
            notes += _adopt(study, writer, run, trial)
    known = {trial.user_attrs.get(attr.BASELINE) for trial in trials}
    for baseline in run.baselines:
        if not baseline.obstacle and baseline.name not in known:
            writer.queue_baseline(baseline.name, partial(_trial_of, run, baseline))
    return notes


def _trial_of(run: PreparedRun, baseline: Baseline, number: int) -> tuple[NewTrial, dict[str, Any]]:
    """The trial of a baseline, and its attributes."""
    config = baseline.config.model_copy(update={"seed": run.plan.trial_seed(number)})
    # Stored in the order in which the space names them, as those of earlier versions are.
    distributions = {name: baseline.distributions[name] for name in baseline.params}
    trial = NewTrial(number, TrialState.WAITING, baseline.params, distributions)
    return trial, {
        attr.CONFIG: config.to_dict(),
        **size_attributes(run.constraints, config, baseline.size or 0),
        attr.WORDS: describe(config),
        attr.ORIGIN: "baseline",
        attr.BASELINE: baseline.name,
        attr.RUN_BY: attr.NOBODY,
    }


def _adopt(
    study: optuna.Study, writer: SharedWriter, run: PreparedRun, enqueued: FrozenTrial
) -> list[str]:
    """Parameters that were not fixed are drawn at random. Gives notes."""
    seed, id_ = run.plan.trial_seed(enqueued.number), id_of(enqueued)
    fixed = enqueued.system_attrs.get("fixed_params", {})
    drawn = RandomTrial(random.Random(seed), fixed)
    try:
        config = run.constraints.complete(run.plan.space.suggest(drawn))
    except UserError as error:
        return [_give_up(writer, enqueued, str(error))]
    config = config.model_copy(update={"seed": seed})
    size = run.constraints.size(config)
    if size is None:
        return [_give_up(writer, enqueued, UNBUILDABLE)]
    missing = {k: d for k, d in drawn.distributions.items() if k not in enqueued.params}
    set_params(study, id_, drawn.params, missing)
    sizes = size_attributes(run.constraints, config, size)
    attributes = {
        attr.CONFIG: config.to_dict(),
        attr.WORDS: describe(config),
        attr.ORIGIN: "enqueued",
        attr.RUN_BY: attr.NOBODY,
        **{key: value for key, value in sizes.items() if key != attr.SIZE},
        attr.SIZE: sizes[attr.SIZE],
    }
    set_attributes(study, id_, attributes)
    return [
        f"trial {enqueued.number} was enqueued with {name} = {short(value)}, "
        + (
            f"which is outside its range: {drawn.params[name]!r} was drawn in its place"
            if name in drawn.params
            else "which the space does not ask for with its other parameters: it is left out"
        )
        for name, value in fixed.items()
        if drawn.params.get(name, drawn) != value
    ]


def _give_up(writer: SharedWriter, enqueued: FrozenTrial, why: str) -> str:
    """A waiting trial that no run can begin is failed, or it would keep every run from going on.
    Gives a note."""
    writer.fail_waiting(id_of(enqueued), {attr.VERDICT: f"not run: {why}", attr.RUN_BY: owner.RUN})
    return f"the enqueued trial {enqueued.number} is not run: {why}"
