"""Trainings that came to nothing, grouped by cause, with what to change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from paretrain.config import TrainConfig
from search.study.attributes import CONFIG, CURVE, INFEASIBLE, VERDICT

AT_ONCE = 2
"""Epochs within which diverging speaks for the learning rate."""


@dataclass(frozen=True)
class Trouble:
    """Trials with one cause."""

    cause: str
    numbers: tuple[int, ...]
    advice: str

    def sentence(self) -> str:
        """For people."""
        shown = ", ".join(f"#{number}" for number in self.numbers[:6])
        more = f" and {len(self.numbers) - 6} more" if len(self.numbers) > 6 else ""
        return f"{self.cause}: {len(self.numbers)} ({shown}{more}). {self.advice}"


def diagnose(trials: Iterable[FrozenTrial]) -> list[Trouble]:
    """Most frequent first. A trial counts once, by its gravest cause."""
    by_cause: dict[str, list[FrozenTrial]] = {}
    for trial in trials:
        if trial.state.is_finished() and (cause := _cause(trial)):
            by_cause.setdefault(cause, []).append(trial)
    rows = sorted(by_cause.items(), key=lambda row: -len(row[1]))
    return [Trouble(cause, tuple(t.number for t in of), _advice(cause, of)) for cause, of in rows]


MEMORY, DIVERGED, LATER = "out of memory", "diverged at once", "diverged later"
ONE_CLASS, DIED, ERROR = "one class to the end", "worker died", "error"


def _cause(trial: FrozenTrial) -> str:
    attrs = trial.user_attrs
    health = attrs.get(CURVE, {}).get("health") or [""]
    if INFEASIBLE in attrs:
        return MEMORY
    if health[-1] == "diverged":
        return DIVERGED if len(health) <= AT_ONCE else LATER
    if health[-1] == "one class":
        return ONE_CLASS
    if trial.state == TrialState.FAIL:
        verdict = str(attrs.get(VERDICT, "failed without a word"))
        return f"{ERROR} ({verdict.removeprefix('failed: ').splitlines()[0][:80]})"
    return ""


def _advice(cause: str, trials: Sequence[FrozenTrial]) -> str:
    configs = [
        TrainConfig.from_dict(t.user_attrs[CONFIG]) for t in trials if CONFIG in t.user_attrs
    ]
    if cause == MEMORY and configs:
        largest = max(config.batch_size for config in configs)
        return f"Batches of up to {largest} images: smaller ones, --microbatch or --max-params."
    if cause in (DIVERGED, LATER) and configs:
        low = min(config.optimizer.lr for config in configs)
        high = max(config.optimizer.lr for config in configs)
        rate = f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
        also = "" if cause == DIVERGED else ", or clip the gradients"
        return f"Learning rates {rate}: try a tenth{also}."
    if cause == ONE_CLASS and configs:
        plain = sum(getattr(config.network, "norm", "batch") != "batch" for config in configs)
        small = sum(config.init == "normal0.01" for config in configs)
        return (
            f"{plain} of {len(configs)} have no BatchNorm, {small} begin with weights of deviation "
            "0.01: try BatchNorm, and kaiming_uniform weights."
        )
    return "The attributes of the trial have the traceback (stderr)."
