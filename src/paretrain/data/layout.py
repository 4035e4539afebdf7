"""How a folder of images is understood: which folders are parts, which are classes.

The table in docs/images.md has the rules. They see names only, so a test needs no disk.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from paretrain.cli import UserError, nearest
from paretrain.data.image_formats import SUFFIXES
from paretrain.data.listing import Folder, each_file, files_under, odd_under
from paretrain.data.part_names import SPLITS, USUAL, Split, is_plain, part_of
from paretrain.safe_text import as_text

NAMED = 3
"""Most examples that a sentence names."""
WORDS: dict[Split, str] = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class Layout:
    """The folder of each part. Without a training part of its own, the root itself is it."""

    root: Folder
    parts: dict[Split, Folder]
    notes: tuple[str, ...] = ()
    """What is left out, one sentence each."""

    @property
    def flat(self) -> bool:
        """Whether the class folders lie in the root itself."""
        return self.parts["train"] is self.root


def understand(root: Folder, where: str) -> Layout:
    """Find the parts among the folders of the root, which messages call `where`.

    Raises UserError when there are none, or when it could mean two things.
    """
    named = {split: [f for f in root.folders if part_of(f.name) == split] for split in SPLITS}
    classes = [f for f in root.folders if part_of(f.name) is None and has_images(f)]
    train = [folder for folder in named["train"] if _classes(folder)]
    if not train and not classes and not any(map(has_images, named["train"])):
        train = named["train"]  # without images, which is refused when they are asked for
    if chosen := _choose("train", train, where):
        return _in_parts(root, where, chosen, named)
    _refuse_strays(where, named, classes)
    full = _classes(root)
    _refuse_parts_in_classes(full, where)
    return Layout(root, {"train": root}, tuple(_class_notes(full)))


def _in_parts(root: Folder, where: str, train: Folder, named: dict[Split, list[Folder]]) -> Layout:
    parts: dict[Split, Folder] = {"train": train}
    notes = []
    if val := _choose("val", _with_classes(named["val"]) or _plain(named["val"]), where):
        parts["val"] = val  # one without class folders is refused when it is asked for
    if test := _choose("test", _with_classes(named["test"]), where):
        parts["test"] = test
    elif unlabelled := [folder.name for folder in named["test"] if has_images(folder)]:
        notes.append(
            f"{unlabelled[0]}/ has images but no class folders, so that nothing can be tested on it"
        )
    used = {folder.name for folder in (*parts.values(), *named["test"])}
    if left := [f"{f.name}/" for f in root.folders if f.name not in used and has_images(f)]:
        notes.append(f"not used, beside the parts: {_listed(left)}")
    if loose := [name for name in root.files if is_image(name)]:
        notes.append(_beside(loose, "the parts"))
    _refuse_parts_in_classes(_classes(train), f"{where}/{train.name}")
    return Layout(root, parts, (*notes, *_class_notes(_classes(train))))


def _choose(split: Split, found: Sequence[Folder], where: str) -> Folder | None:
    """Return the one that is meant. Raises UserError where several could be."""
    if len(found) < 2:
        return found[0] if found else None
    for name in USUAL[split]:
        for folder in found:
            if folder.name == name:
                return folder
    plain = _plain(found)
    if len(plain) == 1:
        return plain[0]
    names = " and ".join(f"{folder.name}/" for folder in found[:2])
    raise UserError(
        f"{where} has {names}: both could be the {WORDS[split]} part: call one of them "
        f"'{USUAL[split][0]}', or put their images together"
    )


def _plain(folders: Iterable[Folder]) -> list[Folder]:
    return [folder for folder in folders if is_plain(folder.name)]


def _with_classes(folders: Iterable[Folder]) -> list[Folder]:
    return [folder for folder in folders if _classes(folder)]


def _refuse_strays(where: str, named: dict[Split, list[Folder]], classes: Sequence[Folder]) -> None:
    """Refuse folders with names of parts that neither are parts nor can be classes."""
    train = [folder for folder in named["train"] if has_images(folder)]
    if train and not classes:
        raise UserError(
            f"{where}/{train[0].name} holds images but no class folders: put the images of each "
            "class into a folder of its own there, or name each image's class in a .csv file"
        )
    names = {folder.name for folder in classes}
    strays = [
        folder
        for folder in (*named["val"], *named["test"])
        if has_images(folder) and (is_plain(folder.name) or _is_part(folder, names))
    ]
    if strays and train:
        raise UserError(
            f"{where} has {train[0].name}/ and {strays[0].name}/ beside class folders such as "
            f"{classes[0].name}/: put the class folders into {where}/train, or rename "
            f"{train[0].name}/ and {strays[0].name}/ if they are classes"
        )
    if strays:
        raise UserError(
            f"{where} has a folder {strays[0].name}/ but no train/: put the training images into "
            f"{where}/train, or rename {strays[0].name}/ if it is a class"
        )


def _is_part(folder: Folder, classes: set[str]) -> bool:
    """Whether a folder that could be a class holds folders of the classes itself."""
    inside = {below.name for below in _classes(folder)}
    return bool(inside & classes) if classes else bool(inside)


def _refuse_parts_in_classes(classes: Sequence[Folder], where: str) -> None:
    """Refuse CLASS/train and CLASS/test: one would train on the test images."""
    for folder in classes if len(classes) > 1 else ():  # one alone is refused as no class
        inside = {
            split: below.name
            for below in folder.folders
            if (split := part_of(below.name)) and has_images(below)
        }
        if len(inside) > 1:
            names = " and ".join(f"{folder.name}/{name}/" for name in inside.values())
            raise UserError(
                f"{where} has {names}: parts lie above the classes, not within them: make it "
                f"train/{folder.name}/ and so on"
            )


def _class_notes(classes: Sequence[Folder]) -> list[str]:
    """Say so when what is taken for classes may not be meant as such."""
    notes = []
    alike: dict[str, str] = {}
    for folder in classes:
        other = alike.setdefault(" ".join(folder.name.casefold().split()), folder.name)
        if other != folder.name:
            notes.append(
                f"classes '{other}' and '{folder.name}' differ in capital letters or spaces only"
            )
    inner = [frozenset(below.name for below in _classes(folder)) for folder in classes]
    if len(inner) > 1 and len(inner[0]) > 1 and set(inner) == {inner[0]}:
        notes.append(
            f"every class folder ({_listed([f.name for f in classes])}) has the same sub-folders "
            f"({_listed(sorted(inner[0]))}): if those are the classes, put them at the top"
        )
    return notes


def class_folders(part: Folder, where: str) -> list[Folder]:
    """Return the folders with images of a training part, each a class.

    Raises UserError for fewer than two, and for two that are the same.
    """
    found = _classes(part)
    if len(found) < 2:
        content = f"only class '{found[0].name}'" if found else "no class folder with images"
        if loose := sum(map(is_image, part.files)):
            content += f" ({loose:,} image{'s' if loose > 1 else ''} directly in it)"
        raise UserError(
            f"{where} has {content}: needs two or more folders, one a class, with images "
            f"({', '.join(sorted(SUFFIXES))}){_deeper(part, where)}"
        )
    _refuse_twins(found, where, "are written alike", lambda folder: spelled(folder.name))
    _refuse_twins(found, where, "are one folder, by a link", lambda folder: folder.identity)
    return found


def _classes(part: Folder) -> list[Folder]:
    return [folder for folder in part.folders if has_images(folder)]


def _deeper(part: Folder, where: str) -> str:
    """Name the folder that was probably meant, one or two steps down."""
    path = where
    for _ in range(2):
        inner = _classes(part)
        if len(inner) != 1:
            return ""
        part, path = inner[0], f"{path}/{inner[0].name}"
        if len(_classes(part)) > 1:
            return f"; did you mean {path}?"
    return ""


def _refuse_twins(
    folders: Iterable[Folder], where: str, how: str, key: Callable[[Folder], object]
) -> None:
    first: dict[object, Folder] = {}
    for folder in folders:
        if (known := key(folder)) is None:
            continue
        other = first.setdefault(known, folder)
        if other is not folder:
            raise UserError(
                f"in {where} the classes '{other.name}' and '{folder.name}' {how}: rename or "
                "remove one"
            )


def spelled(name: str) -> str:
    """Return a name as it is compared: macOS writes accents in another way (NFD) than others."""
    return unicodedata.normalize("NFC", as_text(name))


def label_of(folder: Folder, classes: Sequence[str], where: str) -> int:
    """Return the class number of a folder of another part. Raises UserError where there is none."""
    by_spelling = {spelled(name): label for label, name in enumerate(classes)}
    if (label := by_spelling.get(spelled(folder.name))) is not None:
        return label
    raise UserError(
        f"class '{folder.name}' is in {where} but training has no images of it"
        f"{nearest(folder.name, classes)}; training has {', '.join(classes[:8])}: rename or remove "
        f"{where}/{folder.name}"
    )


def is_image(name: str) -> bool:
    """Whether a file's suffix is that of an image."""
    return suffix(name) in SUFFIXES


