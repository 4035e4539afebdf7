"""Names of sources of images. Whoever shows them need not load what opens them."""

from pathlib import Path

from paretrain.paths import is_folder

DIGITS = "digits"
SIDES = {
    "CIFAR10": 32,
    "CIFAR100": 32,
    "MNIST": 32,
    "FashionMNIST": 32,
    "KMNIST": 32,
    "SVHN": 32,
    "STL10": 96,
}
"""Names of published sets, and the image size that suits them, in pixels. It is their own size, but
32 for sets of 28 pixels, because 32 can be halved five times."""


def is_csv(source: str) -> bool:
    """Whether a source is a CSV file: by its name, unless a folder has that name."""
    return source.lower().endswith(".csv") and not is_folder(Path(source))


def short_name(source: str) -> str:
    """Return a short name for studies and files: `cifar10`, a CSV file's stem, a folder's name."""
    if source in SIDES:
        return source.lower()
    return Path(source).stem if is_csv(source) else Path(source).name
