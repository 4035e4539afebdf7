"""A study as pandas tables: one row a trial, and one row an epoch.

from search.frames import epochs_frame, trials_frame
from search.study.storage import load_study
trials = trials_frame(load_study("studies.db", "vgg_reduce-digits"))
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pandas as pd

from paretrain.atomic import whole_or_not
from paretrain.cli import UserError
from paretrain.config import Metric
from paretrain.epoch_selection import kept_epochs
from paretrain.result.places import handed_over, without_folders
from paretrain.result.tables import cell
from search.problem.front import pareto_front
from search.study.attributes import (
    BASELINE,
    BEST_ACC,
    BEST_EPOCH,
    CONFIG,
    CURVE,
    CURVE_KEYS,
    HEALTH,
    IDENTITY,
    LAST_ACC,
    ORIGIN,
    SCORE,
    SECONDS,
    SIZE,
    TRAINABLE,
    VERDICT,
    WORDS,
)
from search.study.images import chance_of
from search.study.metric import metric_of, stored_name
from search.study.records import TrialRecord, read_record


def trials_frame(study: optuna.Study) -> pd.DataFrame:
    """One row a trial, in any state. `val_acc` is that of the kept epoch so far (0 to 1); a study
    with another metric has columns named after it beside, such as `val_macro_f1`. `seconds` are of
    training; `beats_chance` says whether that accuracy is better than guessing (see
    `search.problem.chance`); `param.*` is what was drawn and `config.*` the whole configuration."""
    chance, accuracy = chance_of(study), stored_name(_metric(study))
    trials = study.get_trials(deepcopy=False)
    records = {t.number: read_record(t) for t in trials}
    finished = [r for t in trials if t.state.name == "COMPLETE" and (r := records[t.number])]
    on_front = {record.number for record in pareto_front(chance.finds(finished))}
    rows: list[dict[str, Any]] = []
    for trial in trials:
        attrs, record = trial.user_attrs, records[trial.number]
        row: dict[str, Any] = {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "on_front": trial.number in on_front,
            "beats_chance": chance.beaten_by(record.val_acc) if record else None,
            "baseline": attrs.get(BASELINE),
            "origin": attrs.get(ORIGIN),
            "network": attrs.get(WORDS),
            "params": attrs.get(SIZE),
            "trainable_params": attrs.get(TRAINABLE),
            "size": record.size if record else None,
            "val_acc": _plain_accuracy(record, attrs) if record else None,
            **({accuracy: record.val_acc if record else None} if accuracy != "val_acc" else {}),
            f"{accuracy}_best": attrs.get(BEST_ACC),
            "best_epoch": attrs.get(BEST_EPOCH),
            f"{accuracy}_last": attrs.get(LAST_ACC),
            "epochs": len(attrs.get(CURVE, {}).get("val_acc", ())),
            "seconds": attrs.get(SECONDS),
            "health": attrs.get(HEALTH),
            "verdict": attrs.get(VERDICT),
            "began": trial.datetime_start,
            "ended": trial.datetime_complete,
        }
        row |= {f"param.{name}": value for name, value in trial.params.items()}
        if CONFIG in attrs:
            flat = pd.json_normalize(attrs[CONFIG], sep=".").iloc[0].to_dict()
            row |= {f"config.{name}": value for name, value in flat.items()}
        rows.append(row)
    return pd.DataFrame(rows)


def _metric(study: optuna.Study) -> Metric:
    return metric_of(study.user_attrs.get(IDENTITY, {}))


def _plain_accuracy(record: TrialRecord, attrs: Mapping[str, Any]) -> float:
    """The share of images that the kept epoch had right, whatever the metric."""
    curve = attrs[CURVE]
    if SCORE not in curve:
        return record.val_acc
    kept = kept_epochs(curve[SCORE], curve.get("val_loss", ()), record.config.keep)[-1]
    return float(curve["val_acc"][kept])


def epochs_frame(study: optuna.Study) -> pd.DataFrame:
    """One row an epoch, counted from 1: losses, accuracies (0 to 1), learning rate, seconds and
    health, with the trial's number and state."""
    accuracy = stored_name(_metric(study))
    columns = ["trial", "state", "epoch", *CURVE_KEYS]
    columns += [accuracy] if accuracy != "val_acc" else []
    parts = [
        pd.DataFrame(
            {
                "trial": trial.number,
                "state": trial.state.name.lower(),
                "epoch": range(1, len(curve["val_acc"]) + 1),
                **{key: curve[key] for key in CURVE_KEYS if key in curve},
                **({accuracy: curve[SCORE]} if SCORE in curve else {}),
            }
        )
        for trial in study.get_trials(deepcopy=False)
        if (curve := trial.user_attrs.get(CURVE)) and curve.get("val_acc")
    ]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return frame.reindex(columns=columns)


PLACES = ["config.data.source", "config.data.images", "config.start.weights_dir"]


def _to_pass_on(table: pd.DataFrame) -> pd.DataFrame:
    """The table without folders of this machine, and without text that a spreadsheet computes."""
    made = table.copy()
    for column in made.select_dtypes(exclude=["number", "bool", "datetime"]):
        if column in PLACES:
            made[column] = made[column].map(handed_over, na_action="ignore")
        if column == "verdict":
            made[column] = made[column].map(without_folders, na_action="ignore")
        made[column] = made[column].map(cell)
    return made


def write_csv(tables: Mapping[str, pd.DataFrame], folder: Path) -> list[Path]:
    """`NAME.csv` of each; a file that is there is replaced. Raises UserError where they cannot be
    written."""
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, made in tables.items():
            path = folder / f"{name}.csv"
            with whole_or_not(path) as partial:
                _to_pass_on(made).to_csv(partial, index=False)
            paths.append(path)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UserError(
            f"--csv {folder}: {error.strerror}: give a folder that can be written"
        ) from None
    return paths
