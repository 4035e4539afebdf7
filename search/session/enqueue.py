"""Trials that wait in a study before its run begins: baselines, interrupted trials, and those that
somebody enqueued."""

import random

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from paretrain.cli import UserError
from paretrain.describe import describe
from search.problem.baselines import Baseline
from search.problem.optuna_internals import id_of, set_attributes, set_params, set_state
from search.problem.random_trial import RandomTrial
from search.session.prepared_run import PreparedRun
from search.study import attributes as attr
from search.study.records import size_attributes


def requeue_interrupted(study: optuna.Study) -> int:
    """Trials that a killed run left running go back to the queue, under their own numbers."""
    left = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in left:
        verdict = {attr.VERDICT: "interrupted: the run was killed; queued again"}
        set_attributes(study, id_of(trial), verdict)
        set_state(study, id_of(trial), TrialState.WAITING)
    return len(left)


def enqueue(study: optuna.Study, run: PreparedRun) -> None:
    """Complete what waits: trials that somebody enqueued by Optuna's own `enqueue_trial`, and
    baselines that can run and have not."""
    trials = study.get_trials(deepcopy=False)
    for trial in trials:
        if trial.state == TrialState.WAITING and attr.CONFIG not in trial.user_attrs:
            _adopt(study, run, trial)
    known = {trial.user_attrs.get(attr.BASELINE) for trial in trials}
    for baseline in run.baselines:
        if not baseline.obstacle and baseline.name not in known:
            _add(study, run, baseline)


def _add(study: optuna.Study, run: PreparedRun, baseline: Baseline) -> None:
    number = len(study.get_trials(deepcopy=False))
    config = baseline.config.model_copy(update={"seed": run.plan.trial_seed(number)})
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            params=baseline.params,
            distributions=baseline.distributions,
            user_attrs={
                attr.CONFIG: config.to_dict(),
                **size_attributes(run.constraints, config, baseline.size or 0),
                attr.WORDS: describe(config),
                attr.ORIGIN: "baseline",
                attr.BASELINE: baseline.name,
            },
        )
    )


def _adopt(study: optuna.Study, run: PreparedRun, enqueued: FrozenTrial) -> None:
    """Parameters that were not fixed are drawn at random."""
    seed = run.plan.trial_seed(enqueued.number)
    drawn = RandomTrial(random.Random(seed), enqueued.system_attrs.get("fixed_params", {}))
    config = run.constraints.complete(run.plan.space.suggest(drawn))
    config = config.model_copy(update={"seed": seed})
    size, id_ = run.constraints.size(config), id_of(enqueued)
    set_params(study, id_, drawn.params, drawn.distributions)
    set_attributes(study, id_, {attr.CONFIG: config.to_dict()})
    if size is None:
        raise UserError(
            f"the enqueued trial {enqueued.number} cannot take images of "
            f"{config.data.image_size} pixels: delete it, or use a larger --image-size in a new "
            "study"
        )
    attributes = {
        **size_attributes(run.constraints, config, size),
        attr.WORDS: describe(config),
        attr.ORIGIN: "enqueued",
    }
    set_attributes(study, id_, attributes)
