"""What a study holds, read once, for everything that shows it."""

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.cli import UserError
from paretrain.config import DataConfig, TrainConfig
from search.problem.baselines import Baseline, baselines
from search.problem.constraints import Gate
from search.problem.front import pareto_front
from search.problem.objective import OBJECTIVES, Objective
from search.problem.space import Space, fingerprint, load_space
from search.study.attributes import (
    IDENTITY,
    MAX_PARAMS,
    MIN_ACC,
    OWNER,
    PER_CLASS,
    PROVENANCE,
    REFUSED,
    SPACE_FILE,
)
from search.study.ledger import Ledger, ledger
from search.study.owner import STALE_AFTER_S
from search.study.records import TrialRecord, read_record
from search.study.storage import load_study


@dataclass(frozen=True)
class StudyView:
    """One reading of a study; nothing in it changes while it is shown."""

    storage: str
    study: optuna.Study
    trials: list[FrozenTrial]
    attrs: Mapping[str, Any]
    space: Space | None
    """None where its file is no longer there, or is another one now."""

    @property
    def name(self) -> str:
        """Of the study."""
        return self.study.study_name

    @property
    def options(self) -> str:
        """What commands need to find it."""
        return study_options(self.storage, self.name)

    @property
    def space_option(self) -> str:
        """What a command needs to search the same space."""
        own = self.attrs.get(SPACE_FILE)
        if own is None:
            return f"--space {self.identity.get('space', '')}"
        path = Path(own["path"])
        if path.is_relative_to(Path.cwd()):
            path = path.relative_to(Path.cwd())
        return f"--space {shlex.quote(str(path))}"

    @property
    def identity(self) -> Mapping[str, Any]:
        """Space, data, epochs and objectives."""
        return dict(self.attrs.get(IDENTITY, {}))

    @property
    def running(self) -> bool:
        """Whether its coordinator gives signs of life."""
        last = self.attrs.get(OWNER)
        return last is not None and time.time() - float(last["time"]) < STALE_AFTER_S

    @property
    def objective(self) -> Objective:
        """What is to be small."""
        named = [*self.identity.get("objectives", ()), "", ""][1].split(" ")[0]
        return next((known for known in OBJECTIVES if known == named), "params")

    @property
    def epochs(self) -> int:
        """Of a trial that is not stopped."""
        return int(self.identity.get("epochs", 0))

    @property
    def classes(self) -> int:
        """Number of them."""
        counts = (len(t.user_attrs[PER_CLASS]) for t in self.trials if PER_CLASS in t.user_attrs)
        return next(counts, 0) or len(self.attrs.get(PROVENANCE, {}).get("classes", ())) or 10

    @property
    def max_params(self) -> int | None:
        """The cap of the last run."""
        return self.attrs.get(MAX_PARAMS)

    @property
    def min_acc(self) -> float | None:
        """The accuracy asked for."""
        return self.attrs.get(MIN_ACC)

    @property
    def refused(self) -> Mapping[str, int]:
        """Proposals that never became trials, by reason."""
        return dict(self.attrs.get(REFUSED, {}))

    @cached_property
    def records(self) -> list[TrialRecord]:
        """Of every trial with an epoch."""
        return [record for t in self.trials if (record := read_record(t)) is not None]

    @property
    def finished(self) -> list[TrialRecord]:
        """Of those that ran to their end."""
        return [record for record in self.records if record.state == TrialState.COMPLETE]

    @property
    def front(self) -> list[TrialRecord]:
        """Smallest first."""
        return pareto_front(self.finished)

    @property
    def ledger(self) -> Ledger:
        """Where epochs and seconds went."""
        return ledger(self.trials, self.epochs)

    @property
    def claims(self) -> Mapping[str, str]:
        """What the report of the space measured on its own images."""
        return self.space.claims if self.space else {}

    def hand_made(self) -> list[Baseline]:
        """The report's networks and settings, with their sizes on images as they are here."""
        if self.space is None or self.objective == "latency":
            return []
        data = DataConfig(image_size=int(self.identity.get("image_size", 32)))

        def complete(config: TrainConfig) -> TrainConfig:
            return config.model_copy(update={"data": data})

        gate = Gate(complete, self.classes, None, objective=self.objective)
        return baselines(self.space, gate, "all")


def study_options(storage: str, name: str) -> str:
    """What commands need to find a study, as a shell reads it."""
    place = "" if storage == "studies.db" else f" --storage {shlex.quote(storage)}"
    return f"--study-name {shlex.quote(name)}{place}"


def view(storage: str, name: str) -> StudyView:
    """Raises UserError when there is no such study."""
    return view_of(load_study(storage, name), storage)


def view_of(study: optuna.Study, storage: str) -> StudyView:
    """Of an opened study."""
    attrs = study.user_attrs
    return StudyView(storage, study, study.get_trials(deepcopy=False), attrs, space_of(attrs))


def space_of(attrs: Mapping[str, Any]) -> Space | None:
    """The space of a study with these attributes, or None. A file that it names is run only if it
    is the very one that was searched: no database from somewhere else chooses what runs here."""
    reference, own = str(attrs.get(IDENTITY, {}).get("space", "")), attrs.get(SPACE_FILE)
    try:
        if own is not None:
            reference = own["path"]
            if fingerprint(Path(reference)) != own["fingerprint"]:
                return None
        return load_space(reference)
    except (OSError, UserError):
        return None
