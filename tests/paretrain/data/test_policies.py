"""RandAugment and TrivialAugment of a batch are torchvision's on each image."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from paretrain.config import AugmentConfig, Policy
from paretrain.data.augment import take_batch
from paretrain.data.policies import (
    BINS,
    NAMES,
    change,
    change_by_policy,
    deal_turns,
    draw_turns,
    strengths,
)

POLICIES: tuple[Policy, ...] = ("randaugment", "trivialaugment")


def theirs(policy: Policy, **options: int) -> Any:
    from torchvision.transforms import v2

    if policy == "randaugment":
        return v2.RandAugment(**options)
    return v2.TrivialAugmentWide()


def random_images(count: int, size: int) -> Tensor:
    """Smooth ones, noise, a gray one, one of few levels, black and white."""
    draws = Generator().manual_seed(size)
    images = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=draws)
    smooth = torch.arange(size * size).view(size, size) * 190 // (size * size) + 20
    images[0] = smooth.to(torch.uint8)
    images[1] = smooth.T.to(torch.uint8) // 2 + images[1] // 8
    images[2] = images[2, :1]
    images[3] = images[3] // 100 * 90
    images[4], images[5] = 0, 255
    return images


def turns_of(name: str, count: int) -> list[Tensor]:
    """All images have a turn with one operation."""
    nothing = torch.empty(0, dtype=torch.int64)
    return [torch.arange(count) if name == other else nothing for other in NAMES]


def test_operations_are_torchvisions() -> None:
    for policy in POLICIES:
        assert set(NAMES) == set(theirs(policy)._AUGMENTATION_SPACE)


@pytest.mark.parametrize("size", [8, 33])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("policy", POLICIES)
def test_each_operation_is_torchvisions_with_each_strength(
    policy: Policy, name: str, size: int
) -> None:
    images = random_images(2 * BINS, size)
    bins = torch.arange(BINS).repeat(2)
    signs = torch.tensor([1.0, -1.0]).repeat_interleave(BINS)
    images = images[torch.arange(2 * BINS) % 13]  # the special ones at many strengths
    ours = change(images, turns_of(name, 2 * BINS), strengths(policy, bins, signs, size))
    reference = theirs(policy)
    give, signed = reference._AUGMENTATION_SPACE[name]
    magnitudes = give(BINS, size, size)
    expected = []
    for image, strength, sign in zip(images, bins.tolist(), signs.tolist(), strict=True):
        magnitude = 0.0 if magnitudes is None else float(magnitudes[strength])
        magnitude *= sign if signed else 1
        expected.append(
            reference._apply_image_or_video_transform(
                image, name, magnitude, reference.interpolation, reference._fill
            )
        )
    difference = (ours.int() - torch.stack(expected).int()).abs()
    if name in ("ShearX", "ShearY", "Rotate"):
        # A pixel whose source lies half-way between two may take the other one.
        assert float((difference > 0).any(1).float().mean()) <= 2e-3
    else:
        # A few pixels are rounded to the next level by the last bit of a product; gray ones, whose
        # saturation changes nothing, most often.
        assert int(difference.max()) <= 1
        assert float((difference > 0).float().mean()) <= (8e-3 if name == "Color" else 1e-3)
    if name != "Identity" and not (name == "Equalize" and size == 8):  # fewer pixels than levels
        assert not torch.equal(ours, images)


@pytest.mark.parametrize("draw", ["drawn", "dealt"])
def test_each_image_has_each_operation_equally_often(draw: str) -> None:
    """Drawn one by one on a CPU; dealt on a GPU, where no operation has two images more."""
    count, times = 20, 1400
    seen: Counter[tuple[int, int]] = Counter()
    for seed in range(times):
        draws = Generator().manual_seed(seed)
        if draw == "drawn":
            turns = draw_turns(count, draws)
        else:
            turns = deal_turns(torch.randperm(count, generator=draws), seed)
            assert {len(some) for some in turns} == {1, 2}
        assert sorted(torch.cat(list(turns)).tolist()) == list(range(count))
        for number, some in enumerate(turns):
            seen.update((image, number) for image in some.tolist())
    assert len(seen) == count * len(NAMES)
    expected = times / len(NAMES)
    for image in range(count):
        rest = [seen[image, number] - expected for number in range(len(NAMES))]
        assert sum(r * r for r in rest) / expected < 45  # 13 degrees of freedom: 1 in 50,000


def test_a_policy_changes_images_as_torchvisions_does_on_average() -> None:
    """The draws, too: how far images are from what they were has the same mean and spread."""
    size, count = 16, 400
    image = random_images(8, size)[1]
    images = image.expand(count, -1, -1, -1)
    torch.manual_seed(0)
    for augment in (
        AugmentConfig(policy="randaugment"),
        AugmentConfig(policy="randaugment", operations=3, magnitude=20),
        AugmentConfig(policy="trivialaugment"),
    ):
        options = {"num_ops": augment.operations, "magnitude": augment.magnitude}
        reference = theirs(augment.policy, **options)
        other = torch.stack([reference(image) for _ in range(count)])
        mine = change_by_policy(images, augment, Generator().manual_seed(1))
        far = [(some.float() - image.float()).abs().mean((1, 2, 3)) for some in (mine, other)]
        error = (far[0].var() + far[1].var()).div(count).sqrt()
        assert abs(float(far[0].mean() - far[1].mean())) < 4 * float(error)
        assert torch.allclose(far[0].std(), far[1].std(), rtol=0.15)


def test_a_batch_is_changed_after_its_crop_and_the_images_stay() -> None:
    images, index = random_images(20, 8), torch.arange(20)
    before = images.clone()
    augment = AugmentConfig(crop_padding=0.25, flip=True, policy="randaugment", grayscale=0.5)
    first = take_batch(images, index, augment, Generator().manual_seed(5))
    assert first.dtype == torch.uint8 and first.shape == images.shape
    assert torch.equal(images, before)
    assert torch.equal(first, take_batch(images, index, augment, Generator().manual_seed(5)))
    assert not torch.equal(first, take_batch(images, index, augment, Generator().manual_seed(6)))
    draws = Generator().manual_seed(0)
    state = draws.get_state()
    assert change_by_policy(images, AugmentConfig(), draws) is images
    assert torch.equal(draws.get_state(), state)
