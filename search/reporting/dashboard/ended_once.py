"""Spares optuna-dashboard looks at what does not change. All that touches its private parts is in
this file."""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import Any
from weakref import WeakKeyDictionary

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.problem.optuna_internals import id_of

Serialize = Callable[[int, FrozenTrial, dict[str, Any]], dict[str, Any]]
"""Makes what a page is sent of a trial, from the study's id and those of its system attributes that
belong to the trial."""
Study = Callable[[int], optuna.Study]
"""Gives the study with an id, the same object until it is forgotten."""


class _LookedAtOnce:
    """What trials have in common: ranges and attributes. An ended trial, once looked at, adds
    nothing any more, and of trials that are alike one says it for all."""

    def __init__(self, whole: Any) -> None:
        """`whole`: optuna-dashboard's own, which looks at all that it is given."""
        self._whole = whole
        self._ended = set[tuple[int, datetime | None]]()
        self._alike = dict[Hashable, list[BaseDistribution]]()

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Adds what is new."""
        new = [trial for trial in trials if _key(trial) not in self._ended]
        unlike = []
        for trial in new:
            if (kind := _kind(trial)) not in self._alike:
                self._alike[kind] = list(trial.distributions.values())  # so their ids stay theirs
                unlike.append(trial)
        self._whole._cursor = -1  # it would leave out trials before one that runs
        self._whole.update(unlike)
        self._ended.update(_key(trial) for trial in new if trial.state.is_finished())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)


def _key(trial: FrozenTrial) -> tuple[int, datetime | None]:
    """With its time: a trial that runs has none."""
    return id_of(trial), trial.datetime_complete


def _kind(trial: FrozenTrial) -> Hashable:
    """All of a trial on which depends what it adds. Ranges that are equal are one object, since
    they are read once."""
    return (
        trial.state == TrialState.FAIL,
        bool(trial.intermediate_values),
        frozenset((name, id(range_)) for name, range_ in trial.distributions.items()),
        frozenset((name, type(value)) for name, value in trial.user_attrs.items()),
    )


class _ByStudy:
    """What optuna-dashboard keeps of studies by their ids, until they are forgotten."""

    def __init__(self, study: Study, begin: Callable[[], Any] | None = None) -> None:
        """`begin`: makes what is kept of a study that is not known yet."""
        self._study, self._begin = study, begin
        self._kept = WeakKeyDictionary[optuna.Study, Any]()

    def get(self, study_id: int, default: Any = None) -> Any:
        study = self._study(study_id)
        if self._begin is not None and study not in self._kept:
            self._kept[study] = self._begin()
        return self._kept.get(study, default)

    def __setitem__(self, study_id: int, kept: Any) -> None:
        self._kept[self._study(study_id)] = kept

    def clear(self) -> None:
        self._kept.clear()


def look_at_ended_trials_once(dashboard: Any, study: Study) -> None:
    """Mends what `optuna_dashboard.wsgi` makes: for each answer it compares the ranges of all ended
    trials, pair by pair, which takes two seconds at 10,000 trials. And it keeps trials for ten
    seconds, also those of a study that is no longer there. Does nothing to a version that has other
    private parts than 0.21. `study`: as that of DashboardStorage."""
    try:
        from optuna_dashboard._inmemory_cache import _CachedExtraStudyProperty

        cache = dashboard._inmemory_cache
        known = cache._cached_extra_study_property_cache == {}
        known = known and cache._trials_cache == {}
        known = known and hasattr(_CachedExtraStudyProperty(), "_cursor")
    except (ImportError, AttributeError):
        return
    if known:
        cache._cached_extra_study_property_cache = _ByStudy(
            study, lambda: _LookedAtOnce(_CachedExtraStudyProperty())
        )
        cache._trials_cache = _ByStudy(study)


def serializer() -> Serialize | None:
    """optuna-dashboard's own; None where the version is none whose page is known."""
    try:
        from optuna_dashboard import __version__
        from optuna_dashboard._serializer import serialize_frozen_trial
    except ImportError:
        return None
    serialize: Serialize = serialize_frozen_trial
    return serialize if __version__.startswith("0.21.") else None
