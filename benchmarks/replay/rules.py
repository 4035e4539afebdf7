"""The stopping rules that are compared: the front rule of a search, and simple rivals.

Rivals that run their authors' own code are in `rivals.py`.
"""

import dataclasses
import statistics
from bisect import bisect_right, insort
from collections.abc import Sequence

from paretrain.cli import UserError, nearest
from search.problem.front import best_at_size
from search.stopping.curve import Curve
from search.stopping.pruners import make_rule
from search.stopping.rule import Decision, Rule, View

STOP, GO = Decision(True, "stopped"), Decision(False, "goes on")
MIN_FINISHED = 5
"""Finished trials before a rival that needs some stops any, as in Optuna's pruners."""


class Median:
    """Stops a trial whose best accuracy is below the median of finished trials at the same epoch.

    After Golovin et al. 2017, sec. 3.3.2, and Optuna's MedianPruner with its defaults.
    """

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        if len(view.finished) < MIN_FINISHED:
            return GO
        now = len(trial.accs) - 1
        median = statistics.median(curve.accs[now] for curve in view.finished)
        return STOP if max(trial.accs) < median else GO


class Asha:
    """Stops a trial that is not in the top third of those that reached the same rung.

    Rungs are epochs 1, 3, 9, ... After Li et al. 2020, arXiv 1810.05934, in the stopping variant of
    Ray Tune.
    """

    def __init__(self, reduction: int = 3) -> None:
        self._reduction = reduction
        self._rungs: dict[int, list[float]] = {}

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        epoch = len(trial.accs)
        if not self._is_rung(epoch):
            return GO
        rung = self._rungs.setdefault(epoch, [])
        insort(rung, trial.val_acc)
        if len(rung) < self._reduction:
            return GO
        return GO if trial.val_acc >= rung[-(len(rung) // self._reduction)] else STOP

    def _is_rung(self, epoch: int) -> bool:
        rung = 1
        while rung < epoch:
            rung *= self._reduction
        return rung == epoch


class LastValue:
    """Stops a trial whose last accuracy plus a likely gain is not above the front at its size.

    The gain is the 95 % quantile of the finished trials' gains from the same epoch to their last.
    """

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        rival = best_at_size(view.finished, trial.size)
        if rival is None or len(view.finished) < MIN_FINISHED:
            return GO
        now = len(trial.accs) - 1
        gains = sorted(curve.val_acc - curve.accs[now] for curve in view.finished)
        return STOP if trial.val_acc + quantile(gains, 0.95) <= rival.val_acc else GO


class OneEpoch:
    """Decides once, after the first epoch: only the best fifth of all trials so far goes on.

    They are compared by non-dominated rank of accuracy and size. After Egele et al. 2023, arXiv
    2307.15422.
    """

    def __init__(self, share: float = 0.2) -> None:
        self._share = share
        self._points: list[tuple[int, float]] = []

    def decide(self, trial: Curve, view: View) -> Decision:
        """See Rule."""
        if len(trial.accs) > 1:
            return GO
        self._points.append((trial.size, -trial.val_acc))
        ranks = non_dominated_ranks(self._points)
        better = sum(rank < ranks[-1] for rank in ranks)
        return GO if better < self._share * len(ranks) else STOP


def quantile(ordered: list[float], share: float) -> float:
    """Return a quantile of ascending values, interpolated linearly as numpy does by default."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def non_dominated_ranks(points: Sequence[tuple[float, float]]) -> list[int]:
    """Return the non-dominated rank of each point, of which both numbers are to be small.

    0 is the front. In the order of the first number, each rank needs only its least second number
    so far (Jensen 2003).
    """
    order = sorted(range(len(points)), key=points.__getitem__)
    ranks = [0] * len(points)
    least: list[float] = []
    before: int | None = None
    for i in order:
        second = points[i][1]
        if before is not None and points[i] == points[before]:  # equals do not beat one another
            ranks[i] = ranks[before]
            continue
        before = i
        ranks[i] = bisect_right(least, second)
        least[ranks[i] : ranks[i] + 1] = [second]
    return ranks


def ours(name: str) -> Rule:
    """Return the front rule of a search, named `ours`.

    `ours-SETTING` switches a setting off (False, or 0). `ours-SETTING=VALUE` gives it another
    value. Raises UserError for what is no setting or no value.
    """
    rule = make_rule("front")
    part = name.removeprefix("ours").removeprefix("-")
    if not part:
        return rule
    assert dataclasses.is_dataclass(rule)
    fields = [field for field in dataclasses.fields(rule) if field.init]
    settings = {field.name: getattr(rule, field.name) for field in fields}
    setting, _, text = part.partition("=")
    setting = setting.replace("-", "_")
    if setting not in settings:
        known = ", ".join(settings)
        raise UserError(
            f"--rules {name}: the rule has no setting '{setting}'{nearest(setting, settings)}: "
            f"give one of {known}"
        )
    old = settings[setting]
    try:
        value = type(old)(0) if not text else _value(old, text)
    except (TypeError, ValueError):
        raise UserError(
            f"--rules {name}: '{text}' is no value for '{setting}': give one such as {old}"
        ) from None
    changed: Rule = dataclasses.replace(rule, **{setting: value})
    return changed


def _value(old: bool | float, text: str) -> bool | float:
    if isinstance(old, bool):
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return type(old)(text)
