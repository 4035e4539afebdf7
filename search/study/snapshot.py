"""What a study holds, read once, for everything that shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from paretrain.config import Metric
from paretrain.data.names import short_name
from paretrain.result.places import from_here, handed_over
from search.problem.chance import Chance
from search.problem.description import DescribedBaseline, SpaceDescription, describe_space
from search.problem.front import pareto_front
from search.problem.known_spaces import known_space
from search.problem.objective import OBJECTIVES, Objective
from search.problem.space import Space, built_in_spaces, load_space
from search.study import attributes as attr
from search.study.checked_storage import damage_of
from search.study.images import read_chance
from search.study.ledger import Ledger, ledger
from search.study.metric import metric_of
from search.study.owner import Beat, at_work
from search.study.records import TrialRecord, read_record
from search.study.storage import Given, load_study
from search.study.storage_url import StorageUrl

if TYPE_CHECKING:
    from search.problem.constraints import Constraints


@dataclass(frozen=True)
class StudySnapshot:
    """One reading of a study; nothing in it changes while it is shown."""

    storage: StorageUrl
    study: optuna.Study
    trials: list[FrozenTrial]
    attrs: Mapping[str, Any]
    damage: Sequence[str] = ()
    """What could not be read, a line each."""
    private: bool = True
    """Whether only its owner looks at it, so that paths may be shown."""

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.study.study_name

    @property
    def options(self) -> tuple[str, ...]:
        """The words with which a command finds it."""
        return study_options(self.storage, self.name)

    @property
    def space_options(self) -> tuple[str, str]:
        """The words with which a command searches the same space."""
        name = str(self.identity.get("space", ""))
        if self.space is None:  # to copy a command is to trust the file that it names
            return "--space", f"PATH/TO/{Path(name).stem}.py"
        if self._space_file is None:
            return "--space", name
        return "--space", self.place(str(self.space.path))

    def place(self, path: str) -> str:
        """A path as it may be shown."""
        return from_here(path) if self.private else handed_over(path)

    def handed_over(self) -> StudySnapshot:
        """The same for what is passed on: folders of this machine are left out."""
        return replace(self, storage=self.storage.handed_over(), private=False)

    @property
    def identity(self) -> Mapping[str, Any]:
        """Space, data, epochs and objectives."""
        return dict(self.attrs.get(attr.IDENTITY, {}))

    @property
    def running(self) -> bool:
        """Whether a search goes on in it."""
        return bool(self.coordinators)

    @property
    def coordinators(self) -> list[Beat]:
        """The last signs of life of those who run it."""
        return at_work(self.attrs)

    @property
    def objective(self) -> Objective:
        """What is to be small."""
        return objective_of(self.identity)

    @property
    def metric(self) -> Metric:
        """What is meant by accuracy."""
        return metric_of(self.identity)

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
        known = {record.number: record for record in self.finished}
        read = (known.get(trial.number) or read_record(trial) for trial in self.trials)
        return [record for record in read if record is not None]

    @cached_property
    def finished(self) -> list[TrialRecord]:
        """Trials that ran to their end."""
        ended = (trial for trial in self.trials if trial.state == TrialState.COMPLETE)
        return [record for trial in ended if (record := read_record(trial)) is not None]

    @cached_property
    def chance(self) -> Chance:
        """What guessing gives on the validation images."""
        return read_chance(self.attrs, self.trials)

    @cached_property
    def finds(self) -> list[TrialRecord]:
        """Finished trials that beat chance."""
        return self.chance.finds(self.finished)

    @cached_property
    def front(self) -> list[TrialRecord]:
        """The Pareto front of the finds, smallest first."""
        return pareto_front(self.finds)

    @cached_property
    def ledger(self) -> Ledger:
        """Where epochs and seconds went."""
        return ledger(self.trials, self.epochs, searching=self.running)

    @property
    def _space_file(self) -> Mapping[str, Any] | None:
        """Path and fingerprint of the space's file; None for a built-in space."""
        return self.attrs.get(attr.SPACE_FILE)

    @cached_property
    def space(self) -> Space | None:
        """The space, whose code has been run: one of the program's own, or a file of this very
        content that this user has searched with. Never what only the database names."""
        if self._space_file is not None:
            return known_space(str(self._space_file.get("fingerprint", "")))
        name = str(self.identity.get("space", ""))
        return load_space(name) if name in built_in_spaces() else None

    @cached_property
    def description(self) -> SpaceDescription:
        """What is shown of the space. That of a file was stored with the study; earlier versions
        stored none, and then it is that of `space`."""
        stored = self.attrs.get(attr.DESCRIPTION)
        if stored is not None and self._space_file is not None:
            return SpaceDescription.model_validate(stored)
        if self.space is None:
            return SpaceDescription(name=str(self.identity.get("space", "")))
        return describe_space(self.space, self.constraints())

    @property
    def left_out(self) -> str:
        """Why nothing is shown of the space; empty where it is."""
        described = self._space_file is not None and attr.DESCRIPTION in self.attrs
        if described or attr.IDENTITY not in self.attrs or self.space is not None:
            return ""
        return (
            f"The file of space '{self.identity.get('space', '')}' is not run, because you have "
            "not searched with it as it is now, and the study does not describe it: its summary, "
            "claims and questions are left out"
        )

    @property
    def claims(self) -> Mapping[str, str]:
        """What the course report of the space measured on its own images. Its accuracies say
        nothing of another metric."""
        return self.description.claims if self.metric == "acc" else {}

    @property
    def claims_fit(self) -> bool:
        """Whether the claims were measured on this study's images, as far as the space says."""
        images = short_name(str(self.attrs.get(attr.PROVENANCE, {}).get("data", "")))
        return bool(images) and self.description.claims_on == images

    def constraints(self) -> Constraints:
        """No limits: what sizes networks have on images as they are here."""
        from search.problem.constraints import Constraints  # counts networks, which takes torch

        image_size = int(self.identity.get("image_size", 32))
        return Constraints.of_images(self.classes, image_size, self.objective)

    def baselines(self) -> list[DescribedBaseline]:
        """All baselines of the space that have a size. Latencies cannot be known without measuring,
        so there are none with that objective."""
        return [] if self.objective == "latency" else list(self.description.baselines)


def objective_of(identity: Mapping[str, Any]) -> Objective:
    """What is to be small in a study with this identity."""
    named = [*identity.get("objectives", ()), "", ""][1].split(" ")[0]
    return next((known for known in OBJECTIVES if known == named), "params")


def study_options(storage: StorageUrl, name: str) -> tuple[str, ...]:
    """The words that commands need to find a study."""
    return ("--study-name", name, *storage.options)


def read_snapshot(storage: Given, name: str) -> StudySnapshot:
    """Raises UserError when there is no such study."""
    return snapshot_of(load_study(storage, name), storage)


def snapshot_of(study: optuna.Study, storage: Given) -> StudySnapshot:
    """Read an opened study."""
    damage = damage_of(study)
    trials = study.get_trials(deepcopy=False)
    return StudySnapshot(StorageUrl.of(storage), study, trials, study.user_attrs, damage)
