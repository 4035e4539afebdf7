"""What every kind of source gives: classes, and the images of its parts, not yet decoded."""

from typing import Protocol, Self

from paretrain.config import DataConfig
from paretrain.data.parts import Part


class Items(Protocol):
    """The images of one part before they are decoded: their labels are known, in a fixed order."""

    @property
    def labels(self) -> tuple[int, ...]:
        """Class numbers, one an image."""
        ...

    def choose(self, indices: list[int]) -> Self:
        """The images at these positions."""
        ...

    def decode(self, config: DataConfig) -> tuple[Part, str]:
        """The images at the configuration's size, and a hash of contents, labels and order.

        Raises UserError naming the first broken image, unless `config.skip_broken`.
        """
        ...


class Source(Protocol):
    """A folder, a CSV file, a published data set, or the embedded digits."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; a label is a position in here."""
        ...

    def train_part(self) -> Items:
        """The training images, with those from which validation is split off where it must be."""
        ...

    def val_part(self) -> Items | None:
        """The validation images; None where the source has no such part."""
        ...

    def test_part(self) -> Items | None:
        """The test images; None where there are none. Only `paretrain.testset` calls this."""
        ...
