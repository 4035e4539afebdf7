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
from search.problem.baselines import Baseline, load_baselines
from search.problem.constraints import Constraints
from search.problem.front import pareto_front
from search.problem.objective import OBJECTIVES, Objective
from search.problem.space import Space, fingerprint, load_space
from search.study import attributes as attr
from search.study.ledger import Ledger, ledger
from search.study.owner import STALE_AFTER_S
from search.study.records import TrialRecord, read_record
from search.study.storage import load_study


@dataclass(frozen=True)
class StudySnapshot:
    """One reading of a study; nothing in it changes while it is shown."""

    storage: str
    study: optuna.Study
    trials: list[FrozenTrial]
    attrs: Mapping[str, Any]
    space: Space | None
    """None where its file is no longer there, or is another one now."""

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.study.study_name

    @property
    def options(self) -> str:
        """The options with which a command finds it."""
        return study_options(self.storage, self.name)

    @property
    def space_option(self) -> str:
        """The option with which a command searches the same space."""
        own = self.attrs.get(attr.SPACE_FILE)
        if own is None:
            return f"--space {self.identity.get('space', '')}"
        path = Path(own["path"])
        if path.is_relative_to(Path.cwd()):
            path = path.relative_to(Path.cwd())
        return f"--space {shlex.quote(str(path))}"

    @property
    def identity(self) -> Mapping[str, Any]:
        """Space, data, epochs and objectives."""
        return dict(self.attrs.get(attr.IDENTITY, {}))

    @property
    def running(self) -> bool:
        """Whether its coordinator gives signs of life."""
        last = self.attrs.get(attr.OWNER)
        return last is not None and time.time() - float(last["time"]) < STALE_AFTER_S

    @property
    def objective(self) -> Objective:
        """What is to be small."""
        return objective_of(self.identity)

    @property
    def epochs(self) -> int:
        """Epochs of a trial that is not stopped."""
        return int(self.identity.get("epochs", 0))

    @property
    def classes(self) -> int:
        """Number of them."""
        counts = (
            len(trial.user_attrs[attr.PER_CLASS])
            for trial in self.trials
            if attr.PER_CLASS in trial.user_attrs
        )
        named = self.attrs.get(attr.PROVENANCE, {}).get("classes", ())
        return next(counts, 0) or len(named) or 10

    @property
    def max_params(self) -> int | None:
        """The limit on parameters of the last run."""
        return self.attrs.get(attr.MAX_PARAMS)

    @property
    def min_acc(self) -> float | None:
        """The accuracy asked for."""
        return self.attrs.get(attr.MIN_ACC)

    @property
    def refused(self) -> Mapping[str, int]:
        """Proposals that never became trials, by reason."""
        return dict(self.attrs.get(attr.REFUSED, {}))

    @cached_property
    def records(self) -> list[TrialRecord]:
        """Every trial with an epoch."""
        return [record for t in self.trials if (record := read_record(t)) is not None]

    @property
    def finished(self) -> list[TrialRecord]:
        """Trials that ran to their end."""
        return [record for record in self.records if record.state == TrialState.COMPLETE]

    @property
    def front(self) -> list[TrialRecord]:
        """The Pareto front, smallest first."""
        return pareto_front(self.finished)

    @property
    def ledger(self) -> Ledger:
        """Where epochs and seconds went."""
        return ledger(self.trials, self.epochs)

    @property
    def claims(self) -> Mapping[str, str]:
        """What the course report of the space measured on its own images."""
        return self.space.claims if self.space else {}

    def constraints(self) -> Constraints:
        """No limits: what sizes networks have on images as they are here."""
        image_size = int(self.identity.get("image_size", 32))
        return Constraints.of_images(self.classes, image_size, self.objective)

    def baselines(self) -> list[Baseline]:
        """All baselines of the space. Latencies cannot be known without measuring, so there are
        none with that objective."""
        if self.space is None or self.objective == "latency":
            return []
        return load_baselines(self.space, self.constraints(), "all")


def objective_of(identity: Mapping[str, Any]) -> Objective:
    """What is to be small in a study with this identity."""
    named = [*identity.get("objectives", ()), "", ""][1].split(" ")[0]
    return next((known for known in OBJECTIVES if known == named), "params")


def study_options(storage: str, name: str) -> str:
    """What commands need to find a study, as a shell reads it."""
    place = "" if storage == "studies.db" else f" --storage {shlex.quote(storage)}"
    return f"--study-name {shlex.quote(name)}{place}"


def read_snapshot(storage: str, name: str) -> StudySnapshot:
    """Raises UserError when there is no such study."""
    return snapshot_of(load_study(storage, name), storage)


def snapshot_of(study: optuna.Study, storage: str) -> StudySnapshot:
    """Read an opened study."""
    attrs = study.user_attrs
    return StudySnapshot(storage, study, study.get_trials(deepcopy=False), attrs, space_of(attrs))


def space_of(attrs: Mapping[str, Any]) -> Space | None:
    """The space of a study with these attributes, or None. A file that it names is run only if it
    is the very one that was searched: no database from somewhere else chooses what runs here."""
    reference = str(attrs.get(attr.IDENTITY, {}).get("space", ""))
    own = attrs.get(attr.SPACE_FILE)
    try:
        if own is not None:
            reference = own["path"]
            if fingerprint(Path(reference)) != own["fingerprint"]:
                return None
        return load_space(reference)
    except (OSError, UserError):
        return None