def suffix(name: str) -> str:
    """Return the suffix of a file's name in small letters, such as `.jpg`, or ""."""
    _, dot, end = name.rpartition(".")
    return (dot + end).lower() if dot else ""


def images_under(folder: Folder) -> list[tuple[str, ...]]:
    """Return the images of a folder and its sub-folders: names from this folder on, sorted."""
    return [path for path in files_under(folder) if is_image(path[-1])]


def has_images(folder: Folder) -> bool:
    """Whether there is an image in a folder or below it."""
    return any(is_image(path[-1]) for path in each_file(folder))


def part_notes(part: Folder, word: str) -> list[str]:
    """Say what a part holds beside the images of its classes; `word` is `training` or so."""
    notes = []
    if loose := [name for name in part.files if is_image(name)]:
        notes.append(_beside(loose, f"the class folders of {word}"))
    if empty := [folder.name for folder in part.folders if not has_images(folder)]:
        notes.append(f"class folders of {word} without images: {_listed(empty)}")
    notes += left_out([folder for folder in part.folders if has_images(folder)], word)
    return notes


def left_out(folders: Iterable[Folder], word: str) -> list[str]:
    """Say which files in these folders are not taken for images, with their suffixes."""
    others, odd = [], []
    for folder in folders:
        above = (folder.name,)
        others += [(*above, *p) for p in files_under(folder) if not is_image(p[-1])]
        odd += [(*above, *p) for p in odd_under(folder)]
    notes = []
    if others:
        kinds = Counter(suffix(path[-1]) or "none" for path in others)
        listed = ", ".join(f"{kind} {count:,}" for kind, count in kinds.most_common(8))
        files = f"{len(others):,} file{'s' if len(others) > 1 else ''}"
        notes.append(
            f"{files} in {word} left out, by suffix ({listed}): {_listed(map('/'.join, others))}"
        )
    if odd:
        notes.append(
            f"{len(odd):,} in {word} left out, being no files (links that lead nowhere, pipes): "
            f"{_listed(map('/'.join, odd))}"
        )
    return notes


def _beside(names: Sequence[str], what: str) -> str:
    images = "1 image lies" if len(names) == 1 else f"{len(names):,} images lie"
    return f"{images} beside {what} and {'is' if len(names) == 1 else 'are'} not used: " + _listed(
        names
    )


def _listed(names: Iterable[str]) -> str:
    """Return the first names, and "..." where there are more."""
    every = list(names)
    return ", ".join(every[:NAMED]) + (", ..." if len(every) > NAMED else "")
