"""Trainings that came to nothing, grouped by cause, with what to change."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from paretrain.config import TrainConfig
from paretrain.formatting import count_of, named
from search.study.attributes import CONFIG, CURVE, INFEASIBLE, VERDICT
from search.study.reader import DAMAGED
from search.study.records import config_of

AT_ONCE = 2
"""Diverging within so many epochs speaks for the learning rate."""

MEMORY, DIVERGED, LATER = "out of memory", "diverged at once", "diverged later"
ONE_CLASS, ERROR = "one class to the end", "error"


@dataclass(frozen=True)
class Failures:
    """The trials that came to nothing for one cause."""

    cause: str
    numbers: tuple[int, ...]
    advice: str

    def sentence(self) -> str:
        """Cause, number of trials, which ones, and what to change."""
        trials = named([f"#{number}" for number in self.numbers])
        what = self.cause[0].upper() + self.cause[1:]
        return f"{what}: {count_of(len(self.numbers), 'trial')} ({trials}). {self.advice}"


def diagnose(trials: Iterable[FrozenTrial]) -> list[Failures]:
    """Failures by cause, the most frequent first. A trial counts once, by its gravest cause."""
    by_cause: dict[str, list[FrozenTrial]] = {}
    for trial in trials:
        if trial.state.is_finished() and (cause := _cause(trial)):
            by_cause.setdefault(cause, []).append(trial)
    most_first = sorted(by_cause.items(), key=lambda item: -len(item[1]))
    return [
        Failures(cause, tuple(trial.number for trial in failed), _advice(cause, failed))
        for cause, failed in most_first
    ]


def _cause(trial: FrozenTrial) -> str:
    """Why a trial came to nothing; empty where it did not."""
    attrs = trial.user_attrs
    health = attrs.get(CURVE, {}).get("health") or [""]
    if INFEASIBLE in attrs:
        return MEMORY
    if str(attrs.get(VERDICT, "")).startswith(DAMAGED):
        return DAMAGED
    if health[-1] == "diverged":
        return DIVERGED if len(health) <= AT_ONCE else LATER
    if health[-1] == "one class":
        return ONE_CLASS
    if trial.state == TrialState.FAIL:
        verdict = str(attrs.get(VERDICT, "failed without a word"))
        return f"{ERROR} ({verdict.removeprefix('failed: ').splitlines()[0][:80]})"
    return ""


def _advice(cause: str, trials: Sequence[FrozenTrial]) -> str:
    """What to change, from the configurations of the trials with this cause."""
    configs = [config_of(t) for t in trials if CONFIG in t.user_attrs]
    if cause == MEMORY and configs:
        largest = max(config.batch_size for config in configs)
        return f"Batches of up to {largest} images: smaller ones, --microbatch or --max-params."
    if cause in (DIVERGED, LATER) and configs:
        also = "" if cause == DIVERGED else ", or clip the gradients"
        return f"Learning rates {_learning_rates(configs)}: try a tenth{also}."
    if cause == ONE_CLASS and configs:
        plain = sum(getattr(config.network, "norm", "batch") != "batch" for config in configs)
        small = sum(config.init == "normal0.01" for config in configs)
        # What all of them had already is no advice.
        facts = [f"no BatchNorm in {plain} of {len(configs)}"] if plain else []
        facts += [f"first weights of deviation 0.01 in {small}"] if small else []
        tries = ["BatchNorm"] if plain else []
        tries += ["kaiming_uniform weights"] if small else []
        rates = _learning_rates(configs)
        facts += [] if facts else [f"learning rates {rates}"]
        tries += [] if tries else ["ten times these, a tenth of these, or more epochs"]
        said = ", ".join(facts)
        return f"{said[0].upper()}{said[1:]}: try {', and '.join(tries)}."
    if cause == DAMAGED:
        return "Restore the database from a copy; all others count as they are."
    return f"search.explain --trial {trials[-1].number} shows the traceback."


def _learning_rates(configs: Sequence[TrainConfig]) -> str:
    """Lowest to highest."""
    rates = [config.optimizer.lr for config in configs]
    low, high = min(rates), max(rates)
    return f"{low:.2g}" if low == high else f"{low:.2g} to {high:.2g}"
