"""The own size of a folder's images."""

from collections.abc import Callable
from pathlib import Path

from paretrain.config import DataConfig
from paretrain.data.load import load_data
from paretrain.data.native import native_side

FolderMaker = Callable[..., Path]


def test_the_native_side_is_the_median_shorter_side_of_what_can_be_read(
    image_folder: FolderMaker,
) -> None:
    root = image_folder(size=(50, 40), train=6)
    (root / "train/cat/000.png").write_bytes(b"no image")
    config = DataConfig(source=str(root), image_size=16, skip_broken=True)
    assert native_side(config) == load_data(config).native_side == 40
    for path in (root / "train").rglob("*.png"):
        path.write_bytes(b"no image")
    assert native_side(DataConfig(source=str(root))) is None
    assert native_side(DataConfig(source="digits")) is None
