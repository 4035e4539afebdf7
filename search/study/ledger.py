"""Where epochs and seconds went. Every number comes from what the study stores of its trials, so
it holds over interruptions, and the rows add up to what was spent."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from optuna.trial import FrozenTrial, TrialState

from search.study.attributes import SPENT
from search.study.records import epochs_of


@dataclass(frozen=True)
class Entry:
    """Trials, and what they took."""

    trials: int = 0
    epochs: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Entry") -> "Entry":
        return Entry(
            self.trials + other.trials, self.epochs + other.epochs, self.seconds + other.seconds
        )


@dataclass(frozen=True)
class Ledger:
    """kept + stopped + failed + running + waiting + lost = spent."""

    kept: Entry = Entry()
    """Trials that ran to their last epoch."""
    stopped: Entry = Entry()
    """What stopped trials had taken until then."""
    failed: Entry = Entry()
    running: Entry = Entry()
    """Trials that are being trained at this moment."""
    waiting: Entry = Entry()
    """Interrupted trials, which go on from there."""
    lost: Entry = Entry()
    """Epochs trained twice, after a crash; seconds of workers that died. `trials` had such losses,
    and are counted in another row as well."""
    saved: Entry = Entry()
    """What stopped trials would have taken more; not spent. Seconds at each trial's own pace."""

    @property
    def spent(self) -> Entry:
        """All epochs and seconds of training."""
        total = self.kept + self.stopped + self.failed + self.running + self.waiting
        return Entry(
            total.trials, total.epochs + self.lost.epochs, total.seconds + self.lost.seconds
        )

    def as_dict(self) -> dict[str, dict[str, float]]:
        """One object a row, and `spent`, for JSON."""
        rows = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: {
                "trials": entry.trials,
                "epochs": entry.epochs,
                "seconds": round(entry.seconds, 3),
            }
            for name, entry in {**rows, "spent": self.spent}.items()
        }


_ROW = {
    TrialState.COMPLETE: "kept",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
}


def ledger(trials: Iterable[FrozenTrial], epochs: int, searching: bool = False) -> Ledger:
    """Add up trials that would each take `epochs` if none were stopped. `searching`: whether a
    search of theirs is going on; without one, what calls itself running was interrupted."""
    rows = {field.name: (0, 0, 0.0) for field in fields(Ledger)}

    def add(row: str, epochs: int, seconds: float) -> None:
        so_far = rows[row]
        rows[row] = so_far[0] + 1, so_far[1] + epochs, so_far[2] + seconds

    for trial in trials:
        spent = trial.user_attrs.get(SPENT)
        if not spent:
            continue
        on_curve = epochs_of(trial)
        seconds = spent["seconds"] - spent["lost_seconds"]
        row = _ROW[trial.state]
        if row == "running" and not searching:
            row = "waiting"
        add(row, on_curve, seconds)
        if spent["epochs"] > on_curve or spent["lost_seconds"] > 0:
            add("lost", spent["epochs"] - on_curve, spent["lost_seconds"])
        if trial.state == TrialState.PRUNED:
            left = max(0, epochs - on_curve)
            add("saved", left, left * seconds / max(on_curve, 1))
    return Ledger(**{row: Entry(*sums) for row, sums in rows.items()})
