"""Colour changes and rotations of a batch equal torchvision's functions on each image."""

import itertools
import math
from collections import Counter

import pytest
import torch
from torch import Generator, Tensor

from paretrain.config import AugmentConfig
from paretrain.data import colour
from paretrain.data.augment import crop_flip_rotate, take_batch


def random_images(count: int, size: int) -> Tensor:
    """Noise, a gray image, black, white, and pure colours: every branch of the hue."""
    draws = Generator().manual_seed(size)
    images = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=draws)
    images[0] = images[0, :1]
    images[1], images[2] = 0, 255
    images[3] = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    return images


def torchvision_jitter(image: Tensor, number: int, factor: float) -> Tensor:
    from torchvision.transforms import functional as reference

    names = ("brightness", "contrast", "saturation", "hue")
    changed: Tensor = getattr(reference, f"adjust_{names[number]}")(image, factor)
    return changed


def assert_close(ours: Tensor, expected: Tensor, share: float = 0.002) -> None:
    """Equal, but for a few pixels that the last bit of a product rounds to the next level."""
    difference = (ours.int() - expected.int()).abs()
    assert int(difference.max()) <= 1
    assert float((difference > 0).float().mean()) <= share


@pytest.mark.parametrize("number", range(4), ids=["brightness", "contrast", "saturation", "hue"])
def test_each_colour_change_equals_torchvision_on_the_same_factors(number: int) -> None:
    images = random_images(12, 16)
    draws = Generator().manual_seed(1)
    low, high = (-0.5, 0.5) if number == 3 else (0.0, 2.0)
    factors = low + (high - low) * torch.rand(12, generator=draws)
    ours = colour.OPERATIONS[number](images, factors)
    expected = [
        torchvision_jitter(image, number, float(factor))
        for image, factor in zip(images, factors, strict=True)
    ]
    assert_close(ours, torch.stack(expected))
    assert not torch.equal(ours, images)


def test_grayscale_equals_torchvision() -> None:
    from torchvision.transforms import functional as reference

    images = random_images(8, 9)
    expected = torch.stack([reference.rgb_to_grayscale(image, 3) for image in images])
    assert torch.equal(colour.grayscale(images), expected)


def test_each_image_has_its_own_order_of_changes() -> None:
    images = random_images(24, 8)
    draws = Generator().manual_seed(2)
    factors = 0.4 + 1.2 * torch.rand(4, 24, generator=draws)
    factors[3] -= 1.0
    factors[3] *= 0.5
    order = torch.stack([torch.randperm(4, generator=draws) for _ in range(24)])
    assert len({tuple(row) for row in order.tolist()}) > 10
    ours = colour.jitter(images, factors, colour.places_of(order), [True] * 4)
    for i, image in enumerate(images):
        for number in order[i].tolist():
            image = torchvision_jitter(image, number, float(factors[number, i]))
        # A level lost before the hue can turn into several after it.
        assert float(((ours[i].int() - image.int()).abs() > 1).float().mean()) < 0.02


def test_changes_that_are_not_wanted_are_left_out() -> None:
    images, places = random_images(6, 8), colour.places_of(torch.arange(4).repeat(6, 1))
    factors = torch.full((4, 6), 0.5)
    ours = colour.jitter(images, factors, places, [False, False, True, False])
    assert torch.equal(ours, colour.saturation(images, factors[2]))
    assert torch.equal(colour.jitter(images, factors, places, [False] * 4), images)


def orders_of(places: colour.Places, count: int) -> list[tuple[int, ...]]:
    """The operations of each image, in their order."""
    orders = torch.full((count, 4), -1)
    for place, turns in enumerate(places):
        for number, some in enumerate(turns):
            assert (orders[some, place] == -1).all()
            orders[some, place] = number
    return [tuple(row) for row in orders.tolist()]


def test_orders_are_drawn_image_by_image_on_the_cpu() -> None:
    order = colour.draw_orders(2400, Generator().manual_seed(0))
    times = Counter(orders_of(colour.places_of(order), 2400))
    assert set(times) == set(itertools.permutations(range(4)))
    chi_square = sum((n - 100) ** 2 / 100 for n in times.values())
    assert 8 < chi_square < 50  # 23 degrees of freedom: 0.1 % lie below 8, and 0.1 % above 50


