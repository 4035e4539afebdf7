"""Augmentation of a whole batch equals torchvision's functions on each image."""

import pytest
import torch
from torch import Generator, Tensor

from paretrain.config import AugmentConfig
from paretrain.data.augment import crop_flip_rotate, normalise, take_batch

ON = AugmentConfig(crop_padding=0.25, flip=True)


def random_images(count: int, size: int) -> Tensor:
    draws = Generator().manual_seed(size)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=draws)


def corners(count: int, size: int) -> Tensor:
    """Images whose pixel (row, column) says its own place; all alike."""
    places = torch.arange(size * size).view(1, 1, size, size).expand(count, 3, size, size)
    return places.to(torch.uint8).contiguous()


@pytest.mark.parametrize(
    ("size", "padding"), [(8, 1), (8, 4), (9, 2), (9, 8), (15, 7), (32, 4), (2, 1), (12, 0)]
)
def test_crop_and_flip_equals_torchvision_bit_for_bit(size: int, padding: int) -> None:
    from torchvision.transforms.v2 import functional as reference

    images = random_images(5, size)
    draws = Generator().manual_seed(0)
    count = 24
    index = torch.randint(0, 5, (count,), generator=draws)
    top = torch.randint(0, 2 * padding + 1, (count,), generator=draws)
    left = torch.randint(0, 2 * padding + 1, (count,), generator=draws)
    top[:2], left[:2] = torch.tensor([0, 2 * padding]), torch.tensor([2 * padding, 0])
    flip = torch.rand(count, generator=draws) < 0.5
    assert set(flip.tolist()) == {False, True}
    ours = crop_flip_rotate(images, index, top, left, flip, padding)
    for i in range(count):
        padded = reference.pad(images[index[i]], [padding] * 4, padding_mode="reflect")
        expected = reference.crop(padded, int(top[i]), int(left[i]), size, size)
        if flip[i]:
            expected = reference.horizontal_flip(expected)
        assert torch.equal(ours[i], expected)


@pytest.mark.parametrize("augment", [AugmentConfig(), AugmentConfig(crop_padding=0.01)])
def test_nothing_on_returns_the_images_unchanged(augment: AugmentConfig) -> None:
    # a padding of 0.01 of 8 pixels rounds to nothing
    images = random_images(6, 8)
    index = torch.tensor([4, 0, 4, 5])
    draws = Generator().manual_seed(0)
    before = draws.get_state()
    assert torch.equal(take_batch(images, index, augment, draws), images[index])
    assert torch.equal(draws.get_state(), before)


def test_batch_stays_uint8_and_keeps_its_shape() -> None:
    images = random_images(6, 9)
    batch = take_batch(images, torch.tensor([1, 2]), ON, Generator().manual_seed(0))
    assert batch.dtype == torch.uint8
    assert batch.shape == (2, 3, 9, 9)


def test_same_seed_gives_the_same_batch_and_another_seed_another() -> None:
    images, index = random_images(6, 8), torch.arange(6)
    first = take_batch(images, index, ON, Generator().manual_seed(3))
    assert torch.equal(first, take_batch(images, index, ON, Generator().manual_seed(3)))
    assert not torch.equal(first, take_batch(images, index, ON, Generator().manual_seed(4)))


def test_next_batch_of_one_generator_is_drawn_anew() -> None:
    images, index, draws = random_images(6, 8), torch.arange(6), Generator().manual_seed(3)
    assert not torch.equal(
        take_batch(images, index, ON, draws), take_batch(images, index, ON, draws)
    )


def test_global_random_state_is_neither_used_nor_changed() -> None:
    images, index = random_images(6, 8), torch.arange(6)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = take_batch(images, index, ON, Generator().manual_seed(3))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(first, take_batch(images, index, ON, Generator().manual_seed(3)))


def test_crops_cover_all_offsets_evenly_and_differ_between_images() -> None:
    # 12 pixels, padding 3: with reflection, the centre pixel of the crop tells the offset.
    count, size, padding = 4900, 12, 3
    images = corners(1, size)
    index = torch.zeros(count, dtype=torch.int64)
    augment = AugmentConfig(crop_padding=0.25)
    batch = take_batch(images, index, augment, Generator().manual_seed(0))
    place = batch[:, 0, 6, 6].to(torch.int64)
    seen = torch.bincount(place, minlength=size * size).view(size, size)
    middle = seen[6 - padding : 6 + padding + 1, 6 - padding : 6 + padding + 1]
    assert middle.sum() == count
    # 100 expected in each of the 49 places; 5 standard deviations are 50
    assert middle.min() > 50
    assert middle.max() < 150


def test_half_of_the_images_are_flipped() -> None:
    images = corners(1, 4)
    index = torch.zeros(2000, dtype=torch.int64)
    batch = take_batch(images, index, AugmentConfig(flip=True), Generator().manual_seed(0))
    flipped = (batch == images.flip(3)).flatten(1).all(1)
    unchanged = (batch == images).flatten(1).all(1)
    assert bool((flipped ^ unchanged).all())
    assert 880 < int(flipped.sum()) < 1120


def test_source_images_are_not_changed() -> None:
    images = random_images(4, 8)
    before = images.clone()
    batch = take_batch(images, torch.arange(4), ON, Generator().manual_seed(0))
    batch.zero_()
    assert torch.equal(images, before)


def test_normalise_equals_the_formula_in_channels_last() -> None:
    images = random_images(3, 8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    batch = normalise(images, mean, std)
    exact = images.double() / 255 - mean.double()[:, None, None]
    exact = exact / std.double()[:, None, None]
    assert batch.dtype == torch.float32
    assert float((batch - exact).abs().max()) < 1e-6
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert not batch.is_contiguous()


@pytest.mark.parametrize("shape", [(5, 3, 9, 9), (1, 3, 1, 1), (2, 3, 40, 40)])
def test_pixels_are_normalised_as_the_formula_says_bit_for_bit(shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator())
    mean, std = torch.tensor([0.48, 0.45, 0.4]), torch.tensor([0.23, 0.22, 0.21])
    expected = images.float() * (1 / (255 * std))[:, None, None] - (mean / std)[:, None, None]
    found = normalise(images, mean, std)
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)
