"""Trains repetitions of a study's trials, and keeps what comes of them with the study."""

import sys
from collections.abc import Sequence

import optuna
import torch

from paretrain.cli import UserError
from paretrain.data.load import load_data
from paretrain.device import device_name, refuse_foreign_precision
from paretrain.doing import Doing
from paretrain.formatting import count_of, duration
from paretrain.interruption import interruptible
from paretrain.screen import Screen
from search.session.repeating import Repeating, Repetition
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
from search.study.provenance import checkpoint_folder
from search.study.repeats import Repeat, as_attribute
from search.study.sharing import SharedWriter
from search.study.storage import refuse_damaged_settings, say
from search.study.storage_url import StorageUrl
from search.workers.devices import worker_devices
from search.workers.pool import WorkerPool


def train_repetitions(
    study: optuna.Study,
    repetitions: Sequence[Repetition],
    storage: StorageUrl,
    workers: int,
    device: torch.device,
) -> int:
    """Returns how many failed. KeyboardInterrupt leaves checkpoints to go on from. Raises
    UserError when the images have changed, or the device does not compute as the study did."""
    refuse_damaged_settings(study)
    config = repetitions[0].record.config
    images = where_they_are(study, config.data)
    refuse_lost(study, images)
    refuse_foreign_precision(config.precision, device, "the study was trained", "it ran on")
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
    seconds = sum(repetition.record.seconds for repetition in repetitions) / workers
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
        for key in signs(study.user_attrs):  # of lost ones, which may wake: they write no more
            study.set_user_attr(key, None)
        study.set_user_attr(OWNER, beat())
        say(settle(study, storage, SharedWriter(study, {}, owned=True)))
        print(
            f"{len(repetitions)} trainings, about {duration(seconds)}; {device_name(device)}, "
            f"{workers} x {count_of(threads, 'thread')}",
            file=sys.stderr,
        )
        with (
            released_at_the_end(study),
            WorkerPool(worker_devices(device, workers), threads) as pool,
        ):
            return Repeating(
                [each.on(images) for each in repetitions],
                pool,
                checkpoint_folder(study),
                keep,
                show_life,
                Screen(stderr=True),
            ).run()
