"""The search from Python: `run_search`, and what it found.

from search import run_search
found = run_search(space="vgg_reduce", trials=20)
found.front                                  # a pandas table
found.train("runs/best").predict(["photo.png"])
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from paretrain.cli import UserError, call
from paretrain.paths import file_name
from search.study.storage_url import StorageUrl

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    import plotly.graph_objects as go
    import typer

    from paretrain.result.classifier import Classifier
    from search.study.snapshot import StudySnapshot

INTERRUPTED = 130
# Optuna imports a bar that it does not show here, which asks notebooks for another library.
warnings.filterwarnings("ignore", "IProgress not found")


class SearchFailed(RuntimeError):
    """Five trials in a row have failed, or a training has diverged."""


def run_search(
    space: str | PathLike[str] = "vgg_reduce",
    data: Any = "digits",
    *,
    trials: int = 50,
    epochs: int | None = None,
    image_size: int | None = None,
    fraction: float | None = None,
    per_class: int | None = None,
    columns: tuple[str, str] | None = None,
    images: str | PathLike[str] | None = None,
    skip_broken: bool = False,
    max_params: int | str | None = None,
    max_size_mb: float | str | None = None,
    min_acc: float | str | None = None,
    objective: str | None = None,
    metric: str | None = None,
    baselines: str | None = None,
    pruner: str | None = None,
    sampler: str | None = None,
    prior: str | PathLike[str] | None = None,
    seed: int | None = None,
    timeout: float | str | None = None,
    epochs_total: int | None = None,
    until_plateau: int | None = None,
    join: bool = False,
    engine: str = "local",
    ray_address: str | None = None,
    checkpoints: str | PathLike[str] | None = None,
    workers: int | Literal["auto"] = 1,
    mps: bool = False,
    threads: int | None = None,
    device: str = "auto",
    precision: str | None = None,
    pretrained: bool | None = None,
    weights_dir: str | PathLike[str] | None = None,
    microbatch: bool | None = None,
    deterministic: bool = False,
    cuda_graphs: bool | None = None,
    stall: float | str | None = None,
    storage_wait: float | str | None = None,
    storage: str | PathLike[str] | None = None,
    study_name: str | None = None,
    progress: bool = True,
) -> SearchResult:
    """Search a space for networks that are accurate and small; return what was found.

    Takes what `python -m search.run` takes, under the same names and with the same defaults; see
    its `--help`. None = left open. Times are seconds, or texts such as "90m". The same call goes on
    to `trials` in total.

    `data` is a name or path as on the command line, or images in memory: a pair (images, labels),
    a torch Dataset, or a dict of these with the keys "train", "val" and "test" (see
    `paretrain.data.in_memory.source_of`). They are put into the cache folder once.

    Shows a bar on a terminal and in a notebook, unless `progress` is False. Raises UserError, a
    ValueError, for an argument that is not allowed, before anything is created; SearchFailed when
    five trials in a row have failed; KeyboardInterrupt when it is interrupted, after which the same
    call goes on and `open_search` gives what there is.
    """
    given = dict(locals())
    from paretrain.data.locate import resolve_source
    from search.problem.space import load_space
    from search.run import app
    from search.session.plan import default_name

    place = _place(storage)
    with _said_in_python(given):
        if not isinstance(data, str | PathLike):
            from paretrain.data.in_memory import source_of

            data = source_of(data)
        source = resolve_source(_text(data))
        name = study_name
        if name is None:
            name = default_name(load_space(_text(space)).name, source)
        changes: dict[str, Any] = {
            "data": source,
            "study_name": name,
            "columns": None if columns is None else ",".join(columns),
            "pretrained": _yes_or_no(pretrained),
            "cuda_graphs": _yes_or_no(cuda_graphs),
            "quiet": not progress,
        }
        options = {key: value for key, value in (given | changes).items() if key != "progress"}
        code = call(app, "python -m search.run", list(_arguments(options)))
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    found = SearchResult(place, name)
    if code:
        raise SearchFailed(f"five trials in a row failed: {found.last_failure}")
    return found


def _yes_or_no(flag: bool | None) -> str | None:
    return None if flag is None else "yes" if flag else "no"


def open_search(study_name: str, storage: str | PathLike[str] | None = None) -> SearchResult:
    """Return what an earlier search found. Raises UserError when there is no such study."""
    with _said_in_python({"storage": storage}):
        found = SearchResult(_place(storage), study_name)
        _ = found.study
    return found


class SearchResult:
    """What a search has found. Everything is read when it is asked for, so a study that goes on
    elsewhere is shown as it is then."""

    def __init__(self, storage: StorageUrl, study_name: str) -> None:
        self.storage, self.study_name = storage, study_name

    @property
    def study(self) -> optuna.Study:
        """The study, for all that Optuna can do with it."""
        return self._snapshot().study

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial, in any state; the columns are those of `search.frames.trials_frame`."""
        from search.frames import trials_frame

        return trials_frame(self.study)

    @property
    def epochs(self) -> pd.DataFrame:
        """One row an epoch; the columns are those of `search.frames.epochs_frame`."""
        from search.frames import epochs_frame

        return epochs_frame(self.study)

    @property
    def front(self) -> pd.DataFrame:
        """The trials of the Pareto front, the smallest first: its rows of `trials`."""
        trials = self.trials
        if trials.empty:
            return trials
        return trials[trials.on_front].sort_values("size").reset_index(drop=True)

    @property
    def last_failure(self) -> str:
        """Why the last trial failed that did; empty when none has."""
        from optuna.trial import TrialState

        from search.study.attributes import VERDICT

        failed = [t for t in self.study.trials if t.state == TrialState.FAIL]
        return str(failed[-1].user_attrs.get(VERDICT, "")) if failed else ""

    def figure(self) -> go.Figure:
        """The front, all trials and what is known of networks by hand, as in the report."""
        from search.reporting.figures.pareto import pareto_figure

        return pareto_figure(self._snapshot())

    def export(self, out: str | PathLike[str], **choice: Any) -> Path:
        """Write the configuration of one trial as YAML; return the file.

        `choice` is one of the ways in which `python -m search.export` chooses, such as
        `knee=True` (without any), `best=True`, `trial=3`, `max_params="50k"`, `min_acc=0.95`
        or `within=0.01`; and `all_images=True`. Raises UserError.
        """
        from search.export import app

        ways = {key for key in choice if key != "all_images"}
        given = choice | ({} if ways else {"knee": True})
        self._call(app, "python -m search.export", given | {"out": out})
        return Path(out)

    def train(
        self,
        out: str | PathLike[str],
        *,
        epochs: int | None = None,
        device: str = "auto",
        with_validation: bool = False,
        test_time_flip: bool = False,
        overwrite: bool = False,
        resume: bool = False,
        **choice: Any,
    ) -> Classifier:
        """Train one network in full and test it, as `python -m paretrain` does; return it, ready to
        predict.

        `out` is a new folder for the result; its configuration is written beside it, as OUT.yaml.
        `choice`: see `export`. Raises UserError, SearchFailed when the training diverged, and
        KeyboardInterrupt, after which `resume=True` goes on.
        """
        import torch

        from paretrain import load
        from paretrain.__main__ import app

        folder = Path(out)
        config = folder.with_name(f"{folder.name}.yaml")
        if not (resume and config.exists()):
            folder.parent.mkdir(parents=True, exist_ok=True)
            self.export(config, **choice)
        options = {
            **{"out": folder, "epochs": epochs, "device": device, "resume": resume},
            **{"with_validation": with_validation, "test_time_flip": test_time_flip},
            "overwrite": overwrite,
        }
        threads = torch.get_num_threads()
        try:
            with _said_in_python(options):
                words = [str(config), *_arguments(options)]
                code = call(app, "python -m paretrain", words)
        finally:
            torch.set_num_threads(threads)  # the training has its own
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        if code:
            raise SearchFailed(f"the training of {config} diverged")
        return load(folder)

    def report(self, out: str | PathLike[str] | None = None) -> Path:
        """Write the report as one HTML file; return it. Raises UserError."""
        from search.report import app

        page = Path(f"{file_name(self.study_name)}.html" if out is None else out)
        self._call(app, "python -m search.report", {"out": page})
        return page

    def __repr__(self) -> str:
        return f"SearchResult(study_name={self.study_name!r}, storage={str(self.storage)!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the front."""
        front = self.front
        if front.empty:
            return html.escape(f"{self!r}: nothing found yet")
        shown = front[["trial", "size", "val_acc", "network"]]
        table: str = shown.to_html(index=False, escape=True)
        return table

    def _snapshot(self) -> StudySnapshot:
        from search.study.snapshot import read_snapshot

        return read_snapshot(self.storage, self.study_name)

    def _call(self, app: typer.Typer, command: str, options: Mapping[str, Any]) -> None:
        where = {"study_name": self.study_name, "storage": self.storage.for_connection()}
        with _said_in_python(options):
            call(app, command, list(_arguments({**options, **where})))


def _place(storage: str | PathLike[str] | None) -> StorageUrl:
    return StorageUrl.usual() if storage is None else StorageUrl.of(_text(storage))


def _text(value: object) -> str:
    return os.fspath(value) if isinstance(value, PathLike) else str(value)


def _arguments(options: Mapping[str, Any]) -> Iterator[str]:
    """Options as they would be typed. None and False are left out."""
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            yield option
        elif value is False and name == "microbatch":
            yield "--no-microbatch"
        elif value is not None and value is not False:
            yield f"{option}={_text(value)}"


@contextlib.contextmanager
def _said_in_python(given: Mapping[str, Any]) -> Iterator[None]:
    """Let errors name arguments as they were written: `max_params`, not `--max-params`."""
    try:
        yield
    except UserError as error:

        def name(found: re.Match[str]) -> str:
            word = found[1].replace("-", "_")
            return word if word in given else found[0]

        text = re.sub(r"--([a-z][a-z-]*[a-z])", name, str(error))
        raise UserError(re.sub(r"\. See: python -m .* --help$", "", text)) from None
