"""Records learning curves of random networks of the built-in spaces, for the prior of a search.

    python -m benchmarks.record_prior --cifar10 FOLDER --clothing10 FOLDER --networks 25

Each of the tables in search/prior/tables is of one space and one data set. They grow in turn, one
network at a time, and are written after each, so the command may be ended at any moment; the same
command goes on from there. Network i of a table is what the sampler `random` proposes first with
the seed i, trained in this process with that seed. So tables can be made again, and two machines
can record the same one.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from paretrain.config import DataConfig
from paretrain.data.load import load_data
from paretrain.data.parts import ImageData
from paretrain.metric import guess_among
from paretrain.training import Training
from search.prior.table_file import SHIPPED, Header, Row, Table, read_table, write_table
from search.problem.constraints import Constraints
from search.problem.space import Space, load_space
from search.problem.target import Target
from search.sampling.proposer import Proposal, Proposer
from search.session.budget import Limits
from search.session.options import Options
from search.session.plan import settle

DATA = ("digits", "clothing10", "cifar10")


@dataclass(frozen=True)
class Setting:
    """How networks of a space are recorded: small enough for one core of a CPU."""

    space: str
    image_size: int
    per_class: int
    """Most training images of each class."""
    epochs: int
    max_params: int
    dearest: float
    """Highest cost of an epoch, as `Constraints.cost` counts it, that is trained."""


SETTINGS = (
    Setting("vgg_reduce", 16, 100, 10, 300_000, 1.0),
    Setting("from_scratch", 32, 50, 7, 200_000, 2.0),
    Setting("finetune", 16, 25, 7, 12_000_000, 3.0),
    Setting("data_scale", 16, 50, 7, 500_000, 1.0),
    Setting("resnet9", 16, 50, 7, 300_000, 1.5),
    Setting("compact", 16, 40, 7, 3_000_000, 1.5),
)


@dataclass(frozen=True)
class Recorder:
    """Makes the rows of one table."""

    setting: Setting
    space: Space
    images: ImageData
    constraints: Constraints

    @classmethod
    def of(cls, setting: Setting, source: str) -> "Recorder":
        """Load the images, as a search would that is given the same options."""
        space = load_space(setting.space)
        plan = settle(
            Options(
                space=space,
                data=DataConfig(source=source),
                limits=Limits(1, None, None, None),
                epochs=setting.epochs,
                image_size=setting.image_size,
                per_class=setting.per_class,
                max_params=setting.max_params,
                pretrained=False,
                threads=1,
                seed=0,
            ),
            None,
        )
        images = load_data(plan.data)
        return cls(setting, space, images, plan.constraints(images))

    def header(self, data: str) -> Header:
        """What all rows of the table have in common."""
        return Header(
            space=self.setting.space,
            data=data,
            classes=len(self.images.classes),
            chance=guess_among("acc", len(self.images.classes)),
            epochs=self.setting.epochs,
            image_size=self.setting.image_size,
            training_images=len(self.images.train),
            validation_images=len(self.images.val),
            max_params=self.setting.max_params,
        )

    def proposal(self, seed: int) -> Proposal:
        """The first random proposal of this seed that is not too dear."""
        target = Target(guess_among("acc", len(self.images.classes)))
        proposer = Proposer(self.space.suggest, self.constraints, "random", seed, target)
        while True:
            proposal = proposer.propose()
            if self.constraints.cost(proposal.config) <= self.setting.dearest:
                return proposal

    def row(self, seed: int) -> Row:
        """Train network number `seed`."""
        proposal = self.proposal(seed)
        config = proposal.config.model_copy(update={"seed": seed})
        started = time.perf_counter()
        results = list(Training(config, self.images, torch.device("cpu")).epochs())
        return Row(
            params=self.constraints.params(config),
            macs=self.constraints.macs(config),
            val_acc=tuple(round(result.score, 4) for result in results),
            one_class=sum(result.health == "one class" for result in results),
            diverged=results[-1].health == "diverged",
            config=_without_weights(proposal.params),
            seconds=round(time.perf_counter() - started, 1),
        )


def _without_weights(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters as they acted: no network has published weights, whatever was drawn."""
    acted = {name: value for name, value in params.items() if name != "frozen"}
    if "weights" in acted:
        acted["weights"] = "none"
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in acted.items()
    }


def record(folder: Path, sources: dict[str, str], networks: int) -> None:
    """Let every table grow to so many networks, the one with the fewest first."""
    recorders: dict[tuple[str, str], Recorder] = {}
    tables: dict[tuple[str, str], Table] = {}
    for setting in SETTINGS:
        for data, source in sources.items():
            key = (setting.space, data)
            recorder = recorders[key] = Recorder.of(setting, source)
            path = folder / f"{setting.space}-{data}.jsonl.gz"
            tables[key] = read_table(path) if path.exists() else Table(recorder.header(data), ())
    while True:
        key = min(tables, key=lambda key: len(tables[key].rows))
        if len(tables[key].rows) >= networks:
            return
        row = recorders[key].row(len(tables[key].rows))
        tables[key] = Table(tables[key].header, (*tables[key].rows, row))
        write_table(folder / f"{'-'.join(key)}.jsonl.gz", tables[key])
        count = len(tables[key].rows)
        print(f"{'-'.join(key)} {count}: {row.val_acc[-1]:.3f}, {row.seconds} s", flush=True)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=25, help="Networks of each table.")
    parser.add_argument("--folder", type=Path, default=SHIPPED, help="Where the tables are.")
    for data in DATA[1:]:
        parser.add_argument(f"--{data}", help="Folder of its images; left out without.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    given = {data: getattr(options, data, "digits") for data in DATA}
    sources = {data: source for data, source in given.items() if source}
    record(options.folder, sources, options.networks)


if __name__ == "__main__":
    main()
