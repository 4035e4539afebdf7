"""Judges trials whose results all pass through one process, as in a scheduler: no database."""

from dataclasses import replace

from search.elsewhere.judging import Reported, State, judge
from search.elsewhere.settings import Settings
from search.stopping.rule import Decision


class LiveJudge:
    """Trials are known by a name; they are numbered in the order in which they begin."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._reported: dict[str, Reported] = {}
        self._states: dict[str, State] = {}
        self._ended: list[str] = []
        """Names, in the order in which their trials ended."""
        self._count = 0

    def report(
        self,
        name: str,
        size: float,
        accuracy: float,
        epoch: int,
        *,
        loss: float | None = None,
        one_class: bool | None = None,
        baseline: bool = False,
    ) -> Decision:
        """Takes in an epoch, counted from 1, and says whether the trial is to be stopped. The trial
        begins with its first report. The arguments are those of `FrontPruner`.

        Raises UserError for what is no size or no accuracy, or an epoch out of turn.
        """
        if name not in self._reported:
            whole = self.settings.whole_size(size)
            begun = Reported(number=self._count, size=whole, baseline=baseline)
            self._reported[name], self._states[name] = begun, "running"
            self._count += 1
        trial = self._reported[name].reporting(self.settings, accuracy, epoch, loss, one_class)
        decision = judge(self.settings, trial, self._others(name))
        if decision.judged:
            trial = replace(trial, decisions=(*trial.decisions, decision))
        self._reported[name] = trial
        return decision

    def end(self, name: str, state: State) -> None:
        """A trial has ended, or has gone back to where it waits (`running`). The first end counts;
        a trial that never reported is no trial yet."""
        if self._states.get(name) == "running" and state != "running":
            self._states[name] = state
            self._ended.append(name)

    def decisions(self, name: str) -> list[Decision]:
        """Those that judged an epoch of a trial."""
        return list(self._reported[name].decisions)

    def count(self, state: State) -> int:
        """How many trials are in that state."""
        return sum(each == state for each in self._states.values())

    def _others(self, name: str) -> dict[State, list[Reported]]:
        others: dict[State, list[Reported]] = {}
        running = [each for each, state in self._states.items() if state == "running"]
        for other in [*self._ended, *running]:
            if other != name:
                others.setdefault(self._states[other], []).append(self._reported[other])
        return others
