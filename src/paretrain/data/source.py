"""What every source of images gives: classes, and the images of its parts, not yet decoded."""

from dataclasses import dataclass
from typing import Protocol, Self

from paretrain.config import DataConfig
from paretrain.data.parts import Part


@dataclass(frozen=True)
class Origin:
    """Where the images of each part come from, in a few words: a folder, the rows of a column."""

    train: str
    val: str | None = None
    """None where there is no validation part, so that one is split off."""
    test: str | None = None

    def in_words(self, val_fraction: float) -> str:
        """Return one line for people. `val_fraction` is the share that is split off."""
        val = self.val or f"{val_fraction:.0%} split off"
        test = f"{self.test} (not opened before the full training)" if self.test else "none"
        return f"training: {self.train}; validation: {val}; test: {test}"


class Items(Protocol):
    """The images of one part before they are decoded. Their order and labels are known."""

    @property
    def labels(self) -> tuple[int, ...]:
        """Class number of each image."""
        ...

    def choose(self, indices: list[int]) -> Self:
        """Return the images at these positions."""
        ...

    def decode(self, config: DataConfig) -> tuple[Part, str]:
        """Return the images at the configuration's size, and a hash of contents, labels and order.

        Raises UserError with the first broken image, unless `config.skip_broken`.
        """
        ...


class Source(Protocol):
    """A folder, a CSV file, a published data set, or the embedded digits."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes. A label is a position among them."""
        ...

    @property
    def origin(self) -> Origin:
        """Where each part comes from."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was understood in a way, or left out, that the user should know."""
        ...

    def train_part(self) -> Items:
        """Return the training images, including those that may be split off for validation."""
        ...

    def val_part(self) -> Items | None:
        """Return the validation images; None where the source has no such part."""
        ...

    def test_part(self) -> Items | None:
        """Return the test images; None where there are none. Only `paretrain.testset` calls it."""
        ...
