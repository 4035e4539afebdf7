"""What is said of a study whose finished networks are all no better than guessing, and what would
help it. Every command says it in these words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.formatting import count_of
from search.problem.chance import Chance
from search.reporting.failures import DIVERGED, LATER, ONE_CLASS, diagnose
from search.study import attributes as attr
from search.study.images import read_chance, read_images
from search.study.records import TrialRecord, read_record

FEW_EPOCHS = 5
"""Course reports A to E trained for 5 to 80 epochs."""
STILL_FALLING = 0.99
"""A training goes on learning where its last loss is below so much of that a third before."""
FEW_IMAGES = 100
"""Training images a class. With fewer, their number is the first thing to suspect where random
weights learned nothing: course report D used 312 a class and more."""
SMALL_SIDE = 64
"""Pixels. Photographs lose their subject below that; the published sets have their own size."""
ENLARGED = 1.25
"""Images that can grow by less than this are large enough."""
UNEVEN = 1.5
"""Classes are uneven where chance is so many times what even ones would give."""


@dataclass(frozen=True)
class NothingLearned:
    """No finished network beats chance."""

    headline: str
    """Begins with `nothing learned yet`."""
    advice: tuple[str, ...]
    """What to try, that which fits this study best first; each ends without a full stop."""

    @property
    def tries(self) -> list[str]:
        """A line for each advice."""
        return [f"try {advice}" for advice in self.advice]

    @property
    def lines(self) -> list[str]:
        """The headline, then the advice."""
        return [self.headline, *(f"  {line}" for line in self.tries)]

    @property
    def sentence(self) -> str:
        """All in one line, for errors and tables."""
        return f"{self.headline}; try {'; or '.join(self.advice)}"


def nothing_learned(study: optuna.Study) -> NothingLearned | None:
    """None as long as no trial has finished, or once one beats chance."""
    return nothing_learned_from(study.user_attrs, study.get_trials(deepcopy=False))


def nothing_learned_from(
    attrs: Mapping[str, Any], trials: Sequence[FrozenTrial]
) -> NothingLearned | None:
    """The same from what has been read of a study already."""
    chance = read_chance(attrs, trials)
    finished = []
    for trial in trials:
        record = read_record(trial) if trial.state == TrialState.COMPLETE else None
        if record is not None and chance.beaten_by(record.val_acc):
            return None  # most often the first one, so that no other is read
        finished += [] if record is None else [record]
    if not finished:
        return None
    networks = count_of(len(finished), "finished network")
    who = "the one" if len(finished) == 1 else "none of the"
    verb = "is no better" if len(finished) == 1 else "is better"
    headline = f"nothing learned yet: {who} {networks.removeprefix('1 ')} {verb} than guessing "
    headline += f"({chance.words()}"
    if chance.least is not None:
        headline += f"; {chance.least:.1%} or more would be better than luck"
    return NothingLearned(f"{headline})", tuple(_advice(attrs, trials, finished, chance)))


def _advice(
    attrs: Mapping[str, Any],
    trials: Sequence[FrozenTrial],
    finished: Sequence[TrialRecord],
    chance: Chance,
) -> list[str]:
    advice = []
    if chance.too_few_images:
        advice.append(
            f"more images: with {count_of(chance.images or 0, 'validation image')} not even a "
            "network without an error could be told from guessing"
        )
    advice += _epochs(trials, finished)
    advice += _images(attrs, finished)
    advice += _settings(trials)
    advice += _resolution(attrs, finished)
    advice += _balance(attrs, chance)
    return advice or ["more trials (--trials): the settings that learn may not have been drawn yet"]


def _epochs(trials: Sequence[FrozenTrial], finished: Sequence[TrialRecord]) -> list[str]:
    epochs = max(record.config.epochs for record in finished)
    falling = sum(
        _still_falling(trial.user_attrs[attr.CURVE].get("train_loss", ()))
        for trial in trials
        if trial.state == TrialState.COMPLETE and attr.CURVE in trial.user_attrs
    )
    more = f"more epochs in a new study (--epochs {max(10, 3 * epochs)})"
    if 2 * falling >= len(finished):
        return [f"{more}: the loss of {falling} of {len(finished)} was still falling at its end"]
    return [f"{more}: these had {count_of(epochs, 'epoch')}"] if epochs <= FEW_EPOCHS else []


def _still_falling(losses: Sequence[float]) -> bool:
    before = losses[-1 - max(1, len(losses) // 3)] if len(losses) > 1 else 0.0
    return bool(losses) and losses[-1] < STILL_FALLING * before


def _images(attrs: Mapping[str, Any], finished: Sequence[TrialRecord]) -> list[str]:
    stored, data = read_images(attrs), finished[0].config.data
    origin = attrs.get(attr.PROVENANCE, {})
    classes = stored.classes if stored else len(origin.get("classes", ()))
    images = stored.training.images if stored else origin.get("training_images")
    if not images or not classes or images >= FEW_IMAGES * classes:
        return []
    each = f"{count_of(images, 'training image')} of {classes:,} classes are few"
    in_all = stored.training.in_all if stored else None
    options = [f"--per-class {data.per_class}"] if data.per_class else []
    options += [f"--fraction {data.fraction:g}"] if data.fraction < 1 else []
    if options and in_all != images:
        left = f"left out {in_all - images:,}" if in_all is not None else "left out others"
        return [f"more images in a new study: {each} ({' and '.join(options)} {left})"]
    return [f"more images: {each}; published weights learn from fewer (--space finetune)"]


def _settings(trials: Sequence[FrozenTrial]) -> list[str]:
    """What the trials that came to nothing have in common."""
    causes = [f for f in diagnose(trials) if f.cause in (ONE_CLASS, DIVERGED, LATER)]
    return [
        f"other settings: {count_of(len(f.numbers), 'trial')} {_DID[f.cause]} "
        f"({f.advice[0].lower()}{f.advice[1:].removesuffix('.')})"
        for f in causes
    ]


_DID = {
    ONE_CLASS: "predicted one class to the end",
    DIVERGED: "diverged at once",
    LATER: "diverged later",
}


def _resolution(attrs: Mapping[str, Any], finished: Sequence[TrialRecord]) -> list[str]:
    from paretrain.data.names import SIDES

    data = finished[0].config.data
    if data.source == "digits" or data.source in SIDES or data.image_size >= SMALL_SIDE:
        return []
    side, stored = data.image_size, read_images(attrs)
    larger = 2 * side
    if stored and stored.native_side:
        larger = min(larger, stored.native_side)  # beyond that, they show nothing more
    if larger < ENLARGED * side:
        return []
    return [f"larger images in a new study (--image-size {larger}): they are {side}x{side} now"]


def _balance(attrs: Mapping[str, Any], chance: Chance) -> list[str]:
    stored = read_images(attrs)
    if stored is None or chance.metric != "acc" or chance.share * stored.classes < UNEVEN:
        return []
    part = stored.training
    if part.most < UNEVEN * part.fewest or not part.fewest:
        return [f"a more even validation part: '{chance.answer}' has {chance.share:.0%} of it"]
    return [
        f"as many training images of every class in a new study (--per-class {part.fewest}): "
        f"'{part.most_of}' has {part.most:,} of {part.images:,}"
    ]
