"""Search a space for networks that are accurate and small.

    python -m search.run --space vgg_reduce --trials 50

runs on the embedded digits; --data FOLDER or FILE.csv on your own images. Running it again goes
on to --trials in total.
"""

import contextlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer import Option

from paretrain.cli import UserError, help_text, run_command
from paretrain.config import DataConfig, Precision
from paretrain.paths import is_folder, is_there, user_path
from search.option_values import (
    STUDIES_DB,
    Checkpoints,
    Device,
    Engine,
    RayAddress,
    Storage,
    parse_accuracy,
    parse_columns,
    parse_count,
    parse_duration,
    parse_folder,
    parse_workers,
)
from search.problem.option_words import (
    MOST_MB,
    Choice,
    Metric,
    Objective,
    PrunerName,
    SamplerName,
)
from search.problem.space import built_in_spaces, load_space
from search.session.budget import Limits

MOST_TRIALS, MOST_EPOCHS = 1_000_000, 10_000
"""More than anybody waits for: a larger number is a slip of the finger."""

YesNo = Literal["yes", "no"]

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
def run(
    space: Annotated[str, Option(help="Built-in space, or path of a .py file.")] = "vgg_reduce",
    data: Annotated[
        str, Option(help="'digits' (built in), CIFAR10, MNIST, ..., a folder or .csv.")
    ] = "digits",
    columns: Annotated[
        str | None, Option(help="Columns of a .csv to read. [default: path,label]")
    ] = None,
    images: Annotated[str | None, Option(help="Folder that paths in a .csv start from.")] = None,
    trials: Annotated[
        int, Option(min=1, max=MOST_TRIALS, help="Number of trials, over all runs of the study.")
    ] = 50,
    epochs: Annotated[
        int | None,
        Option(
            min=1,
            max=MOST_EPOCHS,
            help="Largest number of epochs of a trial. [digits: 12, else 30]",
        ),
    ] = None,
    image_size: Annotated[
        int | None, Option(min=8, max=1024, help="Side in pixels. [digits: 32, CPU: 64, GPU: 224]")
    ] = None,
    fraction: Annotated[float | None, Option(help="Share of the images to use, 0 to 1.")] = None,
    per_class: Annotated[
        int | None, Option(min=1, help="Largest number of training images of each class.")
    ] = None,
    skip_broken: Annotated[
        bool, Option("--skip-broken", help="Leave out images that cannot be decoded.")
    ] = False,
    storage: Storage = STUDIES_DB,
    study_name: Annotated[
        str | None, Option(help="Name of the study. [default: SPACE-DATA]")
    ] = None,
    join: Annotated[
        bool,
        Option("--join", help="Work beside other machines on one study in a server's database."),
    ] = False,
    engine: Engine = "local",
    ray_address: RayAddress = None,
    checkpoints: Checkpoints = None,
    workers: Annotated[
        str, Option(help="Number of processes that train, or auto: measure what is fastest.")
    ] = "1",
    mps: Annotated[
        bool,
        Option("--mps", help="Start NVIDIA's MPS for workers that share a GPU; not tried yet."),
    ] = False,
    threads: Annotated[
        int | None,
        Option(min=1, max=1024, help="CPU threads of each process. [digits: 1, else measured]"),
    ] = None,
    device: Device = "auto",
    max_params: Annotated[
        str | None,
        Option(help="Largest size to try: 2M, 500k, or none. [digits: 120k, CPU: 1M, GPU: 20M]"),
    ] = None,
    min_acc: Annotated[
        str | None,
        Option(
            help="Find the smallest network of at least this accuracy: 55%, 0.55; none: find "
            "the best accuracy at every size."
        ),
    ] = None,
    objective: Annotated[
        Objective | None, Option(help="What the search keeps small. [default: params]")
    ] = None,
    metric: Annotated[Metric | None, Option(help="What accuracy means. [default: acc]")] = None,
    max_size_mb: Annotated[
        str | None, Option(help="Largest file of weights, in millions of bytes, or none.")
    ] = None,
    pretrained: Annotated[
        YesNo | None,
        Option(help="Use published weights where a space asks for them. [default: yes]"),
    ] = None,
    weights_dir: Annotated[
        Path | None,
        Option(help="File or folder with published weights; none: torchvision's cache."),
    ] = None,
    timeout: Annotated[str | None, Option(help="Stop after this time: 600s, 90m, 2h.")] = None,
    epochs_total: Annotated[
        int | None,
        Option(
            min=1,
            help="Largest number of epochs over all runs; no trial starts that could exceed it.",
        ),
    ] = None,
    until_plateau: Annotated[
        int | None,
        Option(min=2, help="Stop when this many trials in a row hardly moved the front."),
    ] = None,
    stall: Annotated[
        str | None, Option(help="End a worker that is silent for this long. [default: 5m]")
    ] = None,
    storage_wait: Annotated[
        str | None,
        Option(help="Wait this long for a database server that is silent. [default: 10m]"),
    ] = None,
    microbatch: Annotated[
        bool | None,
        Option(help="Allow BatchNorm over parts of a batch if memory is short."),
    ] = None,
    precision: Annotated[
        Precision | None,
        Option(help="Arithmetic of a GPU. [default: bf16 where it is measured to be faster]"),
    ] = None,
    deterministic: Annotated[
        bool,
        Option("--deterministic", help="Equal curves for equal seeds on a GPU too, but slower."),
    ] = False,
    cuda_graphs: Annotated[
        YesNo | None,
        Option(help="Replay steps on an NVIDIA GPU. [default: yes where measured to be faster]"),
    ] = None,
    seed: Annotated[
        int | None,
        Option(min=0, max=2**31 - 1, help="Seed of proposals and trainings. [default: 0]"),
    ] = None,
    pruner: Annotated[
        PrunerName | None,
        Option(help="Rule that stops trials early; none: only diverged ones. [default: front]"),
    ] = None,
    sampler: Annotated[
        SamplerName | None,
        Option(help="What chooses the next trial; all but front are Optuna's. [default: front]"),
    ] = None,
    baselines: Annotated[
        Choice | None,
        Option(
            help="Train networks chosen by hand first; all: their settings too. [default: nets]"
        ),
    ] = None,
    prior: Annotated[
        str | None,
        Option(
            help="Learn from earlier studies of the space: auto, a database, DATABASE::STUDY, or "
            "none. [default: none]"
        ),
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Say what would be done; change nothing.")
    ] = False,
    list_spaces: Annotated[bool, Option("--list-spaces", help="List the spaces and exit.")] = False,
    json_: Annotated[bool, Option("--json", help="Print one JSON event per line.")] = False,
    quiet: Annotated[bool, Option("--quiet", help="Print only the result.")] = False,
) -> int:
    """Typed options to a plan; the plan is carried out by search.session.runner."""
    from search.workers.process import begin_early

    if engine == "local" and not list_spaces and (data == "digits" or threads is not None):
        begin_early(threads or 1)  # before torch is loaded here
    from paretrain.device import pick_device
    from search.session.engine import refuse_engine
    from search.session.open_study import StudyAppearedError, stored_settings
    from search.session.options import Options
    from search.session.plan import settle, study_name_of
    from search.session.runner import Style, search
    from search.study.reader import refuse_impossible_name
    from search.study.storage import check_storage, check_writable, one_line

    if list_spaces:
        return _list_spaces(json_)
    if fraction is not None and not 0 < fraction <= 1:
        raise UserError(f"--fraction {fraction}: must be more than 0 and at most 1")
    if study_name is not None:
        refuse_impossible_name(study_name, "--study-name")
    refuse_engine(engine, ray_address, mps)
    limit = _max_params(max_params)
    accuracy: float | Literal["none"] | None = None
    if min_acc is not None:
        accuracy = parse_accuracy(min_acc, "--min-acc") or "none"
    timeout_s = None if timeout is None else parse_duration(timeout, "--timeout")
    check_storage(storage)
    check_writable(storage)
    options = Options(
        space=load_space(space),
        device=pick_device(device),
        data=_data(data, columns, images),
        limits=Limits(trials, timeout_s, epochs_total, until_plateau),
        epochs=epochs,
        image_size=image_size,
        fraction=fraction,
        per_class=per_class,
        skip_broken=skip_broken,
        storage=storage,
        study_name=study_name or "",
        join=join,
        engine=engine,
        ray_address=ray_address,
        checkpoints=parse_folder(checkpoints, "--checkpoints"),
        workers=None if workers.lower() == "auto" else parse_workers(workers),
        mps=mps,
        threads=threads,
        max_params=limit,
        min_acc=accuracy,
        objective=objective,
        metric=metric,
        max_size_mb=_max_size(max_size_mb),
        pretrained=None if pretrained is None else pretrained == "yes",
        weights_dir=_weights_dir(weights_dir),
        stall_s=None if stall is None else parse_duration(stall, "--stall"),
        storage_wait_s=(
            None if storage_wait is None else parse_duration(storage_wait, "--storage-wait")
        ),
        microbatch=microbatch,
        precision=precision,
        deterministic=deterministic or None,
        cuda_graphs=None if cuda_graphs is None else cuda_graphs == "yes",
        seed=seed,
        pruner=pruner,
        sampler=sampler,
        baselines=baselines,
        prior=_prior(prior),
    )
    style: Style = "json" if json_ else "quiet" if quiet else "person"
    while True:
        with one_line(storage):
            stored = stored_settings(storage, study_name_of(options))
        plan = settle(options, stored)
        with one_line(storage), contextlib.suppress(StudyAppearedError):
            return search(plan, style, dry_run)


