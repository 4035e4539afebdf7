"""Images are shown at their own size unless they are large."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from paretrain.config import DataConfig
from paretrain.data.native import native_side
from search.session.plan import CPU_SIZE, Plan, settle

MakePlan = Callable[..., Plan]
FolderMaker = Callable[..., Path]


def on_cpu(plan: MakePlan, root: Path) -> Plan:
    return replace(
        plan("vgg_reduce"), data=DataConfig(source=str(root)), device=torch.device("cpu")
    )


def test_the_native_side_is_the_median_shorter_side_of_what_can_be_read(
    image_folder: FolderMaker,
) -> None:
    root = image_folder(size=(50, 40), train=6)
    (root / "train/cat/000.png").write_bytes(b"no image")
    assert native_side(DataConfig(source=str(root))) == 40
    for path in (root / "train").rglob("*.png"):
        path.write_bytes(b"no image")
    assert native_side(DataConfig(source=str(root))) is None
    assert native_side(DataConfig(source="digits")) is None


@pytest.mark.parametrize(
    ("size", "chosen", "why"),
    [
        ((300, 200), CPU_SIZE, "default for a CPU"),
        ((50, 40), 40, "their own size"),
        ((20, 16), 32, "their own is 16"),
    ],
)
def test_small_images_are_not_enlarged(
    image_folder: FolderMaker, plan: MakePlan, size: tuple[int, int], chosen: int, why: str
) -> None:
    settled = settle(on_cpu(plan, image_folder(size=size)), None, {})
    assert settled.data.image_size == chosen
    assert any(f"images at {chosen}x{chosen} ({why}" in note for note in settled.notes)


def test_a_size_that_was_given_or_is_stored_stays(
    image_folder: FolderMaker, plan: MakePlan
) -> None:
    small = on_cpu(plan, image_folder(size=(20, 16)))
    assert settle(small, None, {"image_size": 48}).data.image_size == 48
    assert settle(small, {"image_size": 64}, {}).data.image_size == 64
