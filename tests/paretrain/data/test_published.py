"""Published image sets: their real file formats, downloads, and the test part left alone."""

import gzip
import hashlib
import io
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from torchvision import datasets

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.formats import BatchFields
from paretrain.data.load import load_data
from paretrain.data.locate import resolve_source
from paretrain.data.names import SIDES, short_name
from paretrain.data.parts import Part
from paretrain.paths import cache_folder
from paretrain.testset import load_test

CLASSES = 10
RAW_SIDE = {"MNIST": 28, "FashionMNIST": 28, "KMNIST": 28, "STL10": 96}


@dataclass
class Written:
    """What a set's files hold, as (N, H, W, 3), and where they are."""

    name: str
    folder: Path
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]

    def config(self, **fields: object) -> DataConfig:
        side = RAW_SIDE.get(self.name, 32)
        return DataConfig.model_validate({"source": self.name, "image_size": side} | fields)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def draw(name: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images and labels; every class comes equally often."""
    draws = np.random.default_rng(seed)
    side = RAW_SIDE.get(name, 32)
    channels = 1 if name.endswith("MNIST") else 3
    images = draws.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return images.repeat(4 - channels, axis=3)[..., :3], np.arange(count) % CLASSES


# Writers, byte for byte as the published files are ------------------------------------------------


def text2(text: str) -> bytes:
    """A string as Python 2 pickled it."""
    content = text.encode("latin-1")
    return b"U" + bytes([len(content)]) + content


def integers2(values: list[int]) -> bytes:
    return b"](" + b"".join(b"K" + bytes([value]) for value in values) + b"e"


def words2(values: list[str]) -> bytes:
    return b"](" + b"".join(text2(value) for value in values) + b"e"


def array2(pixels: np.ndarray) -> bytes:
    """A uint8 matrix as NumPy under Python 2 pickled it, protocol 2."""
    rows, columns = pixels.shape
    content = pixels.tobytes()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
        + b"J" + struct.pack("<i", rows) + b"J" + struct.pack("<i", columns) + b"\x86"
        + b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        + b"K\x00tb\x89T" + struct.pack("<i", len(content)) + content + b"tb"
    )  # fmt: skip


def batch2(**fields: bytes) -> bytes:
    return b"\x80\x02}(" + b"".join(text2(key) + value for key, value in fields.items()) + b"u."


def batches(key: str, images: np.ndarray, labels: np.ndarray, count: int) -> list[bytes]:
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return [
        batch2(
            batch_label=text2("training batch 1 of 5"),
            # CIFAR-100 has labels of both kinds; only the fine ones are classes.
            coarse_labels=integers2([19] * len(some)),
            **{key: integers2(some_labels.tolist())},
            data=array2(some),
            filenames=words2([f"image_s_{i:06}.png" for i in range(len(some))]),
        )
        for some, some_labels in zip(
            np.array_split(rows, count), np.array_split(labels, count), strict=True
        )
    ]


def archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def idx(values: np.ndarray) -> bytes:
    head = struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(head + values.astype(np.uint8).tobytes(), compresslevel=1)


def mat(images: np.ndarray, labels: np.ndarray) -> bytes:
    out = io.BytesIO()
    ten_for_zero = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
    savemat(out, {"X": images.transpose(1, 2, 3, 0), "y": ten_for_zero})
    return out.getvalue()


def files(written: Written, only_train: bool) -> dict[str, bytes]:
    """The published files of a set by their place in the folder."""
    name, kind = written.name, getattr(datasets, written.name)
    parts = {"train": written.train} | ({} if only_train else {"test": written.test})
    if name.startswith("CIFAR"):
        key = "labels" if name == "CIFAR10" else "fine_labels"
        words = [f"class {i}" for i in range(CLASSES)]
        members = {kind.meta["filename"]: batch2(**{kind.meta["key"]: words2(words)})}
        for part, (images, labels) in parts.items():
            listed = [file for file, _ in getattr(kind, f"{part}_list")]
            members |= dict(zip(listed, batches(key, images, labels, len(listed)), strict=True))
        inside = {f"{kind.base_folder}/{file}": content for file, content in members.items()}
        return {kind.filename: archive(inside)}
    if name == "STL10":
        inside = {f"{kind.base_folder}/class_names.txt": b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n"}
        for part, (images, labels) in parts.items():
            pixels = images.transpose(0, 3, 2, 1).tobytes()
            inside[f"{kind.base_folder}/{part}_X.bin"] = pixels
            inside[f"{kind.base_folder}/{part}_y.bin"] = (labels + 1).astype(np.uint8).tobytes()
        return {kind.filename: archive(inside)}
    if name == "SVHN":
        return {f"{part}_32x32.mat": mat(*arrays) for part, arrays in parts.items()}
    written_files = {}
    for part, (images, labels) in parts.items():
        prefix = f"{name}/raw/{'train' if part == 'train' else 't10k'}"
        written_files[f"{prefix}-images-idx3-ubyte.gz"] = idx(images[..., 0])
        written_files[f"{prefix}-labels-idx1-ubyte.gz"] = idx(labels)
    return written_files


def publish(name: str, sums: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torchvision's class name these check sums, and an address of ours."""
    kind = getattr(datasets, name)
    if name == "SVHN":
        listed = {
            part: [f"{url}/{file}", file, sums.get(file, old)]
            for part, (_, file, old) in kind.split_list.items()
        }
        monkeypatch.setattr(kind, "split_list", listed)
    elif name.endswith("MNIST"):
        monkeypatch.setattr(kind, "mirrors", [f"{url}/nowhere/", f"{url}/{name}/raw/"])
        resources = [(f, sums.get(f"{name}/raw/{f}", old)) for f, old in kind.resources]
        monkeypatch.setattr(kind, "resources", resources)
    else:
        monkeypatch.setattr(kind, "url", f"{url}/{kind.filename}")
        monkeypatch.setattr(kind, "tgz_md5", sums[kind.filename])


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Whoever asks for a server meets a closed door. Gives the folder of downloads."""
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PARETRAIN_DATA", str(tmp_path / "downloads"))
    return tmp_path / "downloads"


Writer = Callable[..., Written]


@pytest.fixture
def write(offline: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    """Writes a small set in its real format: 40 training and 20 test images of 10 classes."""

    def make(
        name: str, only_train: bool = False, url: str = "http://host.invalid", at: Path = offline
    ) -> Written:
        written = Written(name, at, draw(name, 40, seed=1), draw(name, 20, seed=2))
        contents = files(written, only_train)
        for place, content in contents.items():
            (at / place).parent.mkdir(parents=True, exist_ok=True)
            (at / place).write_bytes(content)
        sums = {place: md5(content) for place, content in contents.items()}
        publish(name, sums, url, monkeypatch)
        return written

    return make


def as_set(images: np.ndarray, labels: np.ndarray) -> list[tuple[bytes, int]]:
    pixels = [image.transpose(2, 0, 1).tobytes() for image in images]
    return sorted(zip(pixels, labels.tolist(), strict=True))


def contents(*parts: Part) -> list[tuple[bytes, int]]:
    pixels = [image.numpy().tobytes() for part in parts for image in part.images_NCHW]
    labels = [label for part in parts for label in part.labels_N.tolist()]
    return sorted(zip(pixels, labels, strict=True))


# Formats -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIDES)
def test_images_and_labels_are_those_of_the_files(write: Writer, name: str) -> None:
    written = write(name)
    data, test = load_data(written.config()), load_test(written.config())
    assert test is not None
    assert contents(data.train, data.val) == as_set(*written.train)
    assert contents(test) == as_set(*written.test)
    assert len(data.classes) == CLASSES
    assert set(data.val.labels_N.tolist()) == set(range(CLASSES))


@pytest.mark.parametrize("name", [name for name in SIDES if not name.startswith("CIFAR")])
def test_torchvision_reads_the_same_from_these_files(write: Writer, name: str) -> None:
    """The files written here are in the published formats: torchvision's own readers agree."""
    written = write(name)
    if name.endswith("MNIST"):
        for file in written.folder.rglob("*.gz"):
            file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        oracle = getattr(datasets, name)(written.folder, train=True)
    elif name == "STL10":
        with tarfile.open(written.folder / datasets.STL10.filename) as tar:
            tar.extractall(written.folder, filter="data")
        oracle = datasets.STL10.__new__(datasets.STL10)
        oracle.root = str(written.folder)
        oracle.data, oracle.labels = oracle._STL10__loadfile("train_X.bin", "train_y.bin")
        oracle.transform = oracle.target_transform = None
    else:
        oracle = datasets.SVHN(written.folder, split="train")
    images = np.stack([np.asarray(oracle[i][0].convert("RGB")) for i in range(40)])
    labels = np.array([oracle[i][1] for i in range(40)])
    data = load_data(written.config())
    assert contents(data.train, data.val) == as_set(images, labels)


@pytest.mark.parametrize(("name", "last"), [("CIFAR10", "class 9"), ("MNIST", "9 - nine")])
def test_classes_have_their_names(write: Writer, name: str, last: str) -> None:
    assert load_data(write(name).config()).classes[-1] == last


def test_a_pickle_is_read_without_running_it(tmp_path: Path) -> None:
    """os.mkdir(...) as an unpickler would call it, between two honest fields."""
    harm = tmp_path / "harm"
    call = b"cposix\nmkdir\n" + text2(str(harm)) + b"\x85R"
    fields = BatchFields(batch2(labels=integers2([3, 1]), filenames=call, data=text2("abc")))
    assert fields.numbers("labels") == [3, 1]
    assert fields.array("data").tobytes() == b"abc"
    assert not harm.exists()


# What is touched ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIDES)
def test_training_needs_no_file_of_the_test_part(write: Writer, name: str) -> None:
    written = write(name, only_train=True)
    data = load_data(written.config())
    assert contents(data.train, data.val) == as_set(*written.train)


@pytest.mark.parametrize("name", ["MNIST", "SVHN"])
def test_the_test_part_is_asked_for_by_the_test_only(write: Writer, name: str) -> None:
    written = write(name, only_train=True)
    load_data(written.config())
    with pytest.raises(UserError, match="cannot download t"):
        load_test(written.config())


def test_second_load_reads_neither_archive_nor_pixels(
    write: Writer, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write("CIFAR10")
    first = load_data(written.config())
    for file in offline.iterdir():
        file.unlink()
    second = load_data(written.config())
    assert contents(second.train) == contents(first.train)
    assert second.fingerprint == first.fingerprint


@pytest.mark.parametrize("damage", ["empty", "cut off", "changed", "objects", "other type"])
def test_damaged_arrays_in_the_cache_are_made_again(write: Writer, damage: str) -> None:
    write("MNIST")
    config = DataConfig(source="MNIST", image_size=8)
    first = load_data(config)
    (stored,) = cache_folder().glob("MNIST-train-*.npz")
    whole = stored.read_bytes()
    for cached in cache_folder().glob("*.json"):
        cached.unlink()
    match damage:
        case "empty":
            stored.write_bytes(b"")
        case "cut off":
            stored.write_bytes(whole[: len(whole) // 2])
        case "changed":
            stored.write_bytes(whole[:400] + bytes([whole[400] ^ 1]) + whole[401:])
        case "objects":
            objects = np.array([print, None], dtype=object)
            np.savez(stored, images=objects, labels=objects, classes=objects)
        case _:
            np.savez(stored, images=np.zeros(3), labels=np.zeros(3), classes=np.zeros(3))
    again = load_data(config)
    assert again.fingerprint == first.fingerprint
    assert again.classes == first.classes


def test_same_image_in_two_parts_is_told(write: Writer) -> None:
    written = write("FashionMNIST")
    written.train[0][:] = written.train[0][:1]
    for place, content in files(written, only_train=True).items():
        (written.folder / place).write_bytes(content)
    sums = [md5((written.folder / p).read_bytes()) for p in files(written, only_train=True)]
    kind = datasets.FashionMNIST
    kind.resources[:2] = [
        (file, total) for (file, _), total in zip(kind.resources[:2], sums, strict=True)
    ]
    (said, _) = load_data(written.config()).warnings
    assert said.startswith("10 images are in training and in validation alike, such as train image")


# Downloads ---------------------------------------------------------------------------------------


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """Address and folder of a web server on this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(Silent, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}", folder
        finally:
            running.shutdown()
            thread.join()


@pytest.mark.parametrize("name", ["CIFAR10", "MNIST", "SVHN"])
def test_first_use_downloads_the_training_part_once(
    write: Writer, server: tuple[str, Path], offline: Path, name: str
) -> None:
    url, served = server
    written = write(name, url=url, at=served)
    data = load_data(written.config())
    assert contents(data.train, data.val) == as_set(*written.train)
    found = {str(p.relative_to(offline)) for p in offline.rglob("*") if p.is_file()}
    expected = {str(p.relative_to(served)) for p in served.rglob("*") if p.is_file()}
    assert found == {f for f in expected if "t10k" not in f and not f.startswith("test")}
    for file in served.rglob("*"):
        if file.is_file():
            file.unlink()
    assert load_data(written.config()).fingerprint == data.fingerprint


def test_download_that_breaks_off_leaves_nothing_in_the_way(
    write: Writer, server: tuple[str, Path], offline: Path
) -> None:
    url, served = server
    written = write("CIFAR10", url=url, at=served)
    (file,) = served.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with pytest.raises(UserError, match=r"cannot download cifar-10-python\.tar\.gz.*corrupted"):
        load_data(written.config())
    assert not offline.exists()
    file.write_bytes(whole)
    load_data(written.config())
    assert [p.name for p in offline.iterdir()] == [file.name]


def test_damaged_file_is_downloaded_again(
    write: Writer, server: tuple[str, Path], offline: Path
) -> None:
    url, served = server
    written = write("CIFAR10", url=url, at=served)
    offline.mkdir()
    (offline / datasets.CIFAR10.filename).write_bytes(b"half of it")
    data = load_data(written.config())
    assert contents(data.train, data.val) == as_set(*written.train)


@pytest.mark.parametrize("name", SIDES)
def test_without_a_network_one_line_says_what_was_tried_and_where_files_go(
    offline: Path, name: str
) -> None:
    with pytest.raises(UserError) as refused:
        load_data(DataConfig(source=name))
    said = str(refused.value)
    assert "\n" not in said
    kind = getattr(datasets, name)
    urls = [kind.split_list["train"][0]] if name == "SVHN" else getattr(kind, "mirrors", [])
    assert all(url in said for url in urls or [kind.url])
    assert "Connection refused" in said
    assert "connect to the network, or place the file with MD5" in said and str(offline) in said
    assert not offline.exists()


def test_folder_of_downloads_that_cannot_be_made_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    monkeypatch.setenv("PARETRAIN_DATA", str(blocked / "downloads"))
    with pytest.raises(UserError, match=r"cannot make folder .*PARETRAIN_DATA"):
        load_data(DataConfig(source="CIFAR10"))


def test_downloads_lie_in_the_cache_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, quiet_machine: Path
) -> None:
    monkeypatch.delenv("PARETRAIN_DATA")
    with pytest.raises(UserError, match=f"in {quiet_machine / 'torchvision'}"):
        load_data(DataConfig(source="CIFAR10"))


# Names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["cifar10", "CIFAR10", "Cifar10"])
def test_letters_of_a_name_may_be_small(typed: str) -> None:
    assert resolve_source(typed) == "CIFAR10"
    assert short_name("CIFAR10") == "cifar10"


def test_a_folder_of_that_name_comes_first_but_for_the_exact_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cifar10", "CIFAR100"):
        (tmp_path / name).mkdir(exist_ok=True)
    assert resolve_source("cifar10") == str(tmp_path / "cifar10")
    assert resolve_source("CIFAR100") == "CIFAR100"
    assert resolve_source("./CIFAR100") == str(tmp_path / "CIFAR100")


def test_every_name_is_a_class_of_torchvision() -> None:
    for name in SIDES:
        assert getattr(datasets, name).__name__ == name
