"""Images named by a CSV file: columns, parts, odd but valid files, and rows that are wrong."""

import random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data import csv_table
from paretrain.data.load import load_data
from paretrain.data.locate import open_source
from paretrain.data.names import short_name
from paretrain.data.parts import ImageData, Part
from paretrain.testset import load_test

FolderMaker = Callable[..., Path]


@pytest.fixture
def images(image_folder: FolderMaker) -> Path:
    """Ten pictures, `cat/000.png` to `dog/004.png`."""
    return image_folder(train=5, flat=True)


ROWS = [f"{name}/00{i}.png,{name}" for name in ("cat", "dog") for i in range(5)]


SPLIT3 = "path,label,split"
SPLIT_ROWS = [row.split(",") for row in ROWS]


def load(file: Path, **fields: object) -> ImageData:
    return load_data(config(file, **fields))


def config(file: Path, **fields: object) -> DataConfig:
    return DataConfig.model_validate({"source": str(file), "image_size": 8} | fields)


def write(file: Path, rows: Iterable[str], header: str = "path,label") -> Path:
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def with_split(*splits: str) -> list[str]:
    """Rows of cats, then dogs, with these values in the third column for each."""
    return [f"{row},{splits[i % 5]}" for i, row in enumerate(ROWS)]


def names(part: Part) -> set[str]:
    return set(part.names)


def contents(part: Part) -> list[tuple[bytes, int]]:
    pixels = [image.numpy().tobytes() for image in part.images_NCHW]
    return sorted(zip(pixels, part.labels_N.tolist(), strict=True))


def test_rows_give_the_same_images_as_the_folder(images: Path) -> None:
    from_csv = load(write(images / "all.csv", ROWS))
    from_folder = load(images)
    assert from_csv.classes == ("cat", "dog")
    assert contents(from_csv.train) == contents(from_folder.train)
    assert contents(from_csv.val) == contents(from_folder.val)
    assert from_csv.fingerprint == from_folder.fingerprint
    assert load_test(config(images / "all.csv")) is None


def test_paths_start_at_the_folder_that_is_given(images: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file = write(tmp_path / "elsewhere" / "all.csv", ROWS)
    with pytest.raises(UserError, match=r"all\.csv row 2: no image file 'cat/000\.png'.*--images"):
        load(file)
    data = load(file, images=str(images))
    beside = load(write(images / "all.csv", ROWS))
    assert data.fingerprint == beside.fingerprint


def test_absolute_paths_are_taken_as_they_are(images: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "all.csv", [f"{images}/{row}" for row in ROWS])
    assert contents(load(file).train) == contents(load(images).train)


def test_columns_may_have_other_names_and_any_order(images: Path) -> None:
    rows = [f"{i},{row.split(',')[1]},{row.split(',')[0]}" for i, row in enumerate(ROWS)]
    file = write(images / "all.csv", rows, header="id,kind of animal,file name")
    data = load(file, columns=("file name", "kind of animal"))
    assert data.fingerprint == load(images).fingerprint


@pytest.mark.parametrize("val", ["val", "valid", "validation", "VAL", " Validation "])
def test_split_column_decides_the_parts(images: Path, val: str) -> None:
    rows = with_split("train", "Train", val, "test", "TRAIN")
    file = write(images / "all.csv", rows, header="path,label,split")
    data, test = load(file), load_test(config(file))
    assert test is not None
    assert names(data.train) == {f"{c}/00{i}.png" for c in ("cat", "dog") for i in (0, 1, 4)}
    assert names(data.val) == {"cat/002.png", "dog/002.png"}
    assert names(test) == {"cat/003.png", "dog/003.png"}
    assert Counter(test.labels_N.tolist()) == {0: 1, 1: 1}


def test_validation_is_split_off_where_no_row_is_for_it(images: Path) -> None:
    rows = with_split("train", "train", "train", "train", "test")
    data = load(write(images / "all.csv", rows, header="path,label,split"))
    assert len(data.train) == 6 and len(data.val) == 2
    assert not (names(data.train) | names(data.val)) & {"cat/004.png", "dog/004.png"}


def test_search_needs_no_file_of_the_test_rows(images: Path) -> None:
    rows = with_split("train", "train", "val", "train", "test")
    file = write(images / "all.csv", rows, header="path,label,split")
    (images / "dog/004.png").unlink()
    load(file)
    with pytest.raises(UserError, match=r"row 11: no image file 'dog/004\.png'"):
        load_test(config(file))


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffpath,label\n" + "\n".join(ROWS),
        "path,label\r\n" + "\r\n".join(ROWS) + "\r\n",
        "\n\npath,label\n\n" + "\n\n".join(ROWS) + "\n\n\n",
        '"path","label"\n' + "\n".join(f'"{r.split(",")[0]}","{r.split(",")[1]}"' for r in ROWS),
        "path,label,note\n" + "\n".join(f'{row},"one, ""two""\nthree"' for row in ROWS),
        "path,label\n" + "\n".join(row.replace(",", " , ") for row in ROWS),
        "path;label\n" + "\n".join(row.replace(",", ";") for row in ROWS),
        "sep\tlabel\tpath\n" + "\n".join(f"a,b\t{k}\t{p}" for p, k in SPLIT_ROWS),
        "path , label \n" + "\n".join(f'"{p}" ,{k}' for p, k in SPLIT_ROWS),
        "path,label\n" + "\n".join(f"{row},," for row in ROWS),
        "path,label\n" + "\n".join(row.replace("/", "\\") for row in ROWS),
        "path,label\n" + "\n".join(row.replace(".png", "") for row in ROWS),
    ],
    ids=[
        *("byte order mark", "CRLF", "blank lines", "quoted", "commas in quotes", "spaces"),
        *("semicolons", "tabs", "space after a quote", "empty ends", "from Windows", "no suffix"),
    ],
)
def test_usual_ways_to_write_a_csv_file_are_read(images: Path, text: str) -> None:
    file = images / "all.CSV"
    file.write_bytes(text.encode("utf-8"))
    data, plain = load(file), load(images)
    assert contents(data.train) == contents(plain.train)
    assert contents(data.val) == contents(plain.val)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mark_tells_the_encoding(images: Path, encoding: str) -> None:
    file = images / "all.csv"
    file.write_bytes("path,label\n{}\n".format("\n".join(ROWS)).encode(encoding))
    assert load(file).fingerprint == load(images).fingerprint


