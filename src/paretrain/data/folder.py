"""Folders as sources, in ImageFolder layout: class folders, directly or in parts."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from paretrain.cli import UserError
from paretrain.data.files import ImageFiles
from paretrain.data.image_formats import SUFFIXES
from paretrain.data.layout import (
    WORDS,
    Layout,
    class_folders,
    has_images,
    images_under,
    label_of,
    left_out,
    part_notes,
    understand,
)
from paretrain.data.listing import list_folder
from paretrain.data.part_names import Split
from paretrain.data.source import Origin
from paretrain.paths import is_folder, is_there
from paretrain.safe_text import as_text


@dataclass(frozen=True)
class ImageFolder:
    """A folder, and how it is understood."""

    root: Path
    classes: tuple[str, ...]
    """Names of the class folders of training."""
    layout: Layout

    @property
    def origin(self) -> Origin:
        """The folders of the parts."""
        if self.layout.flat:
            return Origin("the class folders")
        parts = {split: f"{folder.name}/" for split, folder in self.layout.parts.items()}
        return Origin(parts["train"], parts.get("val"), parts.get("test"))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out of the whole folder, one sentence each."""
        return self.layout.notes

    def train_part(self) -> ImageFiles:
        """Return the training images."""
        return self._files("train")

    def val_part(self) -> ImageFiles | None:
        """Return the validation images. Raises UserError for a class that training lacks."""
        return self._files("val") if "val" in self.layout.parts else None

    def test_part(self) -> ImageFiles | None:
        """Return the test images. Raises UserError for a class that training lacks."""
        return self._files("test") if "test" in self.layout.parts else None

    def _files(self, split: Split) -> ImageFiles:
        part = self.layout.parts[split]
        above = () if part is self.layout.root else (part.name,)
        where = "/".join((str(self.root), *above))
        paths: list[tuple[str, ...]] = []
        labels: list[int] = []
        for folder in filter(has_images, part.folders):
            files = images_under(folder)
            paths += [(*above, folder.name, *file) for file in files]
            labels += [label_of(folder, self.classes, where)] * len(files)
        if not paths:
            raise UserError(
                f"no images in {where}: looked for CLASS/*{{{','.join(sorted(SUFFIXES))}}}"
            )
        return ImageFiles(
            self.root,
            tuple(self.root.joinpath(*path) for path in paths),
            tuple(labels),
            tuple(as_text("/".join(path)) for path in paths),
            tuple(part_notes(part, WORDS[split])),
        )


def open_folder(root: Path) -> ImageFolder:
    """Find parts and classes. Raises UserError when the folder has no images or one class, when it
    cannot be read, and when it could mean two things."""
    layout = understand(list_folder(str(root)), str(root))
    where = str(root) if layout.flat else f"{root}/{layout.parts['train'].name}"
    classes = tuple(as_text(f.name) for f in class_folders(layout.parts["train"], where))
    return ImageFolder(root, classes, layout)


def image_files(paths: Iterable[Path | str], notes: list[str] | None = None) -> list[Path]:
    """Return the given files, and the images of given folders by name, in the order given.

    What a folder holds beside is told in `notes`. Raises UserError for what is not there or cannot
    be read, and for a folder without images.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if is_folder(path):
            folder = list_folder(str(path))
            inside = images_under(folder)
            others = left_out([folder], "folder")
            if not inside:
                found = f"; {others[0]}" if others else ""
                raise UserError(f"no images in folder {path}: give files, or another folder{found}")
            files += [path.joinpath(*file) for file in inside]
            if notes is not None:
                notes += others
        elif is_there(path):
            files.append(path)
        else:
            raise UserError(f"no file {path}: give an image file or a folder of images")
    return files