def _prior(text: str | None) -> str | None:
    from search.prior.choice import AUTO, MARK, NONE
    from search.study.storage_url import StorageUrl

    if text is None or text.lower() in (AUTO, NONE):
        return None if text is None else text.lower()
    where, mark, name = text.rpartition(MARK)
    if not text.strip() or (mark and not name):
        raise UserError(f"--prior '{text}': give auto, none, a database, or DATABASE::STUDY")
    database = where if mark else text
    if database and StorageUrl.of(database).has_secrets:
        raise UserError(
            "--prior is kept with the study, so it takes no password: copy the studies into a "
            "file, or let the database's own settings file hold it"
        )
    return text


def _weights_dir(path: Path | None) -> str | None:
    if path is None or str(path) == "none":
        return None if path is None else "none"
    if not is_there(user_path(path)):
        raise UserError(f"--weights-dir {path}: there is no such file or folder")
    return str(user_path(path).resolve())


def _max_size(text: str | None) -> float | Literal["none"] | None:
    if text is None or text.lower() == "none":
        return None if text is None else "none"
    try:
        size = float(text)
    except ValueError:
        size = 0.0
    if not 0 < size <= MOST_MB:
        raise UserError(
            f"--max-size-mb {text}: must be more than 0 and at most {MOST_MB:,.0f}, such as 2.5, "
            "or none"
        )
    return size


def _max_params(text: str | None) -> int | Literal["none"] | None:
    if text is None:
        return None
    return "none" if text.lower() == "none" else parse_count(text, "--max-params")


def _data(data: str, columns: str | None, images: str | None) -> DataConfig:
    from paretrain.data.locate import resolve_source
    from paretrain.data.names import is_csv

    source = resolve_source(data)
    for option, value in (("--columns", columns), ("--images", images)):
        if value is not None and not is_csv(source):
            raise UserError(f"{option} {value}: only for a .csv file, but --data is {data}")
    fields: dict[str, Any] = {"source": source}
    if columns is not None:
        fields["columns"] = parse_columns(columns, "--columns")
    if images is not None:
        folder = user_path(images)
        if not is_folder(folder):
            raise UserError(
                f"--images {images}: is no folder: give the folder that paths in {data} start from"
            )
        fields["images"] = str(folder.resolve())
    return DataConfig(**fields)


def _list_spaces(as_json: bool) -> int:
    for name in built_in_spaces():
        summary = load_space(name).summary
        if as_json:
            print(json.dumps({"space": name, "summary": summary}))
        else:
            typer.echo(f"{name:<14} {summary}")
    return 0


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.run")


if __name__ == "__main__":
    main()
