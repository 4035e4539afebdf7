"""Trials of a study that have not ended and are not this coordinator's: those that others train,
and those that wait for anybody."""

from collections.abc import Iterable

from optuna.trial import FrozenTrial, TrialState

from search.stopping.curve import Curve
from search.study import owner
from search.study.attributes import CONFIG, NOBODY, RUN_BY, SPENT
from search.study.records import epochs_of, read_record


class Others:
    """What is known of them, as of the last look."""

    def __init__(self, trials: Iterable[FrozenTrial]) -> None:
        self._open: dict[int, FrozenTrial] = {}
        self._curves: dict[int, Curve] = {}
        for trial in trials:
            self.take_in(trial)

    @property
    def numbers(self) -> list[int]:
        """Of all of them."""
        return list(self._open)

    @property
    def running(self) -> int:
        """Number of trials that others train."""
        return len(self._running())

    @property
    def curves(self) -> list[Curve]:
        """Of those that others train, as far as they are known."""
        return list(self._curves.values())

    def epochs_to_come(self, epochs: int) -> int:
        """That others may still train, where each trial takes at most so many."""
        return sum(epochs - epochs_of(trial) for trial in self._running())

    def take_in(self, trial: FrozenTrial) -> int:
        """One of them has changed, or is new. Returns the epochs trained since the last look."""
        before = self.forget(trial.number)
        if not trial.state.is_finished():
            self._open[trial.number] = trial
        if _is_searched(trial) and (record := read_record(trial)) is not None:
            self._curves[trial.number] = record.curve
        return _spent(trial) - (0 if before is None else _spent(before))

    def forget(self, number: int) -> FrozenTrial | None:
        """This coordinator trains it from now on, or nobody. Returns what was known of it."""
        self._curves.pop(number, None)
        return self._open.pop(number, None)

    def _running(self) -> list[FrozenTrial]:
        return [trial for trial in self._open.values() if _is_searched(trial)]


def _is_searched(trial: FrozenTrial) -> bool:
    """Whether a coordinator trains it. Of another program nobody would ever be told that it has
    been lost."""
    attrs = trial.user_attrs
    ours = CONFIG in attrs and attrs.get(RUN_BY) != NOBODY
    return trial.state == TrialState.RUNNING and ours


def is_ours(trial: FrozenTrial) -> bool:
    """Whether this coordinator trains a trial, or has."""
    by_me = trial.user_attrs.get(RUN_BY) == owner.RUN
    return by_me and trial.state != TrialState.WAITING


def _spent(trial: FrozenTrial) -> int:
    return int(trial.user_attrs.get(SPENT, {}).get("epochs", 0))
