"""Open or create the Optuna study of a plan, with a record of where its results come from."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from paretrain.cli import UserError
from paretrain.data.parts import ImageData
from paretrain.describe import describe
from search.problem.baselines import Baseline
from search.problem.constraints import Gate
from search.problem.objective import DIRECTIONS, METRICS
from search.problem.optuna_internals import quiet_optuna, set_state
from search.problem.random_trial import Drawing
from search.session.plan import Plan, refuse_other_study
from search.study.attributes import (
    BASELINE,
    CONFIG,
    IDENTITY,
    MAX_PARAMS,
    MIN_ACC,
    ORIGIN,
    OWNER,
    PROVENANCE,
    SPACE_FILE,
    THREADS,
    UID,
    VERDICT,
    WEIGHTS_DIR,
    WORDS,
)
from search.study.owner import beat, refuse_if_owned
from search.study.provenance import environment
from search.study.records import size_attributes
from search.study.storage import exists, open_storage


@dataclass(frozen=True)
class Stored:
    """What an earlier run has settled."""

    identity: dict[str, Any]
    threads: int
    min_acc: float | None
    weights_dir: str | None


def stored_settings(storage: str, name: str) -> Stored | None:
    """Of an existing study, or None. Creates nothing."""
    if not exists(storage):
        return None
    opened = open_storage(storage)
    try:
        if name not in optuna.study.get_all_study_names(opened):
            return None
        study = optuna.load_study(study_name=name, storage=opened)
        attrs = study.user_attrs
        if _half_made(study):
            return None
        threads, place = int(attrs.get(THREADS, 1)), attrs.get(WEIGHTS_DIR)
        return Stored(attrs.get(IDENTITY, {}), threads, attrs.get(MIN_ACC), place)
    finally:
        opened.engine.dispose()


def open_study(plan: Plan, data: ImageData) -> optuna.Study:
    """The study of this plan, created if need be.

    Raises UserError when a study of that name was begun with other settings.
    """
    storage: BaseStorage = open_storage(plan.storage)
    wanted = plan.identity(data.fingerprint)
    existing = plan.study_name in optuna.study.get_all_study_names(storage)
    sampler = optuna.samplers.RandomSampler(seed=plan.seed)  # proposals come from `Proposer`
    if existing:
        study = optuna.load_study(study_name=plan.study_name, storage=storage, sampler=sampler)
        refuse_if_owned(plan.study_name, study.user_attrs.get(OWNER))
        if _half_made(study):
            return _completed(study, plan, data, wanted)
        refuse_other_study(plan.study_name, study.user_attrs.get(IDENTITY, {}), wanted)
        study.set_user_attr(OWNER, beat())
        _set_of_run(study, plan)
        return study
    with quiet_optuna():
        try:
            study = optuna.create_study(
                study_name=plan.study_name, storage=storage, directions=DIRECTIONS, sampler=sampler
            )
        except optuna.exceptions.DuplicatedStudyError:
            raise UserError(
                f"study '{plan.study_name}' has been created by another process at this moment: "
                "run the command again, or use another --study-name"
            ) from None
    return _completed(study, plan, data, wanted)


def _half_made(study: optuna.Study) -> bool:
    """Whether a run was killed while it made this study."""
    return (
        IDENTITY not in study.user_attrs
        and [direction.name.lower() for direction in study.directions] == DIRECTIONS
        and not study.get_trials(deepcopy=False)
    )


def _completed(
    study: optuna.Study, plan: Plan, data: ImageData, identity: dict[str, Any]
) -> optuna.Study:
    study.set_user_attr(OWNER, beat())
    with quiet_optuna():
        study.set_metric_names(["val_acc", METRICS[plan.objective]])
    study.set_user_attr(UID, uuid.uuid4().hex)
    study.set_user_attr(THREADS, plan.threads)
    _set_of_run(study, plan)
    study.set_user_attr(PROVENANCE, provenance(plan, data))
    study.set_user_attr(IDENTITY, identity)  # last: with it the study is whole
    return study


def _set_of_run(study: optuna.Study, plan: Plan) -> None:
    """What the next run may change."""
    space = plan.space
    own = {"path": str(space.path.resolve()), "fingerprint": space.fingerprint}
    study.set_user_attr(MIN_ACC, plan.min_acc)
    study.set_user_attr(WEIGHTS_DIR, plan.weights_dir)
    study.set_user_attr(MAX_PARAMS, plan.max_params)
    study.set_user_attr(SPACE_FILE, None if space.built_in else own)


def provenance(plan: Plan, data: ImageData) -> dict[str, Any]:
    """Where the results come from: code, libraries, device, seed, data and space."""
    return {
        **environment(plan.device),
        "workers": plan.workers,
        "seed": plan.seed,
        "sampler": plan.sampler,
        "pruner": plan.pruner,
        "data": plan.data.source,
        "data_fingerprint": data.fingerprint,
        "classes": list(data.classes)[:50],
        "training_images": len(data.train),
        "validation_images": len(data.val),
        "space_file": plan.space.path.name,
        "space_fingerprint": plan.space.fingerprint,
    }


def space_has_changed(study: optuna.Study, plan: Plan) -> bool:
    """Whether the space file is another one than when the study began."""
    before = study.user_attrs.get(PROVENANCE, {}).get("space_fingerprint")
    return before is not None and before != plan.space.fingerprint


def requeue_interrupted(study: optuna.Study) -> int:
    """Trials that a killed run left running go back to the queue, under their own numbers."""
    left = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in left:
        live = optuna.trial.Trial(study, trial._trial_id)
        live.set_user_attr(VERDICT, "interrupted: the run was killed; queued again")
        set_state(study, trial._trial_id, TrialState.WAITING)
    return len(left)


def enqueue(study: optuna.Study, plan: Plan, gate: Gate, hand_made: Sequence[Baseline]) -> None:
    """Complete what waits in the queue: hand-made networks that fit and have not run, and trials
    that somebody enqueued by Optuna's own `enqueue_trial`."""
    trials = study.get_trials(deepcopy=False)
    for trial in trials:
        if trial.state == TrialState.WAITING and CONFIG not in trial.user_attrs:
            _adopt(study, plan, gate, trial)
    known = {trial.user_attrs.get(BASELINE) for trial in trials}
    for base in hand_made:
        if base.obstacle or base.name in known:
            continue
        number = len(study.get_trials(deepcopy=False))
        config = base.config.model_copy(update={"seed": plan.trial_seed(number)})
        study.add_trial(
            create_trial(
                state=TrialState.WAITING,
                params=base.params,
                distributions=base.distributions,
                user_attrs={
                    CONFIG: config.to_dict(),
                    **size_attributes(gate, config, base.size or 0),
                    WORDS: describe(config),
                    ORIGIN: "baseline",
                    BASELINE: base.name,
                },
            )
        )


def _adopt(study: optuna.Study, plan: Plan, gate: Gate, trial: FrozenTrial) -> None:
    """Parameters that were not fixed are drawn at random."""
    given = trial.system_attrs.get("fixed_params", {})
    seed = plan.trial_seed(trial.number)
    drawing = Drawing(random.Random(seed), given)
    config = gate.complete(plan.space.suggest(drawing)).model_copy(update={"seed": seed})
    size = gate.size(config)
    live = optuna.trial.Trial(study, trial._trial_id)
    for name, distribution in drawing.distributions.items():
        value = distribution.to_internal_repr(drawing.params[name])
        study._storage.set_trial_param(trial._trial_id, name, value, distribution)
    live.set_user_attr(CONFIG, config.to_dict())
    if size is None:
        raise UserError(
            f"the enqueued trial {trial.number} cannot take images of {config.data.image_size} "
            "pixels: delete it, or use a larger --image-size in a new study"
        )
    for key, value in size_attributes(gate, config, size).items():
        live.set_user_attr(key, value)
    live.set_user_attr(WORDS, describe(config))
    live.set_user_attr(ORIGIN, "enqueued")
