"""Spares optuna-dashboard looks at what does not change. All that touches its private parts is in
this file."""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.problem.optuna_internals import id_of

Serialize = Callable[[int, FrozenTrial, dict[str, Any]], dict[str, Any]]
"""Makes what a page is sent of a trial, from the study's id and those of its system attributes that
belong to the trial."""


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
    """With its time: another study may get the ids of one that was deleted."""
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


class _ByStudy(dict[int, _LookedAtOnce]):
    def __init__(self, begin: Callable[[], Any]) -> None:
        super().__init__()
        self._begin = begin

    def get(self, study_id: int, default: Any = None) -> Any:
        return self.setdefault(study_id, _LookedAtOnce(self._begin()))


def look_at_ended_trials_once(dashboard: Any) -> None:
    """Mends what `optuna_dashboard.wsgi` makes: for each answer it compares the ranges of all ended
    trials, pair by pair, which takes two seconds at 10,000 trials. Does nothing to a version that
    has other private parts than 0.21, so is only slower there."""
    try:
        from optuna_dashboard._inmemory_cache import _CachedExtraStudyProperty

        cache = dashboard._inmemory_cache
        known = cache._cached_extra_study_property_cache == {}
        known = known and hasattr(_CachedExtraStudyProperty(), "_cursor")
    except (ImportError, AttributeError):
        return
    if known:
        cache._cached_extra_study_property_cache = _ByStudy(_CachedExtraStudyProperty)


def serializer() -> Serialize | None:
    """optuna-dashboard's own; None where the version is none whose page is known."""
    try:
        from optuna_dashboard import __version__
        from optuna_dashboard._serializer import serialize_frozen_trial
    except ImportError:
        return None
    serialize: Serialize = serialize_frozen_trial
    return serialize if __version__.startswith("0.21.") else None
