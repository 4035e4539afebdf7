"""Open or create the Optuna study of a plan, with a record of where its results come from."""

import platform
import sys
from importlib import metadata
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

import paretrain
from paretrain.data.parts import ImageData
from paretrain.device import device_name
from search.plan import Plan, refuse_other_study
from search.proposals import DIRECTIONS
from search.records import BASELINE, RETRY_OF, VERDICT
from search.storage import exists, open_storage, quiet_optuna

METRICS = ["val_acc", "params"]
IDENTITY, PROVENANCE, THREADS, REFUSED = "identity", "provenance", "threads", "refused"
_LIBRARIES = ("torch", "torchvision", "optuna", "numpy", "pillow", "scikit-learn")


def stored_identity(storage: str, name: str) -> tuple[dict[str, Any], int] | None:
    """Identity and threads of an existing study, or None. Creates nothing."""
    if not exists(storage):
        return None
    opened = open_storage(storage)
    if name not in optuna.study.get_all_study_names(opened):
        return None
    attrs = optuna.load_study(study_name=name, storage=opened).user_attrs
    return attrs.get(IDENTITY, {}), int(attrs.get(THREADS, 1))


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
        refuse_other_study(plan.study_name, study.user_attrs.get(IDENTITY, {}), wanted)
        return study
    with quiet_optuna():
        study = optuna.create_study(
            study_name=plan.study_name, storage=storage, directions=DIRECTIONS, sampler=sampler
        )
        study.set_metric_names(METRICS)
    study.set_user_attr(IDENTITY, wanted)
    study.set_user_attr(THREADS, plan.threads)
    study.set_user_attr(PROVENANCE, provenance(plan, data))
    return study


def provenance(plan: Plan, data: ImageData) -> dict[str, Any]:
    """Where the results come from: code, libraries, device, seed, data and space."""
    return {
        "paretrain": paretrain.__version__,
        "python": sys.version.split()[0],
        **{library: metadata.version(library) for library in _LIBRARIES},
        "platform": platform.platform(),
        "device": device_name(plan.device),
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
    """Trials that a killed run left running: closed as failed, their parameters queued again."""
    left = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    for trial in left:
        requeue(study, trial.number, "the run was killed")
    return len(left)


def requeue(study: optuna.Study, number: int, why: str) -> None:
    """End a running trial as FAIL (which no budget counts) and queue the same parameters."""
    trial = study.get_trials(deepcopy=False)[number]
    live = optuna.trial.Trial(study, trial._trial_id)
    live.set_user_attr(VERDICT, f"interrupted: {why}; queued again")
    attrs = {key: trial.user_attrs[key] for key in (BASELINE,) if key in trial.user_attrs}
    study.enqueue_trial(trial.params, user_attrs={**attrs, RETRY_OF: number})
    study.tell(number, state=TrialState.FAIL)
