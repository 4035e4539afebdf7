"""How folders are understood, case by case, from names alone."""

import random

import pytest

from paretrain.cli import UserError
from paretrain.data.image_formats import SUFFIXES
from paretrain.data.layout import class_folders, images_under, label_of, part_notes, understand
from paretrain.data.listing import Folder
from paretrain.data.part_names import part_of
from tests.harness import ROOT


def tree(*paths: str, name: str = "data") -> Folder:
    """The listing of a folder that holds these files; a path that ends in / is an empty folder."""
    inside: dict[str, list[str]] = {}
    files = []
    for path in paths:
        first, slash, rest = path.partition("/")
        if slash:
            inside.setdefault(first, []).extend([rest] if rest else [])
        else:
            files.append(first)
    folders = tuple(tree(*below, name=first) for first, below in sorted(inside.items()))
    return Folder(name, tuple(sorted(files)), folders)


def pets(*parts: str) -> list[str]:
    """Images of cat and dog in each of these folders; "" is the root."""
    return [f"{part}{name}/1.jpg" for part in parts for name in ("cat", "dog")]


def read(*paths: str) -> dict[str, str]:
    """Folders of the parts, and the classes."""
    layout = understand(tree(*paths), "data")
    parts: dict[str, str] = {
        split: "." if folder is layout.root else folder.name
        for split, folder in layout.parts.items()
    }
    classes = class_folders(layout.parts["train"], "data")
    return {**parts, "classes": ",".join(folder.name for folder in classes)}


def noted(*paths: str) -> tuple[str, ...]:
    return understand(tree(*paths), "data").notes


