"""Open or create the Optuna study of a plan, with a record of where its results come from."""

import uuid
from typing import Any

import optuna
from optuna.storages import BaseStorage

from paretrain.cli import UserError
from paretrain.data.parts import ImageData
from search.problem.description import describe_space
from search.problem.known_spaces import remember
from search.problem.objective import DIRECTIONS, METRICS
from search.problem.optuna_internals import quiet_optuna
from search.problem.space import Space
from search.session.plan import Plan, Stored, refuse_other_study
from search.study import attributes as attr
from search.study.checked_storage import damage_of
from search.study.images import images_of
from search.study.owner import beat, refuse_if_owned
from search.study.provenance import environment
from search.study.storage import exists, open_storage, refuse_damaged
from search.study.storage_url import StorageUrl


def stored_settings(storage: StorageUrl, name: str) -> Stored | None:
    """What an existing study has settled; None where there is no such study. Creates nothing."""
    if not exists(storage):
        return None
    opened = open_storage(storage)
    try:
        refuse_damaged(opened, name)
        if name not in optuna.study.get_all_study_names(opened):
            return None
        study = optuna.load_study(study_name=name, storage=opened)
        if _half_made(study):
            return None
        _refuse_damaged_settings(study)
        attrs = study.user_attrs
        return Stored(
            identity=attrs.get(attr.IDENTITY, {}),
            threads=int(attrs.get(attr.THREADS, 1)),
            min_acc=attrs.get(attr.MIN_ACC),
            weights_dir=attrs.get(attr.WEIGHTS_DIR),
        )
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
        refuse_if_owned(plan.study_name, study.user_attrs.get(attr.OWNER))
        if _half_made(study):
            return _completed(study, plan, data, wanted)
        refuse_other_study(plan.study_name, study.user_attrs.get(attr.IDENTITY, {}), wanted)
        study.set_user_attr(attr.OWNER, beat())
        if attr.UID not in study.user_attrs:  # damaged: it names the folder of the checkpoints
            study.set_user_attr(attr.UID, uuid.uuid4().hex)
        _store_settings(study, plan, data)
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


def _refuse_damaged_settings(study: optuna.Study) -> None:
    """A search that went on with other settings than the stored ones would be another search."""
    damage_of_settings = [line for line in damage_of(study) if ": setting " in line]
    if damage_of_settings and not all("'uid'" in line for line in damage_of_settings):
        raise UserError(damage_of_settings[0])


def _half_made(study: optuna.Study) -> bool:
    """Whether a run was killed while it made this study."""
    return (
        attr.IDENTITY not in study.user_attrs
        and [direction.name.lower() for direction in study.directions] == DIRECTIONS
        and not study.get_trials(deepcopy=False)
    )


def _completed(
    study: optuna.Study, plan: Plan, data: ImageData, identity: dict[str, Any]
) -> optuna.Study:
    study.set_user_attr(attr.OWNER, beat())
    with quiet_optuna():
        study.set_metric_names(["val_acc", METRICS[plan.objective]])
    study.set_user_attr(attr.UID, uuid.uuid4().hex)
    study.set_user_attr(attr.THREADS, plan.threads)
    _store_settings(study, plan, data)
    study.set_user_attr(attr.PROVENANCE, provenance(plan, data))
    study.set_user_attr(attr.IDENTITY, identity)  # last: with it the study is whole
    return study


def _store_settings(study: optuna.Study, plan: Plan, data: ImageData) -> None:
    """Settings that the next run may change, and what earlier versions did not store."""
    study.set_user_attr(attr.IMAGES, images_of(data).model_dump())
    study.set_user_attr(attr.MIN_ACC, plan.min_acc)
    study.set_user_attr(attr.WEIGHTS_DIR, plan.weights_dir)
    study.set_user_attr(attr.MAX_PARAMS, plan.max_params)
    study.set_user_attr(attr.SPACE_FILE, None if plan.space.built_in else _space_file(plan.space))
    if not plan.space.built_in:
        remember(plan.space)
        described = describe_space(plan.space, plan.constraints(data)).model_dump(mode="json")
        study.set_user_attr(attr.DESCRIPTION, described)


def _space_file(space: Space) -> dict[str, str]:
    return {"path": str(space.path.resolve()), "fingerprint": space.fingerprint}


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
    before = study.user_attrs.get(attr.PROVENANCE, {}).get("space_fingerprint")
    return before is not None and before != plan.space.fingerprint
