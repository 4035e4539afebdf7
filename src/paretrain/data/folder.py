"""Folders as sources, in ImageFolder layout.

They hold `train/CLASS/*`, and optionally `val/` (or `valid/`, `validation/`) and `test/`. Or they
hold class folders directly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from paretrain.cli import UserError
from paretrain.data.files import ImageFiles

SUFFIXES = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}
VALIDATION_NAMES = ("val", "valid", "validation")


@dataclass(frozen=True)
class ImageFolder:
    """A folder and the folders of its parts. `val` and `test` are None where there are none."""

    root: Path
    classes: tuple[str, ...]
    train: Path
    val: Path | None
    test: Path | None

    def train_part(self) -> ImageFiles:
        """Return the training images."""
        return self._files(self.train)

    def val_part(self) -> ImageFiles | None:
        """Return the validation images. Raises UserError for a class that training lacks."""
        return None if self.val is None else self._files(self.val)

    def test_part(self) -> ImageFiles | None:
        """Return the test images. Raises UserError for a class that training lacks."""
        return None if self.test is None else self._files(self.test)

    def _files(self, part: Path) -> ImageFiles:
        paths: list[Path] = []
        labels: list[int] = []
        for folder in _folders(part):
            files = images_under(folder)
            if not files:
                continue
            if folder.name not in self.classes:
                raise UserError(
                    f"class '{folder.name}' is in {part} but training has no images of it; "
                    f"training has {', '.join(self.classes[:8])}: rename or remove {folder}"
                )
            paths += files
            labels += [self.classes.index(folder.name)] * len(files)
        if not paths:
            raise UserError(
                f"no images in {part}: looked for CLASS/*{{{','.join(sorted(SUFFIXES))}}}"
            )
        names = tuple(path.relative_to(self.root).as_posix() for path in paths)
        return ImageFiles(self.root, tuple(paths), tuple(labels), names)


def open_folder(root: Path) -> ImageFolder:
    """Find the parts. Raises UserError when the folder has no images or one class."""
    train = root / "train"
    if not train.is_dir():
        stray = [name for name in (*VALIDATION_NAMES, "test") if (root / name).is_dir()]
        if stray:
            raise UserError(
                f"{root} has a folder {stray[0]}/ but no train/: put the training images into "
                f"{train}, or rename {stray[0]}/ if it is a class"
            )
        # The folder holds class folders directly, so it is the training part itself.
        return ImageFolder(root, _classes(root), root, None, None)
    val = next((root / name for name in VALIDATION_NAMES if (root / name).is_dir()), None)
    test = root / "test"
    return ImageFolder(root, _classes(train), train, val, test if test.is_dir() else None)


def _classes(part: Path) -> tuple[str, ...]:
    classes = tuple(folder.name for folder in _folders(part) if images_under(folder))
    if len(classes) < 2:
        content = f"only class '{classes[0]}'" if classes else "no class folder with images"
        raise UserError(
            f"{part} has {content}: needs two or more folders, one a class, with images "
            f"({', '.join(sorted(SUFFIXES))})"
        )
    return classes


def _folders(part: Path) -> list[Path]:
    return sorted(p for p in part.iterdir() if p.is_dir() and not p.name.startswith("."))


def image_files(paths: Iterable[Path | str]) -> list[Path]:
    """Return the given files, and the images of given folders by name, in the order given.

    Raises UserError for what is not there, and for a folder without images.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = images_under(path)
            if not inside:
                raise UserError(f"no images in folder {path}: give files, or another folder")
            files += inside
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"no file {path}: give an image file or a folder of images")
    return files


def images_under(folder: Path) -> list[Path]:
    """Return the image files of a folder and its sub-folders, sorted. Suffixes tell them."""
    return sorted(
        p
        for p in folder.rglob("*")
        if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()
    )
