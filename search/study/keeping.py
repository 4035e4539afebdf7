"""Renames and deletes studies, with what lies beside the database for them."""

import contextlib
import shutil
from collections.abc import Iterator

import optuna
from sqlalchemy.exc import IntegrityError

from paretrain.cli import UserError
from search.problem.optuna_internals import rename, storage_of
from search.study.attributes import OWNER, UID
from search.study.database_file import make_whole
from search.study.owner import refuse_if_owned, sole_owner
from search.study.provenance import checkpoint_folder
from search.study.reader import refuse_unreadable_name
from search.study.storage import check_writable, load_study, one_line, open_studies
from search.study.storage_url import StorageUrl

LONGEST_NAME = 512
"""Characters that Optuna's table has for a name."""


@contextlib.contextmanager
def _unused(storage: StorageUrl, name: str) -> Iterator[optuna.Study]:
    """A study that nobody runs, and nobody can begin to run meanwhile."""
    check_writable(storage)
    study = load_study(storage, name)
    with sole_owner(storage, name):
        refuse_if_owned(name, study.user_attrs.get(OWNER))
        with one_line(storage):
            yield study


def rename_study(storage: StorageUrl, name: str, new: str) -> None:
    """Trials, repeats, checkpoints and the address in the dashboard stay what they are. Raises
    UserError when the study is in use, or the new name is taken or not possible."""
    if not new.strip():
        raise UserError(f"the new name '{new}' is empty: give one")
    if len(new) > LONGEST_NAME:
        raise UserError(
            f"the new name has {len(new)} characters: at most {LONGEST_NAME} are possible"
        )
    refuse_unreadable_name(new, "the new name")
    taken = UserError(f"there is a study '{new}' in {storage} already: give another name")
    if new in open_studies(storage)[1]:
        raise taken
    with _unused(storage, name) as study, sole_owner(storage, new):
        try:
            rename(study, new)
        except IntegrityError:
            raise taken from None
        make_whole(study)


def delete_study(storage: StorageUrl, name: str) -> None:
    """Deletes the study with its trials and repeats, and the checkpoints of its interrupted trials.
    Nothing else: exported files, reports and results stay. Raises UserError when it is in use."""
    with _unused(storage, name) as study:
        uid, database = study.user_attrs.get(UID), storage_of(study)
        checkpoints = None if uid is None else checkpoint_folder(study)
        optuna.delete_study(study_name=name, storage=database)
        left = optuna.get_all_study_summaries(storage=database, include_best_trial=False)
        copied = any(other.user_attrs.get(UID) == uid for other in left)  # by Optuna's copy_study
        if checkpoints is not None and not copied:
            shutil.rmtree(checkpoints, ignore_errors=True)
