"""What the front rule remembers of trials beside their curves.

Expectations are those of the moment when a trial was judged, so they cannot be computed again from
the curves. The rule writes every change into the decision that it was made with. A later run of the
study recalls them, and decides as one run without an interruption would.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MemoryUpdate:
    """What one judgement added."""

    order: int
    """1 for the study's first judgement."""
    first_gains: tuple[tuple[int, float], ...] = ()
    """(trial, expected gain of hypervolume when it had begun to learn), in order."""
    ends: tuple[tuple[int, float], ...] = ()
    """(trial, accuracy at which it is expected to end)."""
    ended: tuple[int, int] | None = None
    """Finished and stopped trials when something was last brought up to date, or None where
    nothing was."""
    realised: float | None = None
    """Hypervolume that the front gained an epoch of late, as of `ended`."""


@dataclass
class Memory:
    """See the module."""

    first_gains: dict[int, float] = field(default_factory=dict)
    """Gains by trial, in the order in which they became known."""
    ends: dict[int, float] = field(default_factory=dict)
    """The accuracy at which each trial was last expected to end."""
    ended: tuple[int, int] | None = None
    realised: float | None = None
    _judgements: int = 0
    _new_gains: dict[int, float] = field(default_factory=dict)
    _new_ends: dict[int, float] = field(default_factory=dict)
    _renewed: bool = False

    def note_first_gain(self, trial: int, gain: float) -> None:
        """What a trial promised when it had begun to learn."""
        self.first_gains[trial] = self._new_gains[trial] = gain

    def note_end(self, trial: int, val_acc: float) -> None:
        """The accuracy at which a trial is expected to end."""
        self.ends[trial] = self._new_ends[trial] = val_acc

    def renew(self, ended: tuple[int, int], realised: float | None) -> None:
        """Trials have ended since the last time."""
        self.ended, self.realised, self._renewed = ended, realised, True

    def update(self) -> MemoryUpdate:
        """Everything that is new since the last call."""
        self._judgements += 1
        update = MemoryUpdate(
            self._judgements,
            tuple(self._new_gains.items()),
            tuple(self._new_ends.items()),
            self.ended if self._renewed else None,
            self.realised if self._renewed else None,
        )
        self._new_gains, self._new_ends, self._renewed = {}, {}, False
        return update

    def recall(self, updates: Iterable[MemoryUpdate]) -> None:
        """Take in the updates of earlier runs, in any order."""
        for update in sorted(updates, key=lambda update: update.order):
            self._judgements = max(self._judgements, update.order)
            self.first_gains.update(update.first_gains)
            self.ends.update(update.ends)
            if update.ended is not None:
                self.ended, self.realised = update.ended, update.realised
