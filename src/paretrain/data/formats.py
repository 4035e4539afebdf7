"""Readers of the files of published image sets. None of them runs code from a file."""

import gzip
import pickletools
import struct
from pathlib import Path

import numpy as np

_BATCH_KEYS = {
    "batch_label",
    "coarse_label_names",
    "coarse_labels",
    "data",
    "filenames",
    "fine_label_names",
    "fine_labels",
    "label_names",
    "labels",
    "num_cases_per_batch",
    "num_vis",
}
_VALUES = {"BININT", "BININT1", "BININT2", "BINSTRING", "SHORT_BINSTRING", "BINUNICODE"}


class BatchFields:
    """The values of a CIFAR batch, which is a pickled dictionary.

    The pickle is never executed but read as tokens: no name in it is looked up, nothing is called.
    Each string and number is noted under the last dictionary key before it. These files need no
    more.
    """

    def __init__(self, content: bytes) -> None:
        self._fields: dict[str, list[str | int]] = {}
        current: list[str | int] = []
        for opcode, value, _ in pickletools.genops(content):
            if opcode.name not in _VALUES or not isinstance(value, str | int):
                continue
            if value in _BATCH_KEYS:
                current = self._fields.setdefault(str(value), [])
            else:
                current.append(value)

    def numbers(self, key: str) -> list[int]:
        """Return the whole numbers under a key; [] where there is no such key."""
        return [value for value in self._fields.get(key, []) if isinstance(value, int)]

    def words(self, key: str) -> list[str]:
        """Return the strings under a key; [] where there is no such key."""
        return [value for value in self._fields.get(key, []) if isinstance(value, str)]

    def array(self, key: str) -> np.ndarray:
        """Return the bytes of the array under a key, uint8 (N): they are its longest string."""
        return np.frombuffer(max(self.words(key), key=len).encode("latin-1"), dtype=np.uint8)


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of bytes, as MNIST has them: uint8 in the shape of its header.

    Raises ValueError for another kind of file.
    """
    content = gzip.decompress(path.read_bytes())
    zero, kind, dimensions = struct.unpack_from(">HBB", content)
    if zero != 0 or kind != 8:
        raise ValueError(f"{path} is no IDX file of bytes")
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    return np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read images, uint8 (N, H, W, 3), and labels (N) of one of SVHN's MATLAB files."""
    from scipy.io import loadmat  # slow to import, needed for this format only

    fields = loadmat(path)
    return fields["X"].transpose(3, 0, 1, 2), fields["y"].ravel()
