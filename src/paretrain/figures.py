"""The pictures of a result, as PNG: no browser, no display, no network is needed."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from paretrain.tables import ClassRow
from paretrain.training import EpochResult, Evaluation

DPI = 120
NUMBERED = 20
"""With more classes the cells of a confusion matrix are too small for numbers."""
NAMED = 60
"""With more classes their names would lie over each other."""


def draw_curve(path: Path, curve: Sequence[EpochResult], validated: bool) -> None:
    """Accuracy and loss against epochs; `validated` is False where the validation images were
    trained on, and so show nothing."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    accuracy, loss = figure.subplots(1, 2)
    epochs = [result.epoch for result in curve]
    for part, colour in (("train", "tab:gray"), ("val", "tab:blue")):
        if part == "val" and not validated:
            continue
        name = "training" if part == "train" else "validation"
        for axes, quantity in ((accuracy, "acc"), (loss, "loss")):
            values = [getattr(result, f"{part}_{quantity}") for result in curve]
            axes.plot(epochs, values, color=colour, label=name, marker=".", markersize=4)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
    accuracy.set_ylabel("accuracy")
    loss.set_ylabel("cross entropy (nats)")
    for axes in (accuracy, loss):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    _save(figure, path)


def draw_confusion(path: Path, on_part: Evaluation, classes: Sequence[str], part: str) -> None:
    """Rows are true classes; the colour is the share of the row's images."""
    count = len(classes)
    shares = [[cell / max(1, sum(row)) for cell in row] for row in on_part.confusion]
    side = min(14.0, 3.0 + 0.35 * count)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
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
    _save(figure, path)


def draw_class_rows(path: Path, rows: Sequence[ClassRow], part: str) -> None:
    """Recall and precision of each class, the lowest recall on top."""
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
        # A name in a script that the font lacks: boxes in the picture, the table has it right.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(path, dpi=DPI)
