"""Reads files of torch.save: no code of theirs runs, and nothing in them grows when it is read."""

import mmap
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import torch

from paretrain.paths import is_file


def read_tensors(path: Path, device: torch.device | str = "cpu", old: bool = False) -> Any:
    """Return what torch.save wrote: tensors, numbers, text and containers of them.

    `old` allows files from before torch 1.6, which have no check sums. Raises OSError when the file
    cannot be read, ValueError when it is damaged, or holds anything else.
    """
    if path.exists() and not is_file(path):
        raise ValueError("it is no file")
    try:
        if zipfile.is_zipfile(path):
            _check_members(path)
        elif not old:
            path.open("rb").close()  # a missing file is told as such
            raise ValueError("it is no whole file of torch.save")
        else:
            _check_old(path)
        return torch.load(path, map_location=device, weights_only=True)
    except (OSError, ValueError):
        raise
    except Exception as error:  # torch raises whatever the damaged bytes happen to look like
        cause = " ".join(str(error).split())[:120]
        raise ValueError(f"{type(error).__name__}: {cause}") from None


HEAD = 3
"""Pickles before that of the tensors: a mark, the version, the machine."""


def _check_old(path: Path) -> None:
    """Raise ValueError where a file from before torch 1.6 names sizes that it cannot hold.

    torch takes the memory for a tensor before it reads its numbers. Nothing is executed here.
    """
    size = path.stat().st_size
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        for _ in range(HEAD):
            for _ in pickletools.genops(content):  # type: ignore[arg-type]
                pass
        total, before = 0, False
        for code, value, _ in pickletools.genops(content):  # type: ignore[arg-type]
            if before and "PUT" in code.name:
                raise ValueError("it stores a number for later, which torch.save does not do")
            before = isinstance(value, int) and code.name not in _NO_NUMBERS
            if before and isinstance(value, int):
                total += abs(value)
        # Numbers of a tensor, its shape and its strides, at one byte each or more.
        if total > 4 * size + 1_000_000:
            raise ValueError(f"it names {total:,} numbers, but has {size:,} bytes")


_NO_NUMBERS = {
    *("PROTO", "FRAME", "GET", "BINGET", "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT"),
    *("EXT1", "EXT2", "EXT4"),
}
"""Operations of a pickle whose argument is no value of what it holds."""


def _check_members(path: Path) -> None:
    """Raise ValueError for members that are compressed, share their bytes, or are damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            # torch.save compresses nothing, so that what unpacks to gigabytes is somebody's making.
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise ValueError("it is compressed, which torch.save does not do")
            if sum(member.file_size for member in members) > path.stat().st_size:
                raise ValueError("its members are larger than the file")
            if len({member.filename for member in members}) < len(members):
                raise ValueError("it holds two members of the same name")
            if broken := archive.testzip():
                raise ValueError(f"its member {broken} is damaged")
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"it is damaged ({error})") from None