def test_accents_may_be_written_in_another_way(images: Path) -> None:
    (images / "cat").rename(images / "cafe\u0301")
    rows = [row.replace("cat/", "caf\u00e9/") for row in ROWS]
    assert len(load(write(images / "all.csv", rows)).train) == 8


def test_two_files_that_a_path_without_suffix_could_be_are_named(images: Path) -> None:
    (images / "cat/001.jpg").write_bytes(b"")
    rows = [row.replace(".png", "") for row in ROWS]
    with pytest.raises(UserError, match=r"there are 001\.jpg and 001\.png: write which"):
        load(write(images / "all.csv", rows))


def test_labels_stay_text(images: Path) -> None:
    rows = [row.replace(",cat", ",NA").replace(",dog", ",001") for row in ROWS]
    assert load(write(images / "all.csv", rows)).classes == ("001", "NA")


def test_broken_images_are_skipped_in_a_csv_too(images: Path) -> None:
    file = write(images / "all.csv", ROWS)
    (images / "cat/001.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"broken image .*cat/001\.png.*--skip-broken"):
        load(file)
    data = load(file, skip_broken=True)
    assert data.train.broken + data.val.broken == ("cat/001.png",)
    assert len(data.train) + len(data.val) == 9


def test_same_image_in_training_and_validation_rows_is_told(images: Path) -> None:
    rows = [*with_split("train", "train", "train", "train", "val"), "cat/000.png,cat,val"]
    said = load(write(images / "all.csv", rows, header="path,label,split")).warnings
    assert any(w.startswith("1 image is in training and in validation alike") for w in said)


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["", *ROWS, "cat/009.png,cat"], "path,label", r"row 13: no image file 'cat/009\.png'"),
        (["cat,cat", *ROWS], "path,label", r"row 2: no image file 'cat' in"),
        ([*ROWS, "cat/000.png,"], "path,label", r"row 12: column 'label' is empty"),
        ([*ROWS, ",cat"], "path,label", r"row 12: column 'path' is empty"),
        ([*ROWS, "cat/000.png"], "path,label", r"row 12: column 'label' is empty"),
        (
            [*ROWS, "cat/000.png,cat,x"],
            "path,label",
            "row 12 has 3 fields, the header 2",
        ),
        (["a,b,c"], "path,label", "row 2 has 3 fields, the header 2"),
        (['"a,b'], "path,label", "not a CSV file: row 2: a quote is not closed"),
        (
            with_split("train", "val", "tset", "x", "y"),
            "path,label,split",
            "row 4: split is 'tset'",
        ),
        (with_split("train", "val", "", "x", "y"), "path,label,split", "row 4: split is ''"),
        (with_split(*["test"] * 5), "path,label,split", "has no rows for training"),
        (
            with_split("train", "val", "other", "test", "train"),
            "path,label,Set",
            "column 'Set' has names of parts, and also 'other': write train, val or test",
        ),
        (
            with_split("1", "0", "1", "1", "1"),
            "path,label,is_train",
            "column 'is_train' says that some rows are not for training, but not what for",
        ),
        (
            [f"{row},test" for row in with_split(*["train"] * 5)],
            "path,label,set,fold",
            "has columns 'set' and 'fold', which both could say",
        ),
        (ROWS, "path,label,label", "has two columns 'label': rename one"),
        (
            [*with_split(*["train"] * 5), "cat/001.png,bird,val"],
            "path,label,split",
            "row 12: label 'bird'",
        ),
        (ROWS, "Path,label", r"no column 'path' \(did you mean 'Path'\?\)"),
        (ROWS[:5], "path,label", "only class 'cat'"),
        ([], "path,label", "has no rows for training"),
    ],
)
def test_wrong_rows_are_named(images: Path, rows: list[str], header: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        load(write(images / "all.csv", rows, header))
    assert "\n" not in str(refused.value) and "all.csv" in str(refused.value)


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("Split", ("train", "train", "val", "test", "train")),
        ("set", ("Training", "training", "dev", "Test", "training")),
        ("dataset", ("TRAIN", "TRAIN", "VALID", "TEST", "TRAIN")),
        ("fold", ("train", "train", "validation", "holdout", "train")),
    ],
)
def test_columns_with_names_of_parts_are_parts_and_that_is_told(
    images: Path, header: str, values: tuple[str, ...]
) -> None:
    file = write(images / "all.csv", with_split(*values), header=f"path,label,{header}")
    data, test = load(file), load_test(config(file))
    assert test is not None
    assert (len(data.train), len(data.val), len(test)) == (6, 2, 2)
    assert f"column '{header}' says which rows are training, validation and test" in data.warnings
    assert data.parts.startswith(f"training: 6 rows by column '{header}'; validation: 2 rows")


