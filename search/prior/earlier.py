"""Studies that lie in a database, as a new one learns from them."""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.cli import UserError
from search.problem.past_study import PastStudy, PastTrial
from search.stopping.rule import expected_end
from search.study import attributes as attr
from search.study.decisions import read_evidence
from search.study.records import COUNTED, read_record
from search.study.storage import check_name, existing, exists
from search.study.storage_url import StorageUrl

LATEST, MOST = 5, 200
"""So many studies of a database are learned from, the latest ones, and so many trials of each,
spread evenly over it: more would take seconds to read and say little more."""
LEAST = 4
"""Trials that a study needs for an order that says something."""


def studies_of(
    storage: StorageUrl, space: str, pretrained: bool, leave_out: str | None = None
) -> list[PastStudy]:
    """The latest studies of a space, the oldest of them first; those with the other `--pretrained`
    are others. Empty where there is no database."""
    if not exists(storage):
        return []
    opened, _ = existing(storage)
    found: list[PastStudy] = []
    try:
        names = [study.study_name for study in opened.get_all_studies()]
        for name in reversed(names):
            study = optuna.load_study(study_name=name, storage=opened)
            if name != leave_out and _fits(study.user_attrs, space, pretrained):
                past = _past(study)
                found += [past] if len(past.trials) >= LEAST else []
            if len(found) == LATEST:
                break
    finally:
        opened.engine.dispose()
    return found[::-1]


def study_of(storage: StorageUrl, name: str, space: str) -> PastStudy:
    """One study by its name. Raises UserError where there is none, or it is of another space, or
    has too few trials."""
    opened, names = existing(storage)
    try:
        check_name(storage, name, names)
        study = optuna.load_study(study_name=name, storage=opened)
        other = study.user_attrs.get(attr.IDENTITY, {}).get("space")
        if other != space:
            raise UserError(
                f"--prior: study '{name}' is of the space {other}, and this search of {space}: "
                "give a study of the same space"
            )
        past = _past(study)
    finally:
        opened.engine.dispose()
    if len(past.trials) < LEAST:
        raise UserError(
            f"--prior: study '{name}' has {len(past.trials)} trials that ended, too few to learn "
            f"from: give one with {LEAST} or more"
        )
    return past


def _fits(attrs: Mapping[str, Any], space: str, pretrained: bool) -> bool:
    identity = attrs.get(attr.IDENTITY, {})
    return bool(identity.get("space") == space and identity.get("pretrained", True) == pretrained)


def _past(study: optuna.Study) -> PastStudy:
    ended = [trial for trial in study.get_trials(deepcopy=False) if trial.state in COUNTED]
    chosen = ended[:: -(-len(ended) // MOST) or 1]
    trials = [past for trial in chosen if (past := _past_trial(trial)) is not None]
    return PastStudy(f"study {study.study_name}", trials)


def _past_trial(trial: FrozenTrial) -> PastTrial | None:
    record = read_record(trial)
    if record is None:
        return None
    end = record.val_acc
    if trial.state == TrialState.PRUNED:
        end, _ = expected_end(read_evidence(trial.user_attrs.get(attr.NUMBERS, {})), end)
    return PastTrial(trial.params, record.num_params, round(end, 4))
