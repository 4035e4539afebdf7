"""Choose a trial and write its configuration as YAML.

python -m search.export --study-name vgg_reduce-digits --knee --out best.yaml
python -m paretrain best.yaml
"""

import os
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import optuna
import typer
from optuna.trial import TrialState
from typer import Option

from paretrain.cli import UserError, run_command
from paretrain.formatting import percent
from search.option_values import parse_count, parse_share
from search.problem.front import pareto_front
from search.study.attributes import PROVENANCE, THREADS
from search.study.records import TrialRecord, read_records
from search.study.repeats import Confirmed, confirm, describe_confirmed, read_repeats
from search.study.selection import (
    accurate_enough,
    at_knee,
    by_number,
    most_accurate,
    near_the_best,
    neighbours,
    under_cap,
)
from search.study.storage import load_study

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=__doc__)
def export(
    study_name: Annotated[str, Option(help="As the search printed it.")],
    storage: Annotated[str, Option(help="SQLite file or SQLAlchemy URL.")] = "studies.db",
    trial: Annotated[int | None, Option(min=0, help="This trial.")] = None,
    max_params: Annotated[
        str | None, Option(help="The most accurate one of at most this size: 2M, 500k.")
    ] = None,
    min_acc: Annotated[
        str | None, Option(help="The smallest one of at least this accuracy: 95%, 0.95.")
    ] = None,
    within: Annotated[
        str | None, Option(help="The smallest one at most so much below the best: 1%.")
    ] = None,
    knee: Annotated[bool, Option("--knee", help="Where more size buys little.")] = False,
    best: Annotated[bool, Option("--best", help="The most accurate one.")] = False,
    out: Annotated[Path | None, Option(help="[default: standard output]")] = None,
) -> int:
    """One choice, one configuration."""
    wish = _wish(
        {
            "--trial": trial,
            "--max-params": max_params,
            "--min-acc": min_acc,
            "--within": within,
            "--knee": knee or None,
            "--best": best or None,
        }
    )
    if out is not None and out.is_dir():
        raise UserError(f"--out {out} is a folder: give a file such as {out / 'best.yaml'}")
    if out is not None and not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.parent}: create it first")
    study = load_study(storage, study_name)
    finished = read_records(study, TrialState.COMPLETE)
    if trial is not None:
        chosen = by_number(read_records(study, TrialState.COMPLETE, TrialState.PRUNED), trial)
    elif not finished:
        count = len(study.get_trials(deepcopy=False))
        raise UserError(
            f"study '{study_name}' has no finished trial to choose from ({count} in all): run more "
            "trials" + (", or name a stopped one with --trial" if count else "")
        )
    else:
        chosen = wish.choose(finished)
    confirmed = confirm([chosen], read_repeats(study)).get(chosen.number)
    head = _head(study, chosen, wish, confirmed)
    # The trial's own number of threads: with another one the last digits differ.
    config = chosen.config.model_copy(update={"threads": study.user_attrs.get(THREADS)})
    text = "".join(f"# {line}\n" for line in head) + config.to_yaml()
    if out is None:
        typer.echo(text, nl=False)
    else:
        _write(out, text)
    # What is piped into a file is the configuration alone.
    for line in _told(out, finished, chosen, confirmed):
        typer.echo(line, err=out is None)
    return 0


@dataclass(frozen=True)
class _Wish:
    """How a trial is chosen, in words and from finished ones."""

    words: str
    choose: Callable[[Sequence[TrialRecord]], TrialRecord]


def _wish(options: Mapping[str, Any]) -> _Wish:
    given = {name: value for name, value in options.items() if value is not None}
    if len(given) != 1:
        seen = " and ".join(given) if given else "none of them"
        raise UserError(f"choose by one of {', '.join(options)}: got {seen}")
    ((name, value),) = given.items()
    if name == "--max-params":
        cap = parse_count(value, name)
        words = f"the most accurate one of at most {cap:,} parameters"
        return _Wish(words, lambda records: under_cap(records, cap))
    if name == "--min-acc":
        least = parse_share(value, name)
        words = f"the smallest one with {percent(least)} validation accuracy or more"
        return _Wish(words, lambda records: accurate_enough(records, least))
    if name == "--within":
        margin = parse_share(value, name)
        words = f"the smallest one within {percent(margin)} of the most accurate one"
        return _Wish(words, lambda records: near_the_best(records, margin))
    if name == "--knee":
        return _Wish("the knee of the front: from here more parameters buy little", at_knee)
    if name == "--best":
        return _Wish("the most accurate one", most_accurate)
    return _Wish("named by its number", lambda records: by_number(records, value))


def _head(
    study: optuna.Study, chosen: TrialRecord, wish: _Wish, confirmed: Confirmed | None
) -> list[str]:
    """How it was found; the model card repeats it."""
    trials = study.get_trials(deepcopy=False)
    finished = sum(trial.state == TrialState.COMPLETE for trial in trials)
    origin = study.user_attrs.get(PROVENANCE, {})
    lines = [
        f"Trial {chosen.number} of study {study.study_name}: {chosen.words}",
        f"{chosen.num_params:,} parameters, validation accuracy {chosen.val_acc:.4f} "
        f"after {len(chosen.curve.accs)} epochs",
        f"Chosen among {finished} finished of {len(trials)} trials: {wish.words}",
    ]
    if origin:
        lines.append(
            f"Searched by paretrain {origin.get('paretrain')}, space {origin.get('space_file')}, "
            f"sampler {origin.get('sampler')}, seed {origin.get('seed')}, on "
            f"{origin.get('device')}; data fingerprint {origin.get('data_fingerprint')}"
        )
    if confirmed is not None:
        lines.append(f"Trained again with {describe_confirmed(confirmed)}")
    return lines


def _told(
    out: Path | None,
    finished: Sequence[TrialRecord],
    chosen: TrialRecord,
    confirmed: Confirmed | None,
) -> list[str]:
    lines = [
        f"{out or 'standard output'}: trial #{chosen.number}, {chosen.num_params:,} parameters, "
        f"{chosen.val_acc:.2%} validation accuracy",
        f"  {chosen.words}",
    ]
    if chosen.state != TrialState.COMPLETE:
        epochs = f"{len(chosen.curve.accs)} of {chosen.config.epochs} epochs"
        lines.append(f"  it was stopped after {epochs}: its accuracy is not that of its end")
    if finished:
        lines += [f"  {line}" for line in neighbours(finished, chosen)]
    if confirmed is not None:
        lines.append(f"  {describe_confirmed(confirmed)}")
    elif chosen in pareto_front(finished):
        lines.append("  trained once: python -m search.confirm says whether it was lucky")
    if out is not None:
        lines.append(f"next: python -m paretrain {shlex.quote(str(out))}")
    else:
        lines.append("next: --out best.yaml, then python -m paretrain best.yaml")
    return lines


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
