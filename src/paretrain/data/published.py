"""Published image sets, under torchvision's names.

Addresses and check sums come from torchvision's classes. The module `formats` reads the files once.
After that the images lie in the cache as plain arrays.
"""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from paretrain.atomic import whole_or_not
from paretrain.cli import UserError
from paretrain.data.downloads import downloads_folder, fetch
from paretrain.data.formats import BatchFields, read_idx, read_mat
from paretrain.paths import cache_folder

Split = Literal["train", "test"]
Arrays = tuple[np.ndarray, np.ndarray, list[str]]
"""Images, uint8 (N, H, W) or (N, H, W, 3); labels (N) from 0; class names."""

_READER = 1
"""Version of the arrays. To be raised when the same files give other arrays than before."""


def arrays_file(name: str, split: Split, anew: bool = False) -> Path:
    """Return an .npz file with `images`, `labels` and `classes`, made from the files of this part.

    Only what is missing is downloaded. With `anew` the file is made again although there is one.
    Raises UserError when the files are not there and cannot be downloaded, or the cache cannot be
    written.
    """
    target = cache_folder() / f"{name}-{split}-{_READER}.npz"
    if anew or not target.exists():
        from torchvision import datasets  # slow to import, needed here only

        images, labels, classes = _READERS[name](getattr(datasets, name), split)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole_or_not(target) as partial, partial.open("wb") as file:
                np.savez(file, images=images, labels=labels.astype(np.int64), classes=classes)
        except OSError as error:
            raise UserError(
                f"cannot write {target}: {error.strerror}: free space or set PARETRAIN_CACHE to "
                "another folder"
            ) from None
    return target


def _cifar(kind: Any, split: Split) -> Arrays:
    archive = fetch([kind.url], downloads_folder(), kind.filename, kind.tgz_md5)
    images, labels = [], []
    with tarfile.open(archive) as tar:
        for member, _ in kind.train_list if split == "train" else kind.test_list:
            fields = BatchFields(_member(tar, f"{kind.base_folder}/{member}"))
            images.append(fields.array("data").reshape(-1, 3, 32, 32))
            labels += fields.numbers("labels") or fields.numbers("fine_labels")
        meta = BatchFields(_member(tar, f"{kind.base_folder}/{kind.meta['filename']}"))
    classes = meta.words(kind.meta["key"])
    return np.concatenate(images).transpose(0, 2, 3, 1), np.array(labels), classes


def _mnist(kind: Any, split: Split) -> Arrays:
    folder = downloads_folder() / kind.__name__ / "raw"
    prefix = "train" if split == "train" else "t10k"
    images, labels = (
        read_idx(fetch([mirror + file for mirror in kind.mirrors], folder, file, md5))
        for file, md5 in kind.resources
        if file.startswith(prefix)
    )
    return images, labels, list(kind.classes)


def _svhn(kind: Any, split: Split) -> Arrays:
    url, file, md5 = kind.split_list[split]
    images, labels = read_mat(fetch([url], downloads_folder(), file, md5))
    return images, labels % 10, list("0123456789")  # the file writes 10 for the digit 0


def _stl(kind: Any, split: Split) -> Arrays:
    archive = fetch([kind.url], downloads_folder(), kind.filename, kind.tgz_md5)
    with tarfile.open(archive) as tar:
        pixels = _member(tar, f"{kind.base_folder}/{split}_X.bin")
        labels = _member(tar, f"{kind.base_folder}/{split}_y.bin")
        classes = _member(tar, f"{kind.base_folder}/{kind.class_names_file}").decode().split()
    # The file stores images column by column.
    images = np.frombuffer(pixels, dtype=np.uint8).reshape(-1, 3, 96, 96).transpose(0, 3, 2, 1)
    return images, np.frombuffer(labels, dtype=np.uint8) - 1, classes


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None  # the check sum is right, so the member is a file
    return file.read()


_READERS: dict[str, Callable[[Any, Split], Arrays]] = {
    "CIFAR10": _cifar,
    "CIFAR100": _cifar,
    "MNIST": _mnist,
    "FashionMNIST": _mnist,
    "KMNIST": _mnist,
    "SVHN": _svhn,
    "STL10": _stl,
}