@pytest.mark.parametrize(
    ("paths", "parts"),
    [
        (pets(""), {"train": "."}),
        (pets("train/"), {"train": "train"}),
        (pets("train/", "val/", "test/"), {"train": "train", "val": "val", "test": "test"}),
        (pets("Train/", "Test/"), {"train": "Train", "test": "Test"}),
        (pets("TRAIN/", "Valid/"), {"train": "TRAIN", "val": "Valid"}),
        (pets("train/", "dev/"), {"train": "train", "val": "dev"}),
        (pets("training/", "eval/"), {"train": "training", "val": "eval"}),
        (pets("training_set/", "test_set/"), {"train": "training_set", "test": "test_set"}),
        (pets("Train Images/", "hold-out/"), {"train": "Train Images", "test": "hold-out"}),
        (pets("train/", "Validation_Data/"), {"train": "train", "val": "Validation_Data"}),
        # The usual name counts where there are several.
        (pets("train/", "val/", "valid/"), {"train": "train", "val": "val"}),
        (pets("train/", "valid/", "validation/"), {"train": "train", "val": "valid"}),
        (pets("train/", "Train/"), {"train": "train"}),
        (pets("train/", "Val/", "eval/"), {"train": "train", "val": "Val"}),
        (pets("train/", "test/", "holdout/"), {"train": "train", "test": "test"}),
        # A folder without class folders is no part.
        ([*pets("train/", "val/"), "validation/1.jpg"], {"train": "train", "val": "val"}),
        ([*pets("train/"), "test/1.jpg"], {"train": "train"}),
        ([*pets("train/"), "dev/1.jpg"], {"train": "train"}),
        ([*pets("train/"), "Test/notes.txt"], {"train": "train"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_parts_are_found_by_their_usual_names(paths: list[str], parts: dict[str, str]) -> None:
    assert read(*paths) == parts | {"classes": "cat,dog"}


@pytest.mark.parametrize(
    ("paths", "classes"),
    [
        (["bus/1.jpg", "car/1.jpg", "train/1.jpg"], "bus,car,train"),
        (["bus/1.jpg", "Train/1.jpg"], "Train,bus"),
        (["ops/1.jpg", "dev/1.jpg", "sales/1.jpg"], "dev,ops,sales"),
        (["ops/1.jpg", "dev/2019/1.jpg", "dev/2020/1.jpg"], "dev,ops"),
        (["train/train/1.jpg", "train/bus/1.jpg"], "bus,train"),
        (["train/test/1.jpg", "train/bus/1.jpg"], "bus,test"),
        (["cat/old/1.jpg", "dog/2.JPG", "empty/", "text/1.txt", "loose.jpg"], "cat,dog"),
    ],
)
def test_a_folder_of_images_may_be_a_class_of_any_name(paths: list[str], classes: str) -> None:
    assert read(*paths)["classes"] == classes


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (pets("training/", "Train/"), "has Train/ and training/: both could be the training part"),
        (pets("train/", "dev/", "eval/"), "has dev/ and eval/: both could be the validation part"),
        (pets("train/", "Test/", "testing/"), "both could be the test part: call one of them"),
        (pets("val/", "test/"), "a folder val/ but no train/"),
        (pets("dev/", "holdout/"), "a folder dev/ but no train/"),
        ([*pets(""), "test/1.jpg"], "a folder test/ but no train/: .* rename test/ if it is a"),
        ([*pets(""), "Test/1.jpg"], "a folder Test/ but no train/"),
        (pets("", "eval/"), "a folder eval/ but no train/"),
        (["train/1.jpg", "test/1.jpg"], "data/train holds images but no class folders"),
        (["Train/1.jpg", "Test/1.jpg", "notes.txt"], "data/Train holds images but no class fold"),
        ([*pets(""), "train/1.jpg", "test/1.jpg"], "has train/ and test/ beside class folders"),
        (pets("bottle/train/", "bottle/test/", "cup/train/"), "bottle/test/ and bottle/train/: p"),
        (["jar/train/1.jpg", "jar/dev/1.jpg", "cup/train/1.jpg"], "make it train/jar/ and so on"),
        (["train/cat/train/1.jpg", "train/cat/val/1.jpg", "train/dog/1.jpg"], "parts lie above"),
        ([], "data has no class folder with images"),
        (["train/"], "data has no class folder with images"),
        (["cat/", "dog/1.txt"], "no class folder with images"),
        (["1.jpg", "2.jpg"], r"no class folder with images \(2 images directly in it\)"),
        (["cat/1.jpg"], "only class 'cat': needs two or more folders"),
        (pets("pets/"), "only class 'pets': .*; did you mean data/pets\\?"),
        (pets("a/b/train/"), "only class 'a'"),
        (pets("pets/train/", "pets/test/"), "did you mean data/pets\\?"),
        (["caf\u00e9/1.jpg", "cafe\u0301/1.jpg"], "are written alike: rename or remove one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_could_mean_two_things_or_nothing_is_refused(paths: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        read(*paths)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("paths", "notes"),
    [
        (pets("train/", "test/"), []),
        ([*pets("train/"), "extra/1.jpg"], ["not used, beside the parts: extra/"]),
        (pets("train/", "val/", "valid/"), ["not used, beside the parts: valid/"]),
        ([*pets("train/"), "logo.png", "readme.md"], ["1 image lies beside the parts and is not"]),
        ([*pets("train/"), "test/1.jpg"], ["test/ has images but no class folders, so that not"]),
        (["cat/1.jpg", "Cat/1.jpg"], ["classes 'Cat' and 'cat' differ in capital letters"]),
        (pets("2019/", "2020/"), ["every class folder (2019, 2020) has the same sub-folders (ca"]),
    ],
)
def test_what_is_not_used_is_told(paths: list[str], notes: list[str]) -> None:
    said = noted(*paths)
    assert len(said) == len(notes)
    assert all(text.startswith(note) for text, note in zip(said, notes, strict=True))


def test_files_left_out_are_counted_by_suffix_and_named() -> None:
    part = tree(
        *("cat/1.jpg", "cat/2.heic", "cat/deep/3.HEIC", "cat/labels.txt", "dog/noise", "dog/1.png"),
        *("bird/", "fish/1.svg", "loose.jpg", "notes.txt"),
    )
    assert part_notes(part, "training") == [
        "1 image lies beside the class folders of training and is not used: loose.jpg",
        "class folders of training without images: bird, fish",
        "4 files in training left out, by suffix (.heic 2, .txt 1, none 1): cat/2.heic, "
        "cat/deep/3.HEIC, cat/labels.txt, ...",
    ]
    assert part_notes(tree(*pets("")), "training") == []


def test_accents_are_the_same_class_however_they_are_written() -> None:
    assert label_of(Folder("cafe\u0301"), ("bar", "caf\u00e9"), "val") == 1
    with pytest.raises(UserError, match=r"class 'Bar' is in val .*did you mean 'bar'"):
        label_of(Folder("Bar"), ("bar", "caf\u00e9"), "val")


def test_the_docs_name_every_suffix() -> None:
    page = (ROOT / "docs" / "images.md").read_text(encoding="utf-8")
    assert [suffix for suffix in SUFFIXES if f"`{suffix}`" not in page] == []


def test_images_come_in_the_order_of_their_paths() -> None:
    folder = tree("b.png", "a/2.png", "a/10.png", "c/1.png", "a.png")
    assert ["/".join(path) for path in images_under(folder)] == [
        *("a/10.png", "a/2.png", "a.png", "b.png", "c/1.png"),
    ]


@pytest.mark.parametrize("name", ["cat", "trained", "contest", "values", "latest", "tests"])
def test_other_words_are_no_parts(name: str) -> None:
    assert part_of(name) is None


ENDS = ["1.jpg", "a", ""]
"""An image, another file, an empty folder."""


def test_every_tree_is_understood_or_refused_in_one_line() -> None:
    draws = random.Random(0)
    names = ["train", "Train", "val", "dev", "test", "cat", "dog", "Cat", "caf\u00e9", "\n"]
    understood = 0
    for _ in range(2000):
        paths = [
            "/".join([*draws.choices(names, k=draws.randint(0, 3)), draws.choice(ENDS)])
            for _ in range(draws.randint(0, 8))
        ]
        try:
            layout = understand(tree(*(path for path in paths if path)), "data")
            classes = class_folders(layout.parts["train"], "data")
            understood += len(classes) > 1
            for part in layout.parts.values():
                part_notes(part, "a part")
        except UserError as error:
            assert "data" in str(error)
    assert 100 < understood < 1900
