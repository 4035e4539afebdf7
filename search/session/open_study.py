"""Open or create the Optuna study of a plan, with a record of where its results come from."""

import uuid
from collections.abc import Mapping
from typing import Any

import optuna

from paretrain.cli import UserError
from paretrain.data.parts import ImageData
from search.problem.description import describe_space
from search.problem.known_spaces import remember
from search.problem.objective import DIRECTIONS, METRICS
from search.problem.optuna_internals import quiet_optuna, storage_of
from search.problem.space import Space
from search.session.joining import made_by_another
from search.session.plan import Plan, Stored, refuse_other_settings, refuse_other_study
from search.study import attributes as attr
from search.study.checked_storage import database_of
from search.study.database_file import DatabaseFile
from search.study.image_place import place_of
from search.study.images import images_of
from search.study.metric import stored_name
from search.study.owner import at_work, refuse_if_owned, signs
from search.study.provenance import environment
from search.study.servers import make_room
from search.study.sharing import enter
from search.study.storage import (
    exists,
    load_study,
    open_storage,
    refuse_alike,
    refuse_damaged,
    refuse_damaged_settings,
)
from search.study.storage_url import StorageUrl


class Before:
    """A study as a run finds it. All that the run asks of ended trials is read from the database
    once: to read 10,000 takes seconds, and to keep them twice 0.3 GB."""

    def __init__(self, study: optuna.Study, storage: StorageUrl) -> None:
        self.study = study
        self._file, self._uid = DatabaseFile(storage), study.user_attrs.get(attr.UID)

    @property
    def is_still_there(self) -> bool:
        """Whether it has been neither moved nor deleted since, nor made anew under its name."""
        return not self._file.moved and self.study.user_attrs.get(attr.UID) == self._uid


class StudyAppearedError(Exception):
    """Somebody else has made the study that this run was to make and joins: its settings are to be
    taken over."""


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
        refuse_damaged_settings(study)
        attrs = study.user_attrs
        return Stored(
            identity=attrs.get(attr.IDENTITY, {}),
            threads=int(attrs.get(attr.THREADS, 1)),
            settings=_settings_of_runs(attrs),
            signs=signs(attrs),
        )
    finally:
        opened.engine.dispose()


