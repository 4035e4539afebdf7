"""The report of a study: one HTML page with the front, figures and verdicts."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

from paretrain import __version__
from search.reporting.answers.section import answers_section
from search.reporting.control_arm import control_arm
from search.reporting.failures import diagnose
from search.reporting.figures.curves import curves_figure
from search.reporting.figures.growth import growth_figure
from search.reporting.figures.importances import importances_by_objective, importances_figure
from search.reporting.figures.pareto import pareto_figure
from search.reporting.figures.spending import spending_figure
from search.reporting.html import (
    bullets,
    commands,
    figure_block,
    heading,
    html_page,
    paragraph,
    picker,
    table,
)
from search.reporting.importance import LEAST_TRIALS, Importance
from search.reporting.nothing_learned import NothingLearned, nothing_learned_from
from search.reporting.text import (
    front_rows,
    front_table,
    guessing_line,
    ledger_lines,
    study_lines,
    target_verdict,
)
from search.reporting.verdicts import verdicts
from search.study.records import TrialRecord
from search.study.snapshot import StudySnapshot


def report_page(snapshot: StudySnapshot) -> str:
    """The report as the text of an HTML file."""
    nothing = nothing_learned_from(snapshot.attrs, snapshot.trials)
    parts = [*_head(snapshot, nothing), *_front(snapshot)]
    if snapshot.records:
        parts += [
            figure_block(pareto_figure(snapshot), "pareto"),
            picker(
                "pareto",
                [
                    f"python -m search.explain {snapshot.options} --trial NUMBER",
                    f"python -m search.export {snapshot.options} --trial NUMBER --out best.yaml",
                    "python -m paretrain best.yaml",
                ],
            ),
            *_baselines(snapshot),
            *answers_section(snapshot),
            heading("Learning curves"),
            figure_block(curves_figure(snapshot), "curves"),
            *_what_mattered(snapshot),
            heading("What it took"),
            bullets(_costs(snapshot)),
            figure_block(growth_figure(snapshot), "growth"),
            figure_block(spending_figure(snapshot), "spending"),
        ]
    return html_page(f"{snapshot.name} - paretrain", parts)


def _head(snapshot: StudySnapshot, nothing: NothingLearned | None) -> list[str]:
    when = f"{datetime.now():%Y-%m-%d %H:%M}, paretrain {__version__}"
    return [
        f"<h1>{escape(snapshot.name)}</h1>",
        *([paragraph(nothing.headline), bullets(nothing.tries)] if nothing else []),
        *map(paragraph, study_lines(snapshot)),
        paragraph(f"As of {when}. All accuracies are on validation images, in percent.", note=True),
    ]


def _front(snapshot: StudySnapshot) -> list[str]:
    columns, rows = front_table(snapshot)
    if not rows:
        why = "no network is better than guessing" if snapshot.finished else "no trial has finished"
        return [heading("Pareto front"), paragraph(f"There is no front yet: {why}.")]
    parts = [heading("Pareto front")]
    if snapshot.min_acc:
        verdict = target_verdict(snapshot.finished, snapshot.min_acc, snapshot.chance)
        parts.append(paragraph(verdict))
    parts += map(paragraph, guessing_line(snapshot.finished, snapshot.chance))
    return [
        *parts,
        table(columns, rows),
        commands(
            [
                f"python -m search.export {snapshot.options} --knee --out best.yaml",
                f"python -m search.confirm {snapshot.options}",
            ]
        ),
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
    return [
        heading("Baselines beside the found networks"),
        bullets(verdicts(records, snapshot.chance)),
        table(["Parameters", "Val. acc.", "Claim", "Network"], rows),
        paragraph("Claim: what the course report measured, on its own images.", note=True),
    ]


def _who(on_front: bool, record: TrialRecord) -> str:
    """The cell that names a network."""
    who = f"baseline, {record.words}" if record.baseline else f"found, #{record.number}"
    return who + (" (on the front)" if on_front else "")


def _what_mattered(snapshot: StudySnapshot) -> list[str]:
    by_objective = importances_by_objective(snapshot)
    if not by_objective:
        return [
            heading("What mattered"),
            paragraph(f"Cannot tell yet: that takes {LEAST_TRIALS} finished trials."),
        ]
    parts = [heading("What mattered")]
    for name, (objective, importances) in by_objective.items():
        parts += [
            paragraph(_standing_out(importances, objective)),
            figure_block(importances_figure(importances, objective), name),
        ]
    reading = (
        "From finished trials alone, and for parameters that all of them have. The search chose "
        "these trials, so this says what tells its better ones from its worse ones, not what would "
        "happen elsewhere."
    )
    return [*parts, paragraph(reading, note=True)]


def _standing_out(importances: Sequence[Importance], objective: str) -> str:
    names = [importance.name for importance in importances if importance.told]
    if not names:
        return f"For {objective}, no parameter stands out from chance yet."
    return f"For {objective}, these stand out from chance: {', '.join(names)}."


def _costs(snapshot: StudySnapshot) -> list[str]:
    """Lines: where epochs went, what failed, and how often stopping was wrong."""
    causes = [failures.sentence() for failures in diagnose(snapshot.trials)]
    lines = [*ledger_lines(snapshot.ledger), *causes]
    control = control_arm(snapshot.trials)
    return [*lines, control.sentence()] if control.would_stop else lines