@pytest.mark.parametrize(("header", "part"), [("is_valid", "val"), ("Is Test", "test")])
@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("1", "0"), ("yes", "")])
def test_columns_of_yes_and_no_are_parts(
    images: Path, header: str, part: str, yes: str, no: str
) -> None:
    rows = with_split(no, no, no, yes, no)
    file = write(images / "all.csv", rows, header=f"path,label,{header}")
    data, test = load(file), load_test(config(file))
    held = {"cat/003.png", "dog/003.png"}
    assert not names(data.train) & held
    assert (names(data.val) if part == "val" else names(test) if test else set()) == held


@pytest.mark.parametrize("header", ["dataset", "fold", "set", "is_valid"])
def test_other_columns_of_such_names_are_no_parts(images: Path, header: str) -> None:
    rows = with_split("coco", "2", "web", "imagenet", "9")
    data = load(write(images / "all.csv", rows, header=f"path,label,{header}"))
    assert data.fingerprint == load(images).fingerprint and "all rows" in data.parts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,label\nü.png,cat\n".encode("latin-1"), r"not in UTF-8 \(byte fc in line 2\): save"),
        ("path,label\na.png,cat\n".encode("utf-16-le"), "no text: .* UTF-16 that begins with its"),
        (b"path," + b"x," * 200_000 + b"label\n", "has 200,002 columns, allowed are 1,000"),
        (b'path,label\n"' + b"x" * 200_000 + b'",cat\n', "row 2: a field has more than 131,072"),
        (b"path,label\n" + b"x," * 2_500_000 + b"\n", "row 2: it has more than 4,000,000 charac"),
        (b"path,label\n" + b"x" * 5_000 + b",cat\nb,dog\n", r"no image file 'x+\.\.\. \(5,000 cha"),
        (b"path,label\nC:\\data\\a.png,cat\nb,dog\n", "row 2: .* a path of another machine"),
        (b"path,label\n" + b"x/" * 4_000 + b"x,cat\nb,dog\n", r"row 2: no image file 'x/x/"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_files_that_are_not_read_are_refused_in_one_line(
    images: Path, content: bytes, message: str
) -> None:
    file = images / "all.csv"
    file.write_bytes(content)
    with pytest.raises(UserError, match=message) as refused:
        load(file)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 1000


def test_a_file_or_table_that_is_too_long_is_refused(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(images / "all.csv", ROWS)
    monkeypatch.setattr(csv_table, "MOST_ROWS", 10)
    with pytest.raises(UserError, match="has more than 10 rows"):
        load(file)
    monkeypatch.setattr(csv_table, "MOST_BYTES", 10)
    with pytest.raises(UserError, match=r"has 0 MB, allowed are 0"):
        load(file)


def test_study_is_named_after_the_file() -> None:
    assert short_name("/some/where/animals.2.csv") == "animals.2"


def test_damaged_files_are_read_or_refused_in_one_line(images: Path) -> None:
    whole = write(images / "all.csv", with_split("train", "train", "val", "test", "train"), SPLIT3)
    content, draws = whole.read_bytes(), random.Random(0)
    refused = 0
    for _ in range(300):
        spoilt = bytearray(content)
        for _ in range(draws.randint(1, 5)):
            at = draws.randrange(len(spoilt))
            new = bytes([draws.choice(b'",;\t\n\r|\\/\0\x1b\x80\xff\xfea0')])
            spoilt[at : at + draws.randint(0, 3)] = new * draws.randint(0, 4)
        whole.write_bytes(spoilt)
        try:
            source = open_source(config(whole))
            source.train_part(), source.val_part()
        except UserError as error:
            refused += 1
            assert len(str(error).splitlines()) == 1
    assert 50 < refused < 300
