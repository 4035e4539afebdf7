"""Choose a trial and write its configuration as YAML.

python -m search.export --study-name vgg_reduce-digits --knee --out net.yaml
python -m paretrain net.yaml
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from paretrain.atomic import write_whole
from paretrain.cli import UserError, help_text, run_command
from paretrain.doing import Doing
from paretrain.formatting import percent
from paretrain.paths import file_to_write
from paretrain.screen import Screen
from search.option_values import (
    STUDIES_DB,
    Storage,
    StudyName,
    parse_count,
    parse_share,
    parse_trial,
)
from search.study.attributes import IDENTITY, THREADS
from search.study.collector import without_collector

if TYPE_CHECKING:
    from paretrain.config import Metric
    from search.study.records import TrialRecord

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
@without_collector(ends_soon=True)
def export(
    study_name: StudyName,
    storage: Storage = STUDIES_DB,
    trial: Annotated[
        int | None, Option(parser=parse_trial, metavar="<int>", help="Take this trial.")
    ] = None,
    max_params: Annotated[
        str | None, Option(help="Take the most accurate of at most this size: 2M, 500k.")
    ] = None,
    min_acc: Annotated[
        str | None, Option(help="Take the smallest of at least this accuracy: 95%, 0.95.")
    ] = None,
    within: Annotated[
        str | None, Option(help="Take the smallest that is at most this far below the best: 1%.")
    ] = None,
    knee: Annotated[
        bool, Option("--knee", help="Take the knee: beyond it, more parameters help less.")
    ] = False,
    best: Annotated[bool, Option("--best", help="Take the most accurate.")] = False,
    all_images: Annotated[
        bool, Option("--all-images", help="Train on all images, even if the search used a part.")
    ] = False,
    out: Annotated[
        Path | None, Option(help="YAML file to write. [default: standard output]")
    ] = None,
) -> int:
    """One choice, one configuration."""
    from optuna.trial import TrialState

    from paretrain.data.amount import with_all_images
    from paretrain.result.places import seen_from_here
    from paretrain.threads import DIGITS
    from search.reporting.export_text import file_head, images_lines, screen_lines
    from search.reporting.nothing_learned import nothing_learned
    from search.study.image_place import is_lost, where_they_are
    from search.study.images import chance_of, searched_on
    from search.study.records import read_records
    from search.study.repeats import confirm, read_repeats
    from search.study.selection import by_number
    from search.study.snapshot import objective_of
    from search.study.storage import load_study

    criterion = _criterion(
        {
            "--trial": trial,
            "--max-params": max_params,
            "--min-acc": min_acc,
            "--within": within,
            "--knee": knee or None,
            "--best": best or None,
        }
    )
    if out is not None:
        out = file_to_write(out, "--out", "best.yaml", ".yaml", ".yml", without="to print")
    with Doing(Screen(stderr=True), "reading the study"):
        study = load_study(storage, study_name)
    finished, chance = read_records(study, TrialState.COMPLETE), chance_of(study)
    finds = chance.finds(finished)
    if trial is not None:
        unended = study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
        if trial in {stored.number for stored in unended}:
            raise UserError(
                f"trial {trial} of study '{study_name}' has not ended: let the search go on, or "
                "name another trial"
            )
        chosen = by_number(read_records(study, TrialState.COMPLETE, TrialState.PRUNED), trial)
    elif not finished:
        count = len(study.get_trials(deepcopy=False))
        raise UserError(
            f"study '{study_name}' has no finished trial to choose from ({count} in all): run more "
            "trials" + (", or name a stopped one with --trial" if count else "")
        )
    elif nothing := nothing_learned(study):
        raise UserError(
            f"study '{study_name}': {nothing.sentence}; --trial NUMBER exports a network as it is"
        )
    else:
        chosen = criterion.choose(finds)
    confirmed = confirm([chosen], read_repeats(study)).get(chosen.number)
    chosen_as = criterion.words_for(chosen.config.metric)
    head = file_head(study, chosen, chosen_as, confirmed, chance, all_images)
    images = where_they_are(study, chosen.config.data)
    config = chosen.config.model_copy(
        update={"data": images, "searched_on": searched_on(study, images)}
    )
    if all_images:
        config = with_all_images(config)
    if not is_lost(images):
        config = seen_from_here(config)
    if config.data.source == "digits" and study.user_attrs.get(THREADS) == DIGITS:
        # Right on any machine; other numbers suit the one that searched.
        config = config.model_copy(update={"threads": DIGITS})
    text = "".join(f"# {line}\n" for line in head) + config.to_yaml()
    if out is None:
        typer.echo(text, nl=False)
    else:
        _write(out, text)
    # What is piped into a file is the configuration alone.
    objective = objective_of(study.user_attrs.get(IDENTITY, {}))
    lines = screen_lines(out, finds, chosen, confirmed, chance, objective)
    lines[-1:-1] = images_lines(study, chosen, all_images)
    if is_lost(images):
        where = out or "the configuration"
        note = (
            f"note: {images.source} is not there: set data.source in {where} to the images' place"
        )
        typer.echo(note, err=True)
    for line in lines:
        typer.echo(line, err=out is None)
    return 0


@dataclass(frozen=True)
class _Criterion:
    """How a trial is chosen, in words and from finished ones."""

    words: str
    """`ACCURACY` stands for the name of the study's metric."""
    choose: Callable[[Sequence[TrialRecord]], TrialRecord]

    def words_for(self, metric: Metric) -> str:
        """The words with the metric's name."""
        from paretrain.metric import NAMES

        return self.words.replace("ACCURACY", NAMES[metric])


def _criterion(options: Mapping[str, Any]) -> _Criterion:
    from search.study.selection import (
        accurate_enough,
        at_knee,
        by_number,
        most_accurate,
        near_the_best,
        under_limit,
    )

    given = {name: value for name, value in options.items() if value is not None}
    if len(given) != 1:
        named = " and ".join(given) if given else "none of them"
        raise UserError(f"choose by one of {', '.join(options)}: got {named}")
    ((name, value),) = given.items()
    if name == "--max-params":
        limit = parse_count(value, name)
        words = f"the most accurate one of at most {limit:,} parameters"
        return _Criterion(words, lambda records: under_limit(records, limit))
    if name == "--min-acc":
        least = parse_share(value, name)
        words = f"the smallest one with {percent(least)} validation ACCURACY or more"
        return _Criterion(words, lambda records: accurate_enough(records, least))
    if name == "--within":
        margin = parse_share(value, name)
        words = f"the smallest one within {percent(margin)} of the most accurate one"
        return _Criterion(words, lambda records: near_the_best(records, margin))
    if name == "--knee":
        words = "the knee of the front: beyond it, more parameters help less than before it"
        return _Criterion(words, at_knee)
    if name == "--best":
        return _Criterion("the most accurate one", most_accurate)
    return _Criterion("named by its number", lambda records: by_number(records, value))


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        raise UserError(
            f"cannot write {path}: {error.strerror}: choose a file in a folder of yours"
        ) from None


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.export")


if __name__ == "__main__":
    main()