def test_dealt_orders_are_shared_out_equally_and_each_image_can_have_each() -> None:
    """As on a GPU, where drawing image by image would wait for the device."""
    seen: list[Counter[tuple[int, ...]]] = [Counter() for _ in range(30)]
    for seed in range(2000):
        mixed = torch.randperm(30, generator=Generator().manual_seed(seed))
        orders = orders_of(colour.dealt_places(mixed, seed), 30)
        times = Counter(orders)
        assert set(times.values()) == {1, 2} and len(times) == 24
        for image, order in enumerate(orders):
            seen[image][order] += 1
    for times in seen:
        assert len(times) == 24
        chi_square = sum((n - 2000 / 24) ** 2 / (2000 / 24) for n in times.values())
        assert chi_square < 58  # less than one of 10,000 draws with equal chances lies above


@pytest.mark.parametrize("size", [8, 15, 32])
def test_rotation_equals_torchvision_to_the_pixel(size: int) -> None:
    from torchvision.transforms import functional as reference

    images = random_images(6, size)
    draws = Generator().manual_seed(3)
    count = 40
    index = torch.randint(0, 6, (count,), generator=draws)
    degrees = 180 * (2 * torch.rand(count, generator=draws) - 1)
    degrees[:3] = torch.tensor([0.0, 45.0, -30.0])
    top = torch.randint(0, 5, (count,), generator=draws)
    left = torch.randint(0, 5, (count,), generator=draws)
    flip = torch.rand(count, generator=draws) < 0.5
    ours = crop_flip_rotate(images, index, top, left, flip, 2, degrees)
    wrong = 0
    for i in range(count):
        padded = reference.pad(images[index[i]], [2] * 4, padding_mode="reflect")
        expected = reference.crop(padded, int(top[i]), int(left[i]), size, size)
        expected = reference.hflip(expected) if flip[i] else expected
        expected = reference.rotate(expected, float(degrees[i]))
        wrong += int((ours[i] != expected).any(0).sum())
    # A pixel whose source lies half-way between two may take the other one.
    assert wrong <= count * size * size * 1e-3


def test_draws_stay_within_the_configured_strength_and_differ_between_images() -> None:
    images = torch.full((400, 3, 8, 8), 100, dtype=torch.uint8)
    augment = AugmentConfig(brightness=0.2)
    batch = take_batch(images, torch.arange(400), augment, Generator().manual_seed(0))
    levels = batch[:, 0, 0, 0].float()
    assert 80 <= float(levels.min()) < 84 and 116 < float(levels.max()) <= 120
    assert abs(float(levels.mean()) - 99.5) < 2


def test_rotation_turns_both_ways_up_to_its_limit() -> None:
    size = 33
    images = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    images[:, :, 16, 31] = 255  # right of the centre
    index = torch.zeros(300, dtype=torch.int64)
    batch = take_batch(images, index, AugmentConfig(rotation=30), Generator().manual_seed(0))
    angles = []
    for image in batch[:, 0]:
        places = image.nonzero().float()
        if len(places):
            row, column = places.mean(0).tolist()
            angles.append(math.degrees(math.atan2(16 - row, column - 16)))
    assert min(angles) < -25 and max(angles) > 25
    assert max(map(abs, angles)) < 33


def test_a_share_of_the_images_loses_its_colours() -> None:
    images = random_images(500, 4)[4:]
    index = torch.arange(496)
    batch = take_batch(images, index, AugmentConfig(grayscale=0.1), Generator().manual_seed(0))
    gray = (batch[:, 0] == batch[:, 1]).flatten(1).all(1)
    assert 25 <= int(gray.sum()) <= 80
    assert torch.equal(batch[~gray], images[~gray])
    assert torch.equal(batch[gray], colour.grayscale(images[gray]))


def test_all_together_are_the_same_for_the_same_seed() -> None:
    images, index = random_images(20, 8), torch.arange(20)
    augment = AugmentConfig(
        crop_padding=0.125,
        flip=True,
        rotation=45,
        brightness=0.5,
        contrast=0.5,
        saturation=0.5,
        hue=0.1,
        grayscale=0.1,
    )
    first = take_batch(images, index, augment, Generator().manual_seed(5))
    assert first.dtype == torch.uint8 and first.shape == images.shape
    assert torch.equal(first, take_batch(images, index, augment, Generator().manual_seed(5)))
    assert not torch.equal(first, take_batch(images, index, augment, Generator().manual_seed(6)))
