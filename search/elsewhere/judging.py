"""Judges a trial by what has been reported of it and of the others: as `search.run`, but without a
coordinator that remembers anything.

All that the rule must know is in the reports, and in the decisions that were stored with them
(`stopping/memory.py`). So the rule is made anew for every judgement: any process that can read the
study decides as one that had seen all of it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, SupportsFloat

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from paretrain.cli import UserError
from paretrain.epoch_selection import kept_accuracies
from search.elsewhere.settings import Settings
from search.stopping.curve import Curve
from search.stopping.pruners import WithControlArm, make_rule
from search.stopping.rule import Decision, DivergenceRule, Rule, View
from search.study.decisions import decision_attributes, memory_of, read_decision

State = Literal["running", "stopped", "finished", "failed"]


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What has been reported of a trial."""

    number: int
    size: int
    """As the rule counts it."""
    accs: tuple[float, ...] = ()
    """Validation accuracy after epochs 1, 2, ..."""
    one_class: tuple[bool, ...] = ()
    """Whether it predicted one class, after epochs 1, 2, ..."""
    diverged: bool = False
    from_zero: bool = False
    """Whether its loop counts epochs from 0."""
    baseline: bool = False
    """Chosen by hand to compare with, so it is stopped only if it diverges."""
    decisions: tuple[Decision, ...] = ()
    """Those that judged an epoch, in order."""

    def curve(self, settings: Settings) -> Curve:
        """What the rule sees. Needs an epoch."""
        accs = tuple(kept_accuracies(self.accs, (), settings.keep))
        return Curve(self.number, self.size, accs, self.one_class, self.diverged)

    def reporting(
        self,
        settings: Settings,
        value: SupportsFloat,
        epoch: int,
        loss: SupportsFloat | None = None,
        one_class: bool | None = None,
    ) -> "Reported":
        """With one more epoch, counted from 1. What was reported and decided of it and of later
        ones before, as by an attempt that was lost, is forgotten.

        Raises UserError for what is no accuracy, or an epoch out of turn.
        """
        accuracy, done = _accuracy(value), len(self.accs)
        step = epoch - self.from_zero
        if epoch > settings.epochs:
            raise UserError(
                f"step {step} is epoch {epoch}, but a full training has epochs={settings.epochs}: "
                "give the epochs of your longest one"
            )
        if not 1 <= epoch <= done + 1:
            after = f"the last one was {done - self.from_zero}" if done else "the first is 0 or 1"
            raise UserError(f"step {step} is out of turn, {after}: report every epoch, one by one")
        if one_class is None:
            one_class = accuracy is not None and accuracy <= settings.chance
        accuracy, diverged = (settings.chance, True) if accuracy is None else (accuracy, False)
        return replace(
            self,
            accs=(*self.accs[: epoch - 1], accuracy),
            one_class=(*self.one_class[: epoch - 1], bool(one_class)),
            diverged=diverged or (loss is not None and not math.isfinite(float(loss))),
            decisions=tuple(d for d in self.decisions if d.evidence and d.evidence.epoch < epoch),
        )

    @property
    def last_decision(self) -> Decision | None:
        """That of its last epoch; None where it was not judged then."""
        for decision in self.decisions[-1:]:
            if decision.evidence is not None and decision.evidence.epoch == len(self.accs):
                return decision
        return None

    def stored(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "size": self.size,
            "val_acc": list(self.accs),
            "one_class": list(self.one_class),
            "diverged": self.diverged,
            "from_zero": self.from_zero,
            "baseline": self.baseline,
            "decisions": [decision_attributes(decision) for decision in self.decisions],
        }


@with_config(ConfigDict(strict=True))
class _Stored(TypedDict):
    """What `Reported.stored` gives, read again."""

    size: Annotated[int, Field(ge=1)]
    val_acc: list[Annotated[float, Field(ge=0, le=1)]]
    one_class: list[bool]
    diverged: bool
    from_zero: bool
    baseline: bool
    decisions: list[dict[str, Any]]


_READER = TypeAdapter(_Stored)


def read_reported(number: int, stored: object, epochs: int) -> Reported:
    """What was stored of a trial. Raises ValueError when that has been damaged."""
    read = _READER.validate_python(stored)
    if len(read["val_acc"]) != len(read["one_class"]) or len(read["val_acc"]) > epochs:
        raise ValueError("must have two lists of one length, with a value an epoch")
    try:
        decisions = tuple(read_decision(decision) for decision in read["decisions"])
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"a decision cannot be read: {error!r}") from None
    return Reported(
        number=number,
        size=read["size"],
        accs=tuple(read["val_acc"]),
        one_class=tuple(read["one_class"]),
        diverged=read["diverged"],
        from_zero=read["from_zero"],
        baseline=read["baseline"],
        decisions=decisions,
    )


def judge(
    settings: Settings,
    trial: Reported,
    others: Mapping[State, Sequence[Reported]],
) -> Decision:
    """Whether a trial is to be stopped after its last epoch so far. Needs an epoch.

    `others`, by their states: trials that ended in the order in which they ended.
    """
    curve = trial.curve(settings)
    rule: Rule = DivergenceRule()
    if not trial.baseline and len(curve.accs) < settings.epochs:
        known = [trial, *(other for each in others.values() for other in each)]
        decisions = [decision for each in known for decision in each.decisions]
        memory = memory_of(decisions, settings.min_acc)
        rule = make_rule("front", settings.limited, memory)
        if settings.seed is not None:
            rule = WithControlArm(rule, settings.seed)
    return rule.decide(curve, _view(settings, curve, others))


def _view(settings: Settings, judged: Curve, others: Mapping[State, Sequence[Reported]]) -> View:
    curves = {
        state: [other.curve(settings) for other in others.get(state, ()) if other.accs]
        for state in ("finished", "running", "stopped")
    }
    finished = [curve.held(settings.epochs) for curve in curves["finished"]]
    largest = max([judged.size, *(curve.size for curve in finished)])
    if settings.largest is not None:
        largest = settings.whole_size(settings.largest)
    return View(
        epochs=settings.epochs,
        chance=settings.chance,
        largest=largest,
        finished=finished,
        running=curves["running"],
        stopped=curves["stopped"],
        min_acc=settings.min_acc,
    )


def _accuracy(value: SupportsFloat) -> float | None:
    """None where it is not finite. Raises UserError for what is no share."""
    try:
        accuracy = float(value)
    except (TypeError, ValueError):
        raise UserError(f"the accuracy is {value!r}: report a number from 0 to 1") from None
    if not math.isfinite(accuracy):
        return None
    if not 0 <= accuracy <= 1:
        raise UserError(
            f"the accuracy is {accuracy:g}: report a number from 0 to 1, higher being better (95 % "
            "is 0.95; of an error or a loss that is a share, report 1 minus it)"
        )
    return accuracy
