"""Published files. They are downloaded at first use and checked against their published MD5."""

import contextlib
import http.client
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from paretrain.cli import UserError
from paretrain.paths import cache_folder

TIMEOUT_S = 30
"""Seconds without an answer after which a server counts as out of reach."""


def downloads_folder() -> Path:
    """Return $PARETRAIN_DATA, or torchvision/ in the cache folder.

    Its layout is torchvision's, so that a folder that torchvision has filled can be used.
    """
    if chosen := os.environ.get("PARETRAIN_DATA"):
        return Path(chosen)
    return cache_folder() / "torchvision"


def fetch(urls: Sequence[str], folder: Path, filename: str, md5: str) -> Path:
    """Return the file in that folder. Where it is missing or damaged, download it first.

    The first address that answers is used. A download that fails leaves nothing behind. Raises
    UserError with the addresses that were tried and the folder in which the file can be placed.
    """
    from torchvision.datasets.utils import check_integrity, download_url

    target = folder / filename
    damaged = target.exists()
    if damaged and check_integrity(target, md5):
        return target
    new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
    tried = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for url in urls:
            try:
                with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial:
                    with _impatient():
                        download_url(url, partial, filename, md5)
                    (Path(partial) / filename).replace(target)
                return target
            except (OSError, RuntimeError, ValueError, http.client.HTTPException) as error:
                tried.append(f"{url} ({error})")
    except OSError as error:
        raise UserError(
            f"cannot make folder {folder}: {error.strerror}: set PARETRAIN_DATA to another folder"
        ) from None
    for path in new_folders:
        with contextlib.suppress(OSError):
            path.rmdir()
    state = " (the file there is damaged)" if damaged else ""
    raise UserError(
        f"cannot download {filename}: tried {', '.join(tried)}: connect to the network, or place "
        f"the file with MD5 {md5} in {folder}{state}"
    )


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    """Let connections in the block give up after TIMEOUT_S."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
