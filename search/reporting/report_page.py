"""The report of a study: one HTML page with the front, figures and verdicts."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from paretrain import __version__
from paretrain.formatting import count_of
from paretrain.metric import TITLES
from paretrain.result.places import without_folders
from paretrain.shell import command_line
from search.reporting.answers.section import answers_section
from search.reporting.control_arm import control_arm
from search.reporting.failures import diagnose
from search.reporting.figures.curves import curves_figure
from search.reporting.figures.growth import growth_figure
from search.reporting.figures.importances import accuracy_importances, importance_figures
from search.reporting.figures.pareto import pareto_figure
from search.reporting.figures.spending import spending_figure
from search.reporting.headline import headline as sentence_of
from search.reporting.html import (
    TRIAL,
    beside,
    bullets,
    commands,
    figure_block,
    folded,
    heading,
    headline,
    html_page,
    paragraph,
    picker,
    table,
)
from search.reporting.importance import LEAST_TRIALS, Importance
from search.reporting.nothing_learned import NothingLearned, nothing_learned_from
from search.reporting.size_effects import size_effects
from search.reporting.text import (
    HYPERVOLUME,
    front_rows,
    front_table,
    guessing_line,
    ledger_lines,
    study_lines,
    target_verdict,
)
from search.reporting.verdicts import verdicts
from search.study.attributes import PROVENANCE
from search.study.records import TrialRecord
from search.study.snapshot import StudySnapshot

MOST_NAMED = 4
"""So many parameters are named in a sentence, and baselines before the fold."""
FRONT = (
    "The front: networks that no other one beats in both accuracy and size. The accuracy "
    "axis is logarithmic in the error, so that 90, 99 and 99.9 % are equally far apart."
)
GROWS = "It grows whenever a network is more accurate than all of its size or below."
SHOWN = 8
"""So many rows of the front are seen without unfolding the rest."""


def report_page(snapshot: StudySnapshot) -> str:
    """The report as the text of an HTML file, to be passed on."""
    snapshot = snapshot.handed_over()
    nothing = nothing_learned_from(snapshot.attrs, snapshot.trials)
    parts = [*_head(snapshot, nothing), *_front(snapshot)]
    if snapshot.records:
        parts += [
            *_baselines(snapshot),
            *answers_section(snapshot),
            heading("Learning curves and progress"),
            beside(
                [figure_block(curves_figure(snapshot), "curves")],
                [
                    figure_block(growth_figure(snapshot), "growth"),
                    paragraph(f"{HYPERVOLUME} {GROWS}", note=True),
                ],
            ),
            beside(
                [*_what_mattered(snapshot), heading("What it took"), bullets(_costs(snapshot))],
                [figure_block(spending_figure(snapshot), "spending")],
            ),
        ]
    elif costs := _costs(snapshot):
        parts += [heading("What it took"), bullets(costs)]
    parts += _about(snapshot)
    return html_page(f"{snapshot.name} - paretrain", parts)


def _head(snapshot: StudySnapshot, nothing: NothingLearned | None) -> list[str]:
    found = headline(nothing.headline if nothing else sentence_of(snapshot))
    return [
        f"<h1>{escape(snapshot.name)}</h1>",
        found,
        *([bullets(nothing.tries)] if nothing else []),
        *(paragraph(line, note=True) for line in study_lines(snapshot)),
    ]


def _front(snapshot: StudySnapshot) -> list[str]:
    columns, rows = front_table(snapshot)
    parts = [heading("Pareto front")]
    if not rows:
        why = "no network is better than guessing" if snapshot.finished else "no trial has finished"
        parts.append(paragraph(f"There is no front yet: {why}."))
    elif snapshot.min_acc:
        verdict = target_verdict(snapshot.finished, snapshot.min_acc, snapshot.chance)
        parts.append(paragraph(verdict))
    parts += map(paragraph, guessing_line(snapshot.finished, snapshot.chance) if rows else [])
    options = snapshot.options
    if rows:
        ways_on = [
            command_line("search.export", *options, "--knee", "--out", "best.yaml"),
            command_line("search.confirm", *options),
        ]
        parts += [*_front_table(columns, rows), commands(ways_on)]
    if snapshot.records:
        of_trial = [
            f"{command_line('search.explain', *options, '--trial')} {TRIAL}",
            f"{command_line('search.export', *options, '--out', 'best.yaml', '--trial')} {TRIAL}",
            command_line("paretrain", "best.yaml"),
        ]
        figure = figure_block(pareto_figure(snapshot), "pareto")
        parts += [figure, picker("pareto", of_trial), paragraph(FRONT, note=True)]
    return parts


def _front_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The whole table; with many rows, the most accurate ones first and all of them folded."""
    if len(rows) <= SHOWN:
        return [table(columns, rows, "front")]
    return [
        paragraph(f"The {SHOWN} most accurate of {len(rows)}:", note=True),
        table(columns, rows[-SHOWN:]),
        folded(f"All {len(rows)} networks of the front", [table(columns, rows, "front")]),
    ]


