"""The report of a study."""

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
    drawing,
    heading,
    page,
    paragraph,
    picker,
    table,
)
from search.reporting.importance import LEAST_TRIALS, Importance
from search.reporting.text import aim_verdict, front_rows, front_table, ledger_lines, study_lines
from search.reporting.verdicts import verdicts
from search.study.records import TrialRecord
from search.study.snapshot import StudyView


def report_page(seen: StudyView) -> str:
    """The text of the file."""
    parts = [*_head(seen), *_front(seen)]
    if seen.records:
        parts += [
            drawing(pareto_figure(seen), "pareto"),
            picker(
                "pareto",
                [
                    f"python -m search.explain {seen.options} --trial NUMBER",
                    f"python -m search.export {seen.options} --trial NUMBER --out best.yaml",
                    "python -m paretrain best.yaml",
                ],
            ),
            *_hand_made(seen),
            *answers_section(seen),
            heading("Learning curves"),
            drawing(curves_figure(seen), "curves"),
            *_what_mattered(seen),
            heading("What it took"),
            bullets(_costs(seen)),
            drawing(growth_figure(seen), "growth"),
            drawing(spending_figure(seen), "spending"),
        ]
    return page(f"{seen.name} - paretrain", parts)


def _head(seen: StudyView) -> list[str]:
    when = f"{datetime.now():%Y-%m-%d %H:%M}, paretrain {__version__}"
    return [
        f"<h1>{escape(seen.name)}</h1>",
        *map(paragraph, study_lines(seen)),
        paragraph(f"As of {when}. All accuracies are on validation images, in percent.", note=True),
    ]


def _front(seen: StudyView) -> list[str]:
    columns, rows = front_table(seen)
    if not rows:
        return [heading("Pareto front"), paragraph("No trial has finished, so there is no front.")]
    aim = [paragraph(aim_verdict(seen.finished, seen.min_acc))] if seen.min_acc else []
    return [
        heading("Pareto front"),
        *aim,
        table(columns, rows),
        commands(
            [
                f"python -m search.export {seen.options} --knee --out best.yaml",
                f"python -m search.confirm {seen.options}",
            ]
        ),
    ]


def _hand_made(seen: StudyView) -> list[str]:
    """The report's networks among the found ones, with what it claims for them."""
    records = seen.finished
    if not any(record.baseline for record in records) and not seen.claims:
        return []
    measured = {r.baseline for r in records}
    rows = [
        [
            f"{r.num_params:,}",
            f"{r.val_acc:.2%}",
            seen.claims.get(r.baseline or "", ""),
            _who(on, r),
        ]
        for on, r in front_rows(records)
    ]
    rows += [
        [
            "?" if base.num_params is None else f"{base.num_params:,}",
            "not run",
            seen.claims[base.name],
            base.name,
        ]
        for base in seen.hand_made()
        if base.name in seen.claims and base.name not in measured
    ]
    return [
        heading("Hand-made networks beside the found ones"),
        bullets(verdicts(records)),
        table(["Parameters", "Val. acc.", "Claim", "Network"], rows),
        paragraph("Claim: what the course report measured, on its own images.", note=True),
    ]


def _who(on_front: bool, record: TrialRecord) -> str:
    who = f"by hand, {record.words}" if record.baseline else f"found, #{record.number}"
    return who + (" (on the front)" if on_front else "")


def _what_mattered(seen: StudyView) -> list[str]:
    by_objective = importances_by_objective(seen)
    if not by_objective:
        return [
            heading("What mattered"),
            paragraph(f"Cannot tell yet: that takes {LEAST_TRIALS} finished trials."),
        ]
    parts = [heading("What mattered")]
    for name, (what, found) in by_objective.items():
        parts += [paragraph(_told(found, what)), drawing(importances_figure(found, what), name)]
    said = (
        "From finished trials alone, and for parameters that all of them have. The search chose "
        "these trials, so this says what tells its better ones from its worse ones, not what would "
        "happen elsewhere."
    )
    return [*parts, paragraph(said, note=True)]


def _told(found: Sequence[Importance], what: str) -> str:
    names = [one.name for one in found if one.told]
    if not names:
        return f"For {what}, no parameter stands out from chance yet."
    return f"For {what}, these stand out from chance: {', '.join(names)}."


def _costs(seen: StudyView) -> list[str]:
    lines = [*ledger_lines(seen.ledger), *(t.sentence() for t in diagnose(seen.trials))]
    control = control_arm(seen.trials)
    return [*lines, control.sentence()] if control.would_stop else lines
