"""What every source of images gives: classes, and the images of its parts, not yet decoded."""

from typing import Protocol, Self

from paretrain.config import DataConfig
from paretrain.data.parts import Part


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

    def train_part(self) -> Items:
        """Return the training images, including those that may be split off for validation."""
        ...

    def val_part(self) -> Items | None:
        """Return the validation images; None where the source has no such part."""
        ...

    def test_part(self) -> Items | None:
        """Return the test images; None where there are none. Only `paretrain.testset` calls it."""
        ...
