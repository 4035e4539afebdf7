"""Several studies of the same images beside one another."""

import bisect
from collections.abc import Sequence

from paretrain.cli import UserError
from paretrain.metric import NAMES
from search.problem.front import best_at_size, hypervolume
from search.problem.objective import TITLES, shown
from search.reporting.figures.comparison import fronts_figure, growths_figure
from search.reporting.html import bullets, figure_block, html_page, paragraph
from search.reporting.html import table as html_table
from search.reporting.nothing_learned import nothing_learned_from
from search.reporting.text import HYPERVOLUME
from search.study.snapshot import StudySnapshot

MAY_DIFFER = {"space", "epochs", "precision", "pretrained", "deterministic", "cuda_graphs"}
"""Parts of a study's identity that are ways to find networks. All other parts are what networks are
measured by, so they must agree."""


def refuse_unlike(studies: Sequence[StudySnapshot]) -> None:
    """Raises UserError when the studies' data or objectives differ, one has no finished trial, or
    none has learned anything."""
    first = studies[0]
    for study in studies:
        if not study.finished:
            raise UserError(f"study '{study.name}' has no finished trial yet: let it run first")
        for key in sorted({*first.identity, *study.identity} - MAY_DIFFER):
            reference, own = first.identity.get(key), study.identity.get(key)
            if reference != own:
                if key == "data" and (source := _source(study)) != _source(first):
                    reference, own = _source(first), source  # plainer than fingerprints
                what = "other" if key.endswith("s") else "another"
                what = "other images" if key == "data" else f"{what} {key}"
                raise UserError(
                    f"'{study.name}' has {what} ({_said(own)}) than '{first.name}' "
                    f"({_said(reference)}), so "
                    "their accuracies cannot be compared: compare studies of the same images, "
                    "split, objective and metric"
                )

    if not any(study.front for study in studies):
        raise UserError(f"nothing to compare: {'; '.join(lines_of_nothing_learned(studies))}")


def _source(study: StudySnapshot) -> str:
    """Where its images are, or were."""
    return study.finished[0].config.data.source


def _said(value: object) -> str:
    """A list without Python's brackets and quotes."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def lines_of_nothing_learned(studies: Sequence[StudySnapshot]) -> list[str]:
    """A line for each study that has learned nothing."""
    return [
        f"{study.name}: {nothing.headline}"
        for study in studies
        if (nothing := nothing_learned_from(study.attrs, study.trials))
    ]


def comparison_title(studies: Sequence[StudySnapshot]) -> str:
    """Title of the table. The metric is the same in all studies."""
    return f"Best validation {NAMES[studies[0].metric]}"


def comparison_table(studies: Sequence[StudySnapshot]) -> tuple[list[str], list[list[str]]]:
    """Titles of the columns, and rows. They have the best accuracy of each study up to sizes 1, 2,
    5, 10, ..., where `*` marks the best of all, then hypervolumes and epochs."""
    columns, rows = _best_by_size(studies)
    largest = largest_size(studies)
    volumes = [hypervolume(study.finds, study.chance.share, largest) for study in studies]
    rows.append(["Hypervolume", *(f"{volume:.3f}" for volume in volumes)])
    rows.append(["Epochs", *(f"{study.ledger.spent.epochs:,}" for study in studies)])
    return columns, rows


def largest_size(studies: Sequence[StudySnapshot]) -> int:
    """Size of the largest finished network of all studies."""
    return max(record.size for study in studies for record in study.finished)


def _best_by_size(studies: Sequence[StudySnapshot]) -> tuple[list[str], list[list[str]]]:
    sizes = [record.size for study in studies for record in study.front]
    objective = studies[0].objective
    rows = []
    for size in round_sizes(min(sizes), max(sizes)):
        best = [best_at_size(study.finds, size) for study in studies]
        accs = [0.0 if record is None else record.val_acc for record in best]
        cells = [
            "-" if record is None else f"{acc:.2%}" + ("*" if acc == max(accs) else "")
            for record, acc in zip(best, accs, strict=True)
        ]
        rows.append([shown(objective, size), *cells])
    return [f"{TITLES[objective]} up to", *(study.name for study in studies)], rows


def round_sizes(low: int, high: int) -> list[int]:
    """1, 2, 5, 10, ...: from the first that is not below `low` to the first not below `high`."""
    decades = range(len(str(high)) + 1)
    steps = [step * 10**decade for decade in decades for step in (1, 2, 5)]
    return steps[bisect.bisect_left(steps, low) : bisect.bisect_left(steps, high) + 1]


def hypervolume_words(studies: Sequence[StudySnapshot]) -> str:
    """What the row of hypervolumes is."""
    largest = shown(studies[0].objective, largest_size(studies))
    return (
        f"{HYPERVOLUME} Here sizes go up to the largest network of all these studies ({largest}), "
        "in a report up to the largest of the study itself."
    )


def comparison_page(
    studies: Sequence[StudySnapshot], columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> str:
    """The table and two figures, as an HTML file."""
    parts = [
        "<h1>Studies compared</h1>",
        bullets(lines_of_nothing_learned(studies)),
        paragraph(f"{comparison_title(studies)} at each size; one seed a study."),
        html_table(columns, rows),
        paragraph(hypervolume_words(studies), note=True),
        figure_block(fronts_figure(studies), "fronts"),
        figure_block(growths_figure(studies, largest_size(studies)), "growths"),
    ]
    return html_page("Studies compared - paretrain", parts)
