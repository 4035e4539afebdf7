"""What a run says before its first trial: what will be searched, on what, within which limits, and
how long that will take."""

import textwrap
from collections.abc import Sequence

from rich.console import Console

from paretrain import __version__
from paretrain.data.parts import ImageData
from paretrain.formatting import count_of, duration, percent, short_count
from paretrain.metric import NAMES
from paretrain.safe_text import one_line
from search.problem.objective import WORDS
from search.reporting.nothing_learned import UNEVEN
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.session.prior import prior_words
from search.session.remembered import words
from search.study.images import chance_on
from search.study.storage_url import VARIABLE
from search.workers.forecast import Forecast

LABEL = 9
"""Characters."""
MUCH = 3
"""A pass over an image for training takes about as long as three for validation."""
COARSE = 50
"""With fewer validation images than this, one of them is more than two points of accuracy."""
SHOWN = 12
"""Most classes that are named."""


def say_first(screen: Console, run: PreparedRun, done: int) -> None:
    """Everything that is known without a measurement. `done`: trials of earlier runs."""
    plan = run.plan
    title = f"paretrain {__version__}: {plan.space.name} - {plan.space.summary}"
    screen.print(title, highlight=False, markup=False, soft_wrap=not screen.is_terminal)
    for label, text in _lines(run, done):
        say_labelled(screen, label, text)


def _lines(run: PreparedRun, done: int) -> list[tuple[str, str]]:
    plan, data = run.plan, run.data
    side, epochs = plan.data.image_size, count_of(plan.epochs, "epoch")
    images = f"{len(data.train):,} training, {len(data.val):,} validation"
    trials = count_of(plan.trials, "trial") + (f", {done} done" if done else "")
    limit = "none" if plan.max_params is None else f"{short_count(plan.max_params)} parameters"
    lines = [
        ("study", f"'{plan.study_name}' in {plan.storage}: {trials}"),
        ("data", f"{plan.data.source}: {images}"),
        ("", f"images of {len(data.classes)} classes, {side}x{side}, {epochs} a trial"),
        *(("", text) for text in _left_out(plan, data)),
        ("classes", class_names(data.classes)),
        *([("parts", data.parts)] if data.parts else []),
        *(("chance", text) for text in _of_chance(plan, data)),
        *(("note", note) for note in [*_of_secrets(plan), *data.warnings]),
        *(("note", note) for note in _of_validation(plan, data)),
        ("device", plan.describe_device()),
        ("limit", limit),
    ]
    if plan.objective != "params":
        lines.append(("small", WORDS[plan.objective]))
    if plan.metric != "acc":
        lines.append(("metric", f"{NAMES[plan.metric]}, wherever accuracy is meant"))
    if plan.min_acc is not None:
        lines.append(("target", plan.target_words))
    if (prior := prior_words(run)) is not None:
        lines.append(("prior", prior))
    if plan.kept:
        lines.append(("kept", words(plan.kept)))
    lines += [("chosen", note) for note in plan.notes]
    if run.baselines:
        fitting = [base.name for base in run.baselines if not base.obstacle]
        names = ", ".join(fitting) or "none"
        lines.append(("baselines", f"{len(fitting)} of {len(run.baselines)} fit: {names}"))
    return lines


def _left_out(plan: Plan, data: ImageData) -> list[str]:
    """Of how many images those are that are used, where options leave some out."""
    if plan.data.per_class is None and plan.data.fraction == 1:
        return []
    counts = (
        ("training", len(data.train), data.all_training),
        ("validation", len(data.val), data.all_validation),
    )
    fewer = [
        f"{used:,} of {in_all:,} {part}"
        for part, used, in_all in counts
        if in_all is not None and used < in_all
    ]
    return [f"{', '.join(fewer)} images are used"] if fewer else []


def _of_chance(plan: Plan, data: ImageData) -> list[str]:
    """What guessing gives, where classes are uneven, or where no more is asked for."""
    chance = chance_on(data, plan.metric)
    uneven = chance.share * len(data.classes) >= UNEVEN
    lines = [chance.words()] if uneven or plan.metric != "acc" else []
    if plan.min_acc is not None and not chance.beaten_by(plan.min_acc):
        lines.append(f"{percent(plan.min_acc)} is asked for, which guessing may reach")
    return lines


def _of_validation(plan: Plan, data: ImageData) -> list[str]:
    """How validation is bounded, that it is large beside training, or that it tells little."""
    train, val = len(data.train), len(data.val)
    few = []
    if val < COARSE:
        few = [
            f"only {count_of(val, 'image')} to validate with: each is {100 / val:.1f} points of "
            "accuracy, so smaller differences between networks mean nothing"
        ]
    if plan.data.val_least is not None and data.all_validation not in (None, val):
        return [
            "--per-class bounds validation too: as many images as train, "
            f"{plan.data.val_least} at least, in the proportion of the classes",
            *few,
        ]
    if val <= MUCH * train or plan.data.val_least is not None:
        return few
    # A study of an earlier version may have --per-class without a bound.
    cure = "a new study leaves some out"
    if plan.data.per_class is None:
        cure = "--per-class in a new study leaves some out, or move some to training"
    times = f"{val / train:.0f} times as many images validate as train"
    return [f"{times}, which takes most of the time: {cure}", *few]


def class_names(classes: Sequence[str]) -> str:
    """The first classes by name, so that a folder taken for a class is seen."""
    shown = ", ".join(name if len(name) <= 40 else f"{name[:39]}…" for name in classes[:SHOWN])
    return one_line(shown + (", ..." if len(classes) > SHOWN else ""))


def _of_secrets(plan: Plan) -> list[str]:
    if not plan.storage.has_secrets or not plan.storage.options:
        return []
    return [
        "--storage shows a password to the shell's history and to other users of this machine: "
        f"give it in {VARIABLE} instead, then no command needs --storage"
    ]


def say_time(screen: Console, plan: Plan, expected: Forecast | None, done: int) -> None:
    """The forecast, where anything is left to do."""
    if done >= plan.trials:
        return
    if expected is None:
        say_labelled(screen, "time", "could not be measured")
        return
    measured = count_of(expected.probed, "network")
    say_labelled(
        screen,
        "time",
        f"about {duration(expected.seconds)}; {duration(expected.seconds_at_most)} if no trial "
        f"is stopped early ({measured} measured)",
    )
    if expected.memory_bytes:
        memory = expected.memory_bytes / 1e9
        say_labelled(screen, "memory", f"{memory:.1f} GB for the workers")


def say_labelled(screen: Console, label: str, text: str) -> None:
    """Print a label and a text. On a terminal a long text goes on below its own beginning, broken
    between words only, so that a path can be copied; in a file a line stays a line."""
    lines = [text]
    if screen.is_terminal:
        room = max(20, screen.width - LABEL - 1)
        lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    for n, line in enumerate(lines):
        words = f"{'' if n else label:<{LABEL}} {line}"
        screen.print(words, highlight=False, markup=False, soft_wrap=True)
