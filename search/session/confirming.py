"""Trains repetitions of a study's trials, and keeps what comes of them with the study."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import optuna
import torch

from paretrain.cli import UserError
from paretrain.config import TrainConfig
from paretrain.data.load import load_data
from paretrain.device import device_name, refuse_foreign_precision
from paretrain.doing import Doing
from paretrain.formatting import count_of, duration
from paretrain.interruption import interruptible
from paretrain.screen import Screen
from search.problem.option_words import EngineName
from search.session.engine import Wanted, cluster_notes, cluster_workers
from search.session.repeating import Repeating, Repetition
from search.session.weights import digests_of
from search.study.attributes import OWNER, PROVENANCE, THREADS
from search.study.copies import settle
from search.study.database_file import DatabaseFile, make_whole
from search.study.image_place import refuse_lost, where_they_are
from search.study.owner import (
    beat,
    refuse_if_owned,
    refuse_unless_owned,
    released_at_the_end,
    renew,
    signs,
    sole_owner,
)
from search.study.provenance import checkpoint_folder, running_folder
from search.study.repeats import Repeat, as_attribute
from search.study.sharing import SharedWriter
from search.study.storage import refuse_damaged_settings, say
from search.study.storage_url import StorageUrl
from search.workers.devices import worker_devices
from search.workers.engine import Pool
from search.workers.pool import WorkerPool


@dataclass(frozen=True)
class Workers:
    """Who trains."""

    number: int
    device: torch.device
    engine: EngineName = "local"
    ray_address: str | None = None
    """Of the cluster; None = that which this machine belongs to."""
    checkpoints: str | None = None
    """Folder for the state of trainings; None = in the cache."""


def train_repetitions(
    study: optuna.Study, repetitions: Sequence[Repetition], storage: StorageUrl, workers: Workers
) -> int:
    """Returns how many failed. KeyboardInterrupt leaves checkpoints to go on from. Raises
    UserError when the images have changed, the workers cannot begin, or the device does not compute
    as the study did."""
    refuse_damaged_settings(study)
    config = repetitions[0].record.config
    images = where_they_are(study, config.data)
    refuse_lost(study, images)
    refuse_foreign_precision(config.precision, workers.device, "the study was trained", "it ran on")
    fingerprint = study.user_attrs.get(PROVENANCE, {}).get("data_fingerprint")
    with Doing(Screen(stderr=True), "loading images"):
        found = load_data(images).fingerprint
    if found != fingerprint:
        raise UserError(
            f"the images of {images.source} have changed since the search: put back those "
            "that it used, or search anew"
        )
    threads = int(study.user_attrs.get(THREADS, 1))
    checkpoint_folder(study)  # refuses
    seconds = sum(repetition.record.seconds for repetition in repetitions) / workers.number
    repetitions = [each.on(images) for each in repetitions]
    file = DatabaseFile(storage)

    def keep(repeat: Repeat) -> None:
        study.set_user_attr(*as_attribute(repeat))
        make_whole(study)
        file.refuse_if_moved()

    def show_life() -> None:
        if not renew(study):
            refuse_unless_owned(study.study_name, study.user_attrs)
        file.refuse_if_moved()

    with sole_owner(storage, study.study_name), interruptible():
        refuse_if_owned(study.study_name, study.user_attrs)
        begun = _begun(workers, [each.config for each in repetitions], found, threads)
        with released_at_the_end(study), begun as pool:
            refuse_if_owned(study.study_name, study.user_attrs)  # a cluster may take long
            for key in signs(study.user_attrs):  # of lost ones, which may wake: they write no more
                study.set_user_attr(key, None)
            study.set_user_attr(OWNER, beat())
            writer = SharedWriter(study, {}, owned=True)
            say(settle(study, storage, writer))
            if workers.checkpoints is not None:
                say(writer.keep_checkpoints_in(workers.checkpoints))
            print(
                f"{len(repetitions)} trainings, about {duration(seconds)}; "
                f"{device_name(workers.device)}, {workers.number} x {count_of(threads, 'thread')}",
                file=sys.stderr,
            )
            return Repeating(
                repetitions,
                pool,
                checkpoint_folder(study, workers.checkpoints),
                keep,
                show_life,
                Screen(stderr=True),
            ).run()


@contextlib.contextmanager
def _begun(
    workers: Workers, configs: Sequence[TrainConfig], fingerprint: str, threads: int
) -> Iterator[Pool]:
    """The workers, all of which have the images with this fingerprint."""
    if workers.engine == "local":
        devices = worker_devices(workers.device, workers.number)
        with WorkerPool(devices, threads) as pool:
            yield pool
        return
    from search.workers.cluster.pool import Needs

    weights_dir = next((c.start.weights_dir for c in configs if c.start.pretrained), None)
    needs = Needs(
        data=configs[0].data,
        fingerprint=fingerprint,
        checkpoints=running_folder(workers.checkpoints),
        must_be_shared=workers.checkpoints is not None,
        weights=digests_of(configs, weights_dir),
        weights_dir=weights_dir,
    )
    wanted = Wanted(workers.device, workers.number, threads, threads_fixed=True)
    address = workers.ray_address
    with cluster_workers(wanted, address, needs, lambda text: say([text])) as (share, cluster):
        say(cluster_notes(cluster, workers.number, share.gpus))
        yield cluster
