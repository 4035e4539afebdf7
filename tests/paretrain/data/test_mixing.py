"""Erasing, mixup and CutMix of a whole batch are torchvision's on each image."""

import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from paretrain.config import AugmentConfig
from paretrain.data.mixing import cutmix, draw_boxes, draw_shares, erase, mix, mixup, partners

CPU = torch.device("cpu")


def some_images(count: int, side: int) -> Tensor:
    return torch.randn(count, 3, side, side, generator=Generator().manual_seed(side))


def reference(name: str, **options: Any) -> Any:
    from torchvision.transforms import v2

    return getattr(v2, name)(**options)


@pytest.mark.parametrize("side", [8, 33])
def test_erased_pixels_are_those_that_torchvision_erases(side: int) -> None:
    from torchvision.transforms.v2 import functional

    images, count = some_images(40, side), 40
    boxes, fits = draw_boxes(count, side, side, Generator().manual_seed(3), CPU)
    mask = boxes.mask(side, side)
    for i in range(count):
        top, left = int(boxes.top[i]), int(boxes.left[i])
        tall, wide = int(boxes.bottom[i]) - top, int(boxes.right[i]) - left
        assert 0 <= top <= side - tall and 0 <= left <= side - wide and fits[i]
        erased = functional.erase(images[i], top, left, tall, wide, torch.zeros(1, 1, 1))
        assert torch.equal(images[i].masked_fill(mask[i], 0), erased)


def test_boxes_are_drawn_as_torchvision_draws_them() -> None:
    side, count = 32, 2000
    drawn = reference("RandomErasing", p=1.0)
    torch.manual_seed(0)
    image = torch.zeros(3, side, side)
    rows = [drawn.make_params([image]) for _ in range(count)]
    theirs = torch.tensor([[row[name] for name in "hwij"] for row in rows]).double()
    boxes, _ = draw_boxes(count, side, side, Generator().manual_seed(0), CPU)
    ours = torch.stack(
        [boxes.bottom - boxes.top, boxes.right - boxes.left, boxes.top, boxes.left], 1
    ).double()
    for mine, other in ((ours, theirs), (areas(ours), areas(theirs))):
        error = ((mine.var(0) + other.var(0)) / count).sqrt()
        assert ((mine.mean(0) - other.mean(0)).abs() < 4 * error).all()
        assert torch.allclose(mine.std(0), other.std(0), rtol=0.15)


def areas(boxes: Tensor) -> Tensor:
    """(B, 1): height times width."""
    return boxes[:, :1] * boxes[:, 1:2]


def test_so_many_images_lose_a_rectangle_and_the_others_nothing() -> None:
    images = some_images(2000, 8)
    changed = erase(images.clone(), AugmentConfig(erase=0.25), Generator().manual_seed(0))
    gone = (changed != images).flatten(1).any(1)
    assert 420 < int(gone.sum()) < 580  # 500 expected, 4 standard deviations are 77
    assert (changed[changed != images] == 0).all()
    draws = Generator().manual_seed(0)
    before = draws.get_state()
    assert erase(images, AugmentConfig(), draws) is images
    assert mix(images, AugmentConfig(), draws) is None and torch.equal(draws.get_state(), before)


@pytest.mark.parametrize("kind", ["erase", "mixup", "cutmix"])
def test_the_layout_stays_that_in_which_networks_are_fastest(kind: str) -> None:
    images = some_images(8, 80).contiguous(memory_format=torch.channels_last)
    augment, draws = AugmentConfig().model_copy(update={kind: 0.5}), Generator().manual_seed(0)
    changed = erase(images.clone(), augment, draws)
    if (mixed := mix(changed, augment, draws)) is not None:
        changed = mixed.images
    assert not torch.equal(changed, images)
    assert changed.is_contiguous(memory_format=torch.channels_last)


def test_mixup_is_torchvisions() -> None:
    # Larger than what is computed at once.
    images, shares = some_images(6, 200), torch.tensor([0.0, 1.0, 0.3, 0.5, 0.75, 0.9])
    mixed = mixup(images, shares)
    theirs = reference("MixUp", num_classes=10)
    for i, share in enumerate(shares.tolist()):
        labels = torch.arange(6)
        given = {"labels": labels, "batch_size": 6, "lam": share}
        assert torch.allclose(mixed.images[i], theirs.transform(images, given)[i], atol=1e-6)
    assert torch.equal(mixed.share, shares)
    assert partners(torch.arange(3)).tolist() == [2, 0, 1]


def test_cutmix_is_torchvisions_pixel_for_pixel() -> None:
    side, count = 12, 40
    images = some_images(count, side)
    shares = torch.rand(count, generator=Generator().manual_seed(1))
    theirs = reference("CutMix", num_classes=10)
    places, expected, left = [], [], []
    for i in range(count):
        theirs._dist = type("Fixed", (), {"sample": lambda _, shape, i=i: shares[i]})()
        torch.manual_seed(i)
        given = theirs.make_params([images])
        torch.manual_seed(i)
        column, row = int(torch.randint(side, (1,))), int(torch.randint(side, (1,)))
        places.append(((row + 0.5) / side, (column + 0.5) / side))
        given |= {"labels": torch.arange(count) % 10, "batch_size": count}
        expected.append(theirs.transform(images, given)[i])
        left.append(given["lam_adjusted"])
    down, along = torch.tensor(places).T
    mixed = cutmix(images, shares, down, along)
    assert torch.equal(mixed.images, torch.stack(expected))
    assert torch.allclose(mixed.share, torch.tensor(left), atol=1e-6)
    assert 0 < sum(share == 1 for share in left) < count / 2


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 4.0])
def test_shares_are_beta_distributed(alpha: float) -> None:
    shares = draw_shares(20_000, alpha, Generator().manual_seed(0), CPU)
    assert shares.isfinite().all() and shares.min() >= 0 and shares.max() <= 1
    variance = 1 / (4 * (2 * alpha + 1))
    assert float(shares.mean()) == pytest.approx(0.5, abs=4 * math.sqrt(variance / 20_000))
    assert float(shares.var()) == pytest.approx(variance, rel=0.05)


def test_with_both_each_image_gets_one_of_the_two() -> None:
    images, both = some_images(400, 8), AugmentConfig(mixup=1.0, cutmix=1.0)
    mixed = mix(images, both, Generator().manual_seed(0))
    assert mixed is not None
    own, other = mixed.images == images, mixed.images == partners(images)
    pasted = (own | other).flatten(1).all(1)
    assert 150 < int(pasted.sum()) < 250
    again = mix(images, both, Generator().manual_seed(0))
    assert again is not None and torch.equal(again.images, mixed.images)