def _baselines(snapshot: StudySnapshot) -> list[str]:
    """The section of baselines beside the networks that were found, with what the course report
    claims for them."""
    records = snapshot.finished
    measured = {record.baseline for record in records if record.baseline}
    if not measured and not snapshot.claims:
        return []
    rows = [
        [
            f"{record.num_params:,}",
            f"{record.val_acc:.2%}",
            snapshot.claims.get(record.baseline or "", ""),
            _who(on_front, record),
        ]
        for on_front, record in front_rows(records, snapshot.chance)
    ]
    rows += [
        [
            "?" if baseline.num_params is None else f"{baseline.num_params:,}",
            "not run",
            snapshot.claims[baseline.name],
            baseline.name,
        ]
        for baseline in snapshot.baselines()
        if baseline.name in snapshot.claims and baseline.name not in measured
    ]
    said = verdicts(records, snapshot.chance, snapshot.objective)
    accuracy = TITLES[snapshot.metric]
    return [
        heading("Baselines beside the found networks"),
        bullets(said[:MOST_NAMED]),
        folded(
            f"All {len(rows)}, smallest first",
            [
                bullets(said[MOST_NAMED:]),
                table(["Parameters", accuracy, "Claim", "Network"], rows, "baselines"),
                paragraph("Claim: what the course report measured, on its own images.", note=True),
            ],
        ),
    ]


def _who(on_front: bool, record: TrialRecord) -> str:
    """The cell that names a network."""
    who = f"baseline, {record.words}" if record.baseline else f"found, #{record.number}"
    return who + (" (on the front)" if on_front else "")


def _what_mattered(snapshot: StudySnapshot) -> list[str]:
    """Which parameters tell accurate trials from others, and which decide of the size."""
    ranked, effects = accuracy_importances(snapshot), size_effects(snapshot)
    lines = [_for_accuracy(ranked)]
    if effects:
        largest = ", ".join(f"{e.name} ({e.factor:.3g} times)" for e in effects[:MOST_NAMED])
        lines.append(
            f"For the size, which is a formula: {largest}. When one of these parameters alone gets "
            "another random value, the size typically changes by this factor."
        )
    drawn = importance_figures(snapshot, ranked, effects)
    figures = [figure_block(figure, name) for name, figure in drawn.items()]
    how = paragraph(
        "For the accuracy: from finished trials alone, and for parameters that all of them have. "
        "It compares the best tenth with all of them, one parameter at a time (PED-ANOVA, Watanabe "
        "et al. 2023), and with what shuffled accuracies give. The search chose these trials, so "
        "this says what tells its better ones from its worse ones, not what would happen "
        "elsewhere.",
        note=True,
    )
    folds = [folded("Figures and how to read them", [*figures, how])] if figures else []
    return [heading("What mattered"), bullets(lines), *folds]


def _for_accuracy(ranked: Sequence[Importance]) -> str:
    if not ranked:
        return f"For the accuracy: cannot tell yet, that takes {LEAST_TRIALS} finished trials."
    names = [importance.name for importance in ranked if importance.told]
    if not names:
        return "For the accuracy, no parameter stands out from chance."
    return f"For the accuracy, these stand out from chance: {', '.join(names)}."


def _about(snapshot: StudySnapshot) -> list[str]:
    """Test accuracy, hardware, how to cite, what to take away."""
    origin = snapshot.attrs.get(PROVENANCE, {})
    cores = f", {count_of(int(origin['cores']), 'core')}" if origin.get("cores") else ""
    made = f"Trained on {origin['device']}{cores}, torch {origin['torch']}. " if origin else ""
    when = f"{datetime.now():%Y-%m-%d}"
    return [
        heading("About this report"),
        bullets(
            [
                "Accuracies are those on the validation images, by which the networks were chosen. "
                "A search looks at no test image: python -m paretrain best.yaml trains a network "
                "in full, measures its test accuracy once, and writes both into its folder.",
                f"{made}As of {datetime.now():%Y-%m-%d %H:%M}.",
                f'To cite: "{snapshot.name}", searched with paretrain {__version__}, {when}.',
                "To take away: the button above a figure saves it as PNG, the link below a table "
                "as CSV. All numbers, one row a trial, an epoch and an answer: "
                f"{command_line('search.report', *snapshot.options, '--csv', 'numbers')}",
            ]
        ),
    ]


def _costs(snapshot: StudySnapshot) -> list[str]:
    """Lines: where epochs went, what failed, and how often stopping was wrong."""
    causes = [failures.sentence() for failures in diagnose(snapshot.trials)]
    lines = [*ledger_lines(snapshot.ledger), *map(without_folders, causes)]
    control = control_arm(snapshot.trials)
    return [*lines, control.sentence()] if control.would_stop else lines
