"""One HTML file about a study, to open offline or to pass on: front, figures, verdicts.

python -m search.report --study-name vgg_reduce-digits
python -m search.report --study-name vgg_reduce-digits --csv numbers
"""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from paretrain import __version__
from paretrain.cli import UserError, run_command
from search.answers.section import answers_section
from search.answers.study import answers
from search.answers.words import answers_frame
from search.baselines import verdicts
from search.control import control_arm
from search.diagnosis import diagnose
from search.figures.curves import curves_figure
from search.figures.growth import growth_figure
from search.figures.importances import importances_by_objective, importances_figure
from search.figures.pareto import pareto_figure
from search.figures.spending import spending_figure
from search.frames import epochs_frame, trials_frame, write_csv
from search.importance import LEAST_TRIALS, Importance
from search.page import bullets, commands, drawing, heading, page, paragraph, picker, table
from search.records import TrialRecord
from search.summary import aim_verdict, front_rows, ledger_lines
from search.telling import front_table, study_lines
from search.view import StudyView, view

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def report(
    study_name: Annotated[str, Option(help="As the search printed it.")],
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
    out: Annotated[Path | None, Option(help="The file. Default: STUDY-NAME.html.")] = None,
    csv: Annotated[
        Path | None,
        Option(help="Folder for trials, epochs and answers.csv; then no HTML unless --out."),
    ] = None,
) -> int:
    """Tables and figures are those of the moment."""
    seen = view(storage, study_name)
    if csv is not None:
        tables = {
            "trials": trials_frame(seen.study),
            "epochs": epochs_frame(seen.study),
            "answers": answers_frame(answers(seen)),
        }
        for path in write_csv(tables, csv):
            typer.echo(f"wrote {path}")
    if csv is None or out is not None:
        path = out or Path(f"{study_name.replace('/', '-')}.html")
        write_page(path, report_page(seen))
        typer.echo(f"wrote {path}")
    return 0


def write_page(path: Path, text: str) -> None:
    """Whole or not at all. Raises UserError where there is no folder or no permission."""
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"has no folder {path.parent}"
        raise UserError(f"--out {path} {what}: give the path of an HTML file in a folder there is")
    half = path.with_name(path.name + ".partial")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    except PermissionError as error:
        raise UserError(
            f"--out {path}: {error.strerror}: choose a file in a folder of yours"
        ) from None
    finally:
        half.unlink(missing_ok=True)


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


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.report")


if __name__ == "__main__":
    main()
