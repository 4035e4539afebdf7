"""All that touches Optuna's private parts, which a new version may change. Nothing else in search/
may (tests/project/test_layers.py holds that)."""

import contextlib
import copy
import warnings
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, TypeAlias, TypeVar

import optuna
from optuna.distributions import BaseDistribution
from optuna.search_space.group_decomposed import _GroupDecomposedSearchSpace
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.storages._rdb.models import (
    BaseModel,
    StudyModel,
    StudyUserAttributeModel,
    TrialHeartbeatModel,
    TrialModel,
    TrialParamModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy as _FrozenStudy
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import Connection, Table, delete, inspect, select, update

from search.problem.ranges import is_numeric

FrozenStudy: TypeAlias = _FrozenStudy
T = TypeVar("T")


def _table(model: Any) -> Table:
    found: Table = model.__table__
    return found


STUDIES, STUDY_USER = map(_table, (StudyModel, StudyUserAttributeModel))
TRIALS, PARAMS = map(_table, (TrialModel, TrialParamModel))
TRIAL_USER, VALUES = map(_table, (TrialUserAttributeModel, TrialValueModel))
HEARTBEATS = _table(TrialHeartbeatModel)
"""Optuna's tables with their types, to be written to. `study/tables.py` has them to be read."""


def stored_value(value: float) -> dict[str, Any]:
    """The columns of VALUES that hold a number."""
    number, kind = TrialValueModel.value_to_stored_repr(value)
    return {"value": number, "value_type": kind}


def allows(distribution: BaseDistribution, value: Any) -> bool:
    """Whether the value is in the range, or is one of the choices. Optuna would take text for a
    number."""
    if is_numeric(distribution) and not isinstance(value, Real):
        return False
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:
        return False


def id_of(thing: FrozenTrial | FrozenStudy) -> int:
    """Number of a trial or a study in its database (unlike `trial.number`, which is that in its
    study)."""
    return thing._trial_id if isinstance(thing, FrozenTrial) else thing._study_id


def rename(study: optuna.Study, name: str) -> None:
    """Give a study another name, under its own id. Optuna can only copy studies, which gives trials
    other ids. Raises sqlalchemy.exc.IntegrityError where the name is taken."""
    database, id_ = backend_of(study)
    assert isinstance(database, RDBStorage)
    with database.engine.begin() as connection:
        statement = update(StudyModel).where(StudyModel.study_id == id_)
        connection.execute(statement.values(study_name=name))


def delete_rows(connection: Connection, study_id: int) -> None:
    """Delete a study without reading what is in its rows, which may be damaged: Optuna would first
    make objects of them. Tables that are not there are no error."""
    tables, there = BaseModel.metadata.tables, set(inspect(connection).get_table_names())
    trials = tables["trials"].c
    of_study = select(trials.trial_id).where(trials.study_id == study_id)
    for table in reversed(BaseModel.metadata.sorted_tables):  # what refers to others goes first
        if table.name not in there:
            continue
        if "study_id" in table.c:
            connection.execute(delete(table).where(table.c.study_id == study_id))
        elif "trial_id" in table.c:
            connection.execute(delete(table).where(table.c.trial_id.in_(of_study)))


def storage_of(study: optuna.Study) -> BaseStorage:
    """The database of a study."""
    return study._storage


def backend_of(study: optuna.Study) -> tuple[BaseStorage, int]:
    """The database of a study without Optuna's memory of it, and the study's id there."""
    return getattr(study._storage, "_backend", study._storage), study._study_id


def frozen_study(
    id_: int,
    name: str,
    directions: Sequence[StudyDirection],
    user_attrs: Mapping[str, Any],
    system_attrs: Mapping[str, Any],
) -> FrozenStudy:
    """A study as Optuna's storages list it."""
    attrs = dict(user_attrs), dict(system_attrs)
    return _FrozenStudy(name, None, *attrs, id_, directions=directions)


class OwnReading(RDBStorage):
    """Optuna's storage for those who read its trials themselves."""

    def asked(self, work: Callable[[], T]) -> T:
        """What `work` gives, which may be done twice where the database did not answer."""
        raise NotImplementedError

    def _set_trial_param(self, *arguments: Any, **options: Any) -> None:
        """What Optuna writes parameters with."""
        write = super()._set_trial_param
        self.asked(lambda: write(*arguments, **options))

    def read_trials(self, study_id: int, after: int, also: set[int]) -> list[FrozenTrial]:
        """Trials of a study whose id is larger than `after`, or among `also`, by their ids."""
        raise NotImplementedError

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """What Optuna reads trials with."""
        trials = self.read_trials(study_id, trial_id_greater_than, included_trial_ids)
        return [trial for trial in trials if states is None or trial.state in states]


def set_attributes(study: optuna.Study, id_: int, attributes: Mapping[str, Any]) -> None:
    """User attributes of a trial in any state but a final one; `id_` as `id_of` gives it."""
    live = Trial(study, id_)
    for key, value in attributes.items():
        live.set_user_attr(key, value)


def set_params(
    study: optuna.Study,
    id_: int,
    params: Mapping[str, Any],
    distributions: Mapping[str, BaseDistribution],
) -> None:
    """Parameters of a waiting trial, which Optuna's public interface only lets a trial ask for."""
    for name, distribution in distributions.items():
        value = distribution.to_internal_repr(params[name])
        study._storage.set_trial_param(id_, name, value, distribution)


def add_in_memory(study: optuna.Study, trial: FrozenTrial) -> None:
    """As `Study.add_trial`, for a study in memory and a trial that has been checked already."""
    study._storage.create_new_trial(study._study_id, template_trial=trial)


def study_of(values: Sequence[Sequence[float]], trials: Sequence[FrozenTrial]) -> optuna.Study:
    """A study in memory, to be looked at, of these trials with other values; its directions are the
    default. `Study.add_trials` would copy each trial deeply, which takes a millisecond and more."""
    storage = InMemoryStorage()
    study = optuna.create_study(storage=storage)
    for number, (of_trial, trial) in enumerate(zip(values, trials, strict=True)):
        own = copy.copy(trial)
        own.number = own._trial_id = number
        own.values = list(of_trial)
        storage._studies[study._study_id].trials.append(own)
        storage._trial_id_to_study_id_and_number[number] = (study._study_id, number)
    return study


def end_in_memory(
    study: optuna.Study, number: int, state: TrialState, values: Sequence[float] | None
) -> None:
    """As `Study.tell`, for a study in memory: that one copies the trial deeply, three times, which
    takes a millisecond and more."""
    trial = study._storage.get_all_trials(study._study_id, deepcopy=False)[number]
    study.sampler.after_trial(study, trial, state, values)
    study._storage.set_trial_state_values(id_of(trial), state, values)
    study._thread_local.cached_all_trials = None


def modelled_together(study: optuna.Study) -> int:
    """Number of parameters that TPE models with `group`, of a study's finished trials."""
    groups = _GroupDecomposedSearchSpace().calculate(study).search_spaces
    return sum(len(group) for group in groups)


@contextlib.contextmanager
def quiet_optuna() -> Iterator[None]:
    """Silence Optuna's warnings about its experimental parts, which are used here on purpose."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
        yield
