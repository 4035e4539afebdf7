"""The pictures of a result, as PNG files. They need no browser, display or network."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from paretrain.epoch_result import EpochResult
from paretrain.evaluation import Evaluation
from paretrain.result.tables import ClassRow

DPI = 120
NUMBERED = 20
"""Most classes whose confusion matrix has room for numbers."""
NAMED = 60
"""Most classes whose names do not overlap."""


def draw_curve(path: Path, curve: Sequence[EpochResult], validated: bool) -> None:
    """Draw accuracy and loss against epochs.

    `validated` is False where the validation images were trained on: their curves would show
    nothing, so they are left out.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    _curve(accuracy, loss, curve, validated)
    _save(figure, path)


def _curve(accuracy: Axes, loss: Axes, curve: Sequence[EpochResult], validated: bool) -> None:
    epochs = [result.epoch for result in curve]
    for part, colour in (("train", "tab:gray"), ("val", "tab:blue")):
        if part == "val" and not validated:
            continue
        name = "training" if part == "train" else "validation"
        for axes, quantity in ((accuracy, "acc"), (loss, "loss")):
            values = [getattr(result, f"{part}_{quantity}") for result in curve]
            axes.plot(epochs, values, color=colour, label=name, marker=".", markersize=4)
        if part == "val" and any(result.val_score is not None for result in curve):
            scores, name = [result.score for result in curve], "validation, by the metric"
            accuracy.plot(epochs, scores, color="tab:orange", label=name, marker=".", markersize=4)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
    accuracy.set_ylabel("accuracy")
    loss.set_ylabel("cross entropy (nats)")
    for axes in (accuracy, loss):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)


def draw_confusion(path: Path, on_part: Evaluation, classes: Sequence[str], part: str) -> None:
    """Draw a confusion matrix. Rows are true classes; the colour is the share of a row's images."""
    side = min(14.0, 3.0 + 0.35 * len(classes))
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    _confusion(figure, figure.subplots(), on_part, classes, part)
    _save(figure, path)


def _confusion(
    figure: Figure, axes: Axes, on_part: Evaluation, classes: Sequence[str], part: str
) -> None:
    count = len(classes)
    shares = [[cell / max(1, sum(row)) for cell in row] for row in on_part.confusion]
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, format=PercentFormatter(1.0), shrink=0.8)
    if count <= NUMBERED:
        for true, row in enumerate(on_part.confusion):
            for named, cell in enumerate(row):
                colour = "white" if shares[true][named] > 0.5 else "black"
                if cell:
                    axes.text(
                        named, true, str(cell), ha="center", va="center", color=colour, size=8
                    )
    if count <= NAMED:
        # Names are text, never mathematics: one may hold a dollar sign.
        axes.set_xticks(range(count), classes, rotation=90, parse_math=False)
        axes.set_yticks(range(count), classes, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(f"{part} images")


def draw_card(
    path: Path,
    name: str,
    curve: Sequence[EpochResult],
    on_part: Evaluation | None,
    recalls: Sequence[float],
    classes: Sequence[str],
) -> None:
    """Draw a training at a glance: accuracy, loss, and the confusion matrix of validation images.

    Where there is no matrix, the recall of each class takes its place.
    """
    side = min(10.0, 3.0 + 0.25 * len(classes))
    figure = Figure(figsize=(8.0 + side, side), layout="constrained")
    accuracy, loss, axes = figure.subplots(1, 3, width_ratios=(4.0, 4.0, side))
    _curve(accuracy, loss, curve, validated=True)
    figure.suptitle(name, parse_math=False)
    if on_part is not None:
        _confusion(figure, axes, on_part, classes, "validation")
    else:
        axes.barh(range(len(recalls)), recalls, color="tab:blue", alpha=0.6)
        if len(classes) <= NAMED:
            axes.set_yticks(range(len(classes)), classes, parse_math=False)
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("recall, validation images")
    _save(figure, path)


def draw_class_rows(path: Path, rows: Sequence[ClassRow], part: str) -> None:
    """Draw recall and precision of each class, with the lowest recall at the top."""
    rows = sorted(rows, key=lambda row: row.recall, reverse=True)
    figure = Figure(figsize=(7, min(40.0, 1.6 + 0.28 * len(rows))), layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh(places, [row.recall for row in rows], color="tab:blue", alpha=0.6, label="recall")
    precisions = [row.precision for row in rows]
    axes.plot(precisions, places, "o", color="black", markersize=4, label="precision")
    names = [f"{row.label} ({row.images})" for row in rows]
    axes.set_yticks(places, names, parse_math=False)
    axes.set_xlim(0, 1.02)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_title(f"{part} images", loc="right")
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with warnings.catch_warnings():
        # The font may lack the script of a name. The picture then has boxes; the table is right.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, dpi=DPI)