def _settings_of_runs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Of the last run; of the first one where an earlier version wrote the study."""
    begun = attrs.get(attr.PROVENANCE, {})
    return {
        **{name: begun[name] for name in ("seed", "sampler", "pruner") if name in begun},
        **{
            name: attrs[name]
            for name in (attr.MAX_PARAMS, attr.MIN_ACC, attr.WEIGHTS_DIR)
            if name in attrs
        },
        **attrs.get(attr.SETTINGS, {}),
    }


def admit(plan: Plan, fingerprint: str | None) -> None:
    """Raises UserError when this run of an existing study would be refused: somebody runs it, or it
    was begun with other settings; StudyAppearedError where the plan must be made anew. Changes
    nothing. `fingerprint` is that of the images, None as long as they have not been loaded."""
    stored = stored_settings(plan.storage, plan.study_name)
    if stored is None:
        return
    if not plan.join:
        refuse_if_owned(plan.study_name, stored.signs)
    elif not plan.goes_on:
        raise StudyAppearedError
    elif at_work(stored.signs):
        refuse_other_settings(plan.study_name, stored.settings, plan.settings())
    known = stored.identity.get("data", "") if fingerprint is None else fingerprint
    refuse_other_study(plan.study_name, stored.identity, plan.identity(known))


def existing_study(plan: Plan) -> Before | None:
    """The study of this plan as it is, unchanged; None where there is none yet."""
    if stored_settings(plan.storage, plan.study_name) is None:
        return None
    return Before(load_study(plan.storage, plan.study_name), plan.storage)


def store_changes(study: optuna.Study, plan: Plan) -> None:
    """Keep what this run was given for the next one, where it is not what the last one had."""
    wanted = plan.settings()
    if _settings_of_runs(study.user_attrs) != wanted:
        _store_settings_of_runs(study, wanted)
    if study.user_attrs.get(attr.IMAGE_PLACE) != place_of(plan.data):
        study.set_user_attr(attr.IMAGE_PLACE, place_of(plan.data))


def agree_with_others(study: optuna.Study, plan: Plan, first: bool) -> None:
    """What this run, which has joined, was given is kept where it is the first after all. Raises
    UserError where those that run the study search it with other settings: they may not have begun
    when this run was admitted."""
    if first:
        store_changes(study, plan)
    else:
        stored = _settings_of_runs(study.user_attrs)
        refuse_other_settings(plan.study_name, stored, plan.settings())


def _store_settings_of_runs(study: optuna.Study, settings: dict[str, Any]) -> None:
    for name in (attr.MAX_PARAMS, attr.MIN_ACC, attr.WEIGHTS_DIR):  # for earlier versions
        study.set_user_attr(name, settings[name])
    study.set_user_attr(attr.SETTINGS, settings)


def open_study(
    plan: Plan, data: ImageData, before: Before | None = None, *, again: bool = False
) -> optuna.Study:
    """The study of this plan, created if need be. `before`: as it has been read already. `again`:
    another one that is joined was faster.

    Raises UserError when a study of that name was begun with other settings, and StudyAppearedError
    where another coordinator to be joined was faster.
    """
    if before is not None and before.is_still_there:
        storage, (opened, _) = storage_of(before.study), database_of(before.study)
    else:
        storage = opened = open_storage(plan.storage)
    make_room(opened.engine)
    wanted = plan.identity(data.fingerprint)
    existing = plan.study_name in optuna.study.get_all_study_names(storage)
    sampler = optuna.samplers.RandomSampler(seed=plan.seed)  # proposals come from `Proposer`
    if existing:
        study = optuna.load_study(study_name=plan.study_name, storage=storage, sampler=sampler)
        if not plan.join:
            refuse_if_owned(plan.study_name, study.user_attrs)
        if _half_made(study):
            return _completed(study, plan, data, wanted)
        if plan.join and not plan.goes_on:
            raise StudyAppearedError
        refuse_other_study(plan.study_name, study.user_attrs.get(attr.IDENTITY, {}), wanted)
        if enter(study, plan.join):
            _remember_space(plan)
            return study
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
            refuse_alike(opened, plan.study_name)
            if plan.join and not again:
                return open_study(plan, data, again=True)
            raise UserError(
                f"study '{plan.study_name}' has been created by another process at this moment: "
                "run the command again, or use another --study-name"
            ) from None
    return _completed(study, plan, data, wanted)


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
    """A study of which there is no more than its name, with all that it needs. Of several that join
    it at the same moment one does that. Raises StudyAppearedError to the others, once it is done.
    """
    if enter(study, plan.join) and made_by_another(study, _half_made):
        raise StudyAppearedError
    with quiet_optuna():
        study.set_metric_names([stored_name(plan.metric), METRICS[plan.objective]])
    study.set_user_attr(attr.UID, uuid.uuid4().hex)
    study.set_user_attr(attr.THREADS, plan.threads)
    _store_settings(study, plan, data)
    study.set_user_attr(attr.PROVENANCE, provenance(plan, data))
    study.set_user_attr(attr.IDENTITY, identity)  # last: with it the study is whole
    return study


def _store_settings(study: optuna.Study, plan: Plan, data: ImageData) -> None:
    """Settings that the next run may change, and what earlier versions did not store."""
    study.set_user_attr(attr.IMAGES, images_of(data).model_dump())
    _store_settings_of_runs(study, plan.settings())
    study.set_user_attr(attr.IMAGE_PLACE, place_of(plan.data))
    study.set_user_attr(attr.SPACE_FILE, None if plan.space.built_in else _space_file(plan.space))
    _remember_space(plan)
    if not plan.space.built_in:
        described = describe_space(plan.space, plan.constraints(data)).model_dump(mode="json")
        study.set_user_attr(attr.DESCRIPTION, described)


def _remember_space(plan: Plan) -> None:
    if not plan.space.built_in:
        remember(plan.space)


def _space_file(space: Space) -> dict[str, str]:
    return {"path": str(space.path.resolve()), "fingerprint": space.fingerprint}


def provenance(plan: Plan, data: ImageData) -> dict[str, Any]:
    """Where the results come from: code, libraries, device, seed, data and space."""
    return {
        **environment(plan.device),
        "workers": plan.workers,
        "mps": bool(plan.worker_environment),
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
