"""Write the configuration of a chosen trial as YAML.

python -m search.export --study-name vgg_reduce-digits --knee --out best.yaml
python -m paretrain best.yaml
"""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from optuna.trial import TrialState
from typer import Option

from paretrain.cli import UserError, run_command
from search.choose import at_knee, by_number, most_accurate, neighbours, under_cap
from search.parsing import parse_count
from search.records import read_records
from search.storage import load_study

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def export(
    study_name: Annotated[str, Option(help="As the search printed it.")],
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
    trial: Annotated[int | None, Option(min=0, help="This trial.")] = None,
    max_params: Annotated[
        str | None, Option(help="The most accurate one of at most this size: 2M, 500k.")
    ] = None,
    knee: Annotated[bool, Option("--knee", help="Where more size buys little.")] = False,
    best: Annotated[bool, Option("--best", help="The most accurate one.")] = False,
    out: Annotated[Path | None, Option(help="[default: standard output]")] = None,
) -> int:
    """One choice, one configuration."""
    choices = {"--trial": trial, "--max-params": max_params, "--knee": knee, "--best": best}
    given = [name for name, value in choices.items() if value is not None and value is not False]
    if len(given) != 1:
        seen = " and ".join(given) if given else "none of them"
        raise UserError(f"choose by one of {', '.join(choices)}: got {seen}")
    cap = None if max_params is None else parse_count(max_params, "--max-params")
    if out is not None and out.is_dir():
        raise UserError(f"--out {out} is a folder: give a file such as {out / 'best.yaml'}")
    if out is not None and not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}: create it first")
    study = load_study(storage, study_name)
    finished = read_records(study, TrialState.COMPLETE)
    if trial is not None:
        trained = read_records(study, TrialState.COMPLETE, TrialState.PRUNED)
        chosen = by_number(trained, trial)
    elif not finished:
        raise UserError(
            f"study '{study_name}' has no finished trial to choose from: run more trials, or "
            "name a stopped one with --trial"
        )
    elif cap is not None:
        chosen = under_cap(finished, cap)
    else:
        chosen = at_knee(finished) if knee else most_accurate(finished)
    header = (
        f"# Trial {chosen.number} of study {study_name}: {chosen.words}\n"
        f"# {chosen.num_params:,} parameters, validation accuracy {chosen.val_acc:.4f} "
        f"after {len(chosen.curve.accs)} epochs\n"
    )
    text = header + chosen.config.to_yaml()
    if out is None:
        typer.echo(text, nl=False)
        return 0
    _write(out, text)
    typer.echo(
        f"{out}: trial #{chosen.number}, {chosen.num_params:,} parameters, "
        f"{chosen.val_acc:.2%} validation accuracy"
    )
    typer.echo(f"  {chosen.words}")
    for line in neighbours(finished, chosen):
        typer.echo(f"  {line}")
    typer.echo(f"next: python -m paretrain {out}")
    return 0


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.export")


if __name__ == "__main__":
    main()
