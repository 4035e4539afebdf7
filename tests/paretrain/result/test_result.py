"""`python -m paretrain`: one folder, whole or not there, and a training that can be interrupted."""

import csv
import errno
import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

import paretrain
from paretrain import full_training
from paretrain.__main__ import main
from paretrain.checkpoint import save_checkpoint
from paretrain.cli import UserError
from paretrain.config import DataConfig, SearchedOn, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.load import load_data
from paretrain.locks import locked
from paretrain.result import pt2_archive
from paretrain.result import write as handover
from paretrain.result.folder import CHECKPOINT, FILES, ResultFolder
from paretrain.training import Training
from tests.harness import RunMain

MakeConfig = Callable[..., TrainConfig]
RESULT, PARTIAL = Path("runs/tiny"), Path("runs/tiny.partial")


@pytest.fixture
def train(
    monkeypatch: pytest.MonkeyPatch,
    run_main: RunMain,
    tmp_path: Path,
    image_folder: Callable[..., Path],
    tiny_config: MakeConfig,
) -> RunMain:
    """The command on tiny.yaml, 3 epochs on a folder of 20 images."""
    monkeypatch.chdir(tmp_path)
    root = image_folder(train=5, val=2, test=3)
    config = tiny_config(data=DataConfig(source=str(root), image_size=8), epochs=3, threads=1)
    Path("tiny.yaml").write_text("# Trial 7 of study pets\n# by hand\n" + config.to_yaml())

    return partial(run_main, main, "tiny.yaml", "--device", "cpu")


@pytest.fixture
def no_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed: exporting takes most of such a small training's time."""
    monkeypatch.setattr("paretrain.result.formats.can_write_onnx", lambda: False)


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def metrics() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULT / "metrics.json").read_text())
    return found


def card() -> str:
    return (RESULT / "README.md").read_text()


def curve() -> list[list[str]]:
    """But for the seconds."""
    header, *epochs = rows(RESULT / "curve.csv")
    at = header.index("seconds")
    return [row[:at] + row[at + 1 :] for row in epochs]


def interrupt_after(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C right after that epoch's checkpoint."""

    def save(training: Training, path: Path) -> None:
        save_checkpoint(training, path)
        if len(training.curve) == epoch:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(full_training, "save_checkpoint", save)


def test_the_folder_has_everything_and_all_of_it_agrees(train: RunMain) -> None:
    code, out, err = train()
    assert code == 0 and "test accuracy" in out and "on 6 images, opened once" in out
    assert "next: python -m paretrain.predict runs/tiny" in out and "1 thread" in err
    assert {path.name for path in RESULT.iterdir()} == FILES
    assert not PARTIAL.exists()
    found = metrics()
    header, *confusion = rows(RESULT / "confusion.csv")
    assert header[1:] == [row[0] for row in confusion] == ["cat", "dog"]
    counts = [[int(cell) for cell in row[1:]] for row in confusion]
    assert counts == found["test"]["confusion"] and sum(map(sum, counts)) == 6
    header, *classes = rows(RESULT / "per_class.csv")
    assert header == ["label", "images", "recall", "precision", "f1"]
    for i, row in enumerate(classes):
        named = sum(line[i] for line in counts)
        assert int(row[1]) == 3 and float(row[2]) == pytest.approx(counts[i][i] / 3)
        assert float(row[3]) == pytest.approx(counts[i][i] / named if named else 0)
    low, high = found["test"]["acc_interval_95"]
    assert low < found["test"]["acc"] <= high + 1e-9
    epochs = rows(RESULT / "curve.csv")
    assert len(epochs) == 4 and float(epochs[-1][epochs[0].index("val_acc")]) == found["val_acc"]
    for name in ("curve", "confusion", "per_class"):
        with Image.open(RESULT / f"{name}.png") as picture:
            assert min(picture.size) > 100
    asked, kept = (TrainConfig.from_file(p) for p in (Path("tiny.yaml"), RESULT / "config.yaml"))
    assert kept == asked.model_copy(
        update={"data": asked.data.model_copy(update={"source": "images"})}
    )


def test_the_card_has_what_model_hubs_and_people_read(train: RunMain) -> None:
    assert train()[0] == 0
    _, head, text = (RESULT / "README.md").read_text().split("---\n", 2)
    front = yaml.safe_load(head)
    assert front["pipeline_tag"] == "image-classification" and "onnx" in front["tags"]
    (model,) = front["model-index"]
    (result,) = model["results"]
    assert result["dataset"] == {"type": "images", "name": "images", "split": "test"}
    assert result["metrics"][0]["value"] == metrics()["test"]["acc"]
    assert "- Trial 7 of study pets\n- by hand" in text
    assert metrics()["data_fingerprint"] in text and 'paretrain.load("' in text
    assert f"**Test accuracy {metrics()['test']['acc']:.2%}** on 6 images" in text


@pytest.mark.usefixtures("no_onnx")
def test_a_result_is_replaced_only_when_that_is_asked_for_and_by_a_whole_one(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train()[0] == 0
    code, _, err = train()
    assert code == 2 and "already holds a result" in err and "--overwrite" in err
    with monkeypatch.context() as context:
        interrupt_after(1, context)
        assert train("--overwrite", "--seed", "5")[0] == 130
    assert metrics()["epochs"] == 3  # the former result is still whole
    assert train("--overwrite", "--seed", "5")[0] == 0
    assert TrainConfig.from_file(RESULT / "config.yaml").seed == 5
    assert [path.name for path in Path("runs").iterdir()] == ["tiny"]
    (RESULT / "thesis.txt").write_text("mine")
    code, _, err = train("--overwrite")
    assert code == 2 and "holds thesis.txt beside a result" in err
    assert (RESULT / "thesis.txt").exists()


@pytest.mark.usefixtures("no_onnx")
def test_files_of_the_user_are_never_deleted(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a result, beside an unfinished training, in a folder of the name that was used for
    the earlier result, or put there while the training ran."""
    Path("runs/tiny.former").mkdir(parents=True)
    Path("runs/tiny.former/thesis.txt").write_text("mine")
    Path("runs/tiny.former1").symlink_to("nowhere")
    assert train("--epochs", "1")[0] == 0
    with monkeypatch.context() as context:
        interrupt_after(1, context)
        assert train("--overwrite")[0] == 130
    (PARTIAL / "notes.txt").write_text("mine")
    (PARTIAL / ".checkpoint.pt.0123abcd.partial").write_text("ours, of a process that was killed")
    code, _, err = train("--overwrite")
    assert code == 2 and "holds notes.txt beside an unfinished training" in err
    assert (PARTIAL / CHECKPOINT).exists()
    (PARTIAL / "notes.txt").unlink()

    def meanwhile(_: Training, __: Path) -> None:
        (RESULT / "thesis.txt").write_text("mine, too")
        (PARTIAL / "thesis.txt").write_text("and this")

    with monkeypatch.context() as context:
        context.setattr(full_training, "save_checkpoint", meanwhile)
        code, _, err = train("--overwrite", "--epochs", "1")
    assert code == 0 and "held other files, too: they are in" in err and "tiny.former2" in err
    assert Path("runs/tiny.former/thesis.txt").read_text() == "mine"
    assert Path("runs/tiny.former1").is_symlink()
    assert [path.name for path in Path("runs/tiny.former2").iterdir()] == ["thesis.txt"]
    assert (RESULT / "thesis.txt").read_text() == "and this"


@pytest.mark.usefixtures("no_onnx")
def test_a_folder_that_appears_while_a_training_runs_is_kept_whole(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(_: Training, __: Path) -> None:
        RESULT.mkdir()
        (RESULT / "README.md").write_text("of another project")

    with monkeypatch.context() as context:
        context.setattr(full_training, "save_checkpoint", meanwhile)
        code, _, err = train("--epochs", "1")
    assert code == 0 and "runs/tiny.former" in err
    assert Path("runs/tiny.former/README.md").read_text() == "of another project"
    assert "metrics.json" in {path.name for path in RESULT.iterdir()}


def test_nothing_that_is_handed_over_names_a_folder_of_this_machine(
    train: RunMain, tmp_path: Path
) -> None:
    (tmp_path / "images/test/cat/000.png").write_bytes(b"broken")
    assert train("--epochs", "1")[0] == 2
    assert metrics()["untested"].startswith("broken image")
    for path in RESULT.iterdir():
        content = path.read_bytes()
        for place in (tmp_path, Path(paretrain.__file__).parents[1], Path.home() / "x"):
            assert str(place).encode() not in content, path


@pytest.mark.usefixtures("no_onnx")
def test_a_result_is_trained_again_from_its_own_configuration(train: RunMain) -> None:
    assert train("--epochs", "2")[0] == 0
    again = Path("again.yaml")
    again.write_bytes((RESULT / "config.yaml").read_bytes())
    first = curve()
    Path("images").rename("elsewhere")
    code, _, err = train("--overwrite")
    assert code == 2 and err.count("\n") == 1 and "--data" in err
    again.replace("tiny.yaml")
    assert train("--data", "elsewhere", "--overwrite")[0] == 0
    assert curve() == first
    for wrong in (("--data", "nowhere"), ("--images", "elsewhere")):
        code, _, err = train("--overwrite", *wrong)
        assert code == 2 and err.count("\n") == 1


@pytest.mark.usefixtures("no_onnx")
def test_images_that_the_search_did_not_have_are_said_on_screen_in_card_and_metrics(
    train: RunMain, image_folder: Callable[..., Path], tmp_path: Path
) -> None:
    image_folder("birds", classes=("ara", "jay", "owl"), train=4, val=2)
    config = TrainConfig.from_file(Path("tiny.yaml"))
    found = load_data(config.data)
    pets = SearchedOn(
        source="images", fingerprint=found.fingerprint, classes=2, names=found.classes
    )
    Path("tiny.yaml").write_text(config.model_copy(update={"searched_on": pets}).to_yaml())
    code, _, err = train("--epochs", "1")
    assert code == 0 and "search" not in err and metrics()["same_images_as_searched"] is True
    assert "a search chooses by it" in card()
    code, _, err = train("--epochs", "1", "--data", "birds", "--overwrite")
    other = "it used images (2 classes: cat, dog), this uses birds (3 classes: ara, jay, owl)"
    assert code == 0 and f"note: other images than in the search: {other}" in err
    assert other in card().replace("\\", "") and str(tmp_path) not in card()
    assert "a search chooses by it" not in card() and "did not choose by these images" in card()
    assert metrics()["same_images_as_searched"] is False and len(metrics()["classes"]) == 3
    assert TrainConfig.from_file(RESULT / "config.yaml").searched_on == pets


@pytest.mark.usefixtures("no_onnx")
def test_files_have_the_permissions_that_the_umask_asks_for(train: RunMain) -> None:
    for umask, expected in ((0o002, 0o664), (0o077, 0o600)):
        before = os.umask(umask)
        try:
            assert train("--epochs", "1", "--overwrite")[0] == 0
        finally:
            os.umask(before)
        assert {path.stat().st_mode & 0o777 for path in RESULT.iterdir()} == {expected}


@pytest.mark.usefixtures("no_onnx")
def test_the_same_training_gives_the_same_weights_file(train: RunMain) -> None:
    sums = set()
    for _ in range(3):
        assert train("--epochs", "1", "--overwrite")[0] == 0
        sums.add(metrics()["sha256"]["weights.safetensors"])
    assert len(sums) == 1


def test_a_network_that_no_machine_can_hold_is_one_line(
    train: RunMain, tiny_config: MakeConfig
) -> None:
    config = tiny_config()
    huge = VGGConfig(
        stages=(VGGStage(width=65536, kernels=("3x3",) * 900),), hidden=(65536,), dropout=(0.1,)
    )
    banded = VGGConfig(stages=(VGGStage(width=65536, kernels=("separable",) * 9),), norm="lrn")
    for network in (huge, banded):
        Path("tiny.yaml").write_text(config.model_copy(update={"network": network}).to_yaml())
        code, _, err = train()
        assert code == 2 and err.count("\n") == 1 and "more memory than this machine has" in err
    text = Path("tiny.yaml").read_text()
    Path("tiny.yaml").write_text(text.replace("65536", "10000000000"))
    code, _, err = train()
    assert code == 2 and err.count("\n") == 1 and "less than or equal to 65536" in err
    assert not Path("runs").exists()


def test_the_version_is_told(run_main: RunMain) -> None:
    assert run_main(main, "--version") == (0, f"paretrain {paretrain.__version__}\n", "")


@pytest.mark.usefixtures("no_onnx")
def test_a_result_behind_a_link_is_replaced_where_it_is(train: RunMain) -> None:
    Path("disk/best").mkdir(parents=True)
    Path("runs").mkdir()
    RESULT.symlink_to(Path("../disk/best"))
    assert train("--epochs", "1")[0] == 0
    assert train("--epochs", "2", "--overwrite")[0] == 0
    assert RESULT.is_symlink() and metrics()["epochs"] == 2
    assert [path.name for path in Path("disk").iterdir()] == ["best"]


def test_a_damaged_note_of_how_training_began_is_one_line(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        interrupt_after(1, context)
        assert train()[0] == 130
    for content in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
        (PARTIAL / "training.json").write_bytes(content)
        code, _, err = train("--resume")
        assert code == 2 and err.count("\n") == 1 and "training.json is damaged" in err


@pytest.mark.usefixtures("no_onnx")
def test_a_folder_of_other_things_is_never_touched(train: RunMain) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("mine")
    for overwrite in ((), ("--overwrite",)):
        code, _, err = train("--out", "mine", *overwrite)
        assert code == 2 and "holds other files, such as thesis.txt" in err
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.txt"]
    code, _, err = train("--out", "tiny.yaml")
    assert code == 2 and "is a file" in err
    Path("empty").mkdir()
    assert train("--out", "empty", "--epochs", "1")[0] == 0


@pytest.mark.usefixtures("no_onnx")
def test_ctrl_c_says_how_to_go_on_and_the_curve_is_that_of_an_uninterrupted_training(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        interrupt_after(2, context)
        code, _, err = train()
    assert code == 130
    last = err.splitlines()[-1]
    assert "interrupted after epoch 2 of 3" in last
    assert last.endswith("go on with: python -m paretrain tiny.yaml --device cpu --resume")
    assert not RESULT.exists() and (PARTIAL / CHECKPOINT).exists()
    code, _, err = train()
    assert code == 2 and "--resume" in err and "--overwrite" in err
    code, _, err = train("--resume", "--epochs", "9")
    assert code == 2 and "another configuration" in err and err.count("\n") == 1
    code, _, err = train("--resume")
    assert code == 0 and "goes on after epoch 2 of 3" in err
    resumed = curve()
    code, _, err = train("--resume")
    assert code == 2 and "already holds a result" in err
    assert train("--overwrite")[0] == 0
    assert curve() == resumed and len(resumed) == 3


def test_a_folder_into_which_another_process_trains_is_left_alone(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        interrupt_after(1, context)
        assert train()[0] == 130
    with locked(str(RESULT.resolve())):
        for how in ("--resume", "--overwrite"):
            code, _, err = train(how)
            assert code == 2 and "another process trains into runs/tiny" in err
    assert (PARTIAL / CHECKPOINT).exists()


def test_nothing_to_resume(train: RunMain) -> None:
    code, _, err = train("--resume")
    assert code == 2 and "nothing to go on with" in err
    assert not Path("runs").exists()


def test_an_interruption_before_the_first_epoch_leaves_nothing(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        full_training, "save_checkpoint", lambda *_: signal.raise_signal(signal.SIGTERM)
    )
    code, _, err = train()
    assert code == 130 and "nothing was kept" in err
    assert not any(Path("runs").iterdir())


@pytest.mark.usefixtures("no_onnx")
def test_a_crash_while_the_result_is_written_leaves_no_folder_that_looks_finished(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> dict[str, str]:
        raise OSError(errno.ENOSPC, "No space left on device", "model.pt2")

    with monkeypatch.context() as context:
        context.setattr(handover, "write_formats", full)
        code, _, err = train()
    assert code == 2 and "No space left on device" in err and "--resume" in err
    assert not RESULT.exists() and not (PARTIAL / "metrics.json").exists()
    code, out, err = train("--resume")
    assert code == 0 and "test accuracy" in out and "epoch   1/3" not in err
    assert {path.name for path in RESULT.iterdir()} == FILES - {"model.onnx"}


@pytest.mark.usefixtures("no_onnx")
def test_validation_images_may_be_trained_on_and_then_measure_nothing(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        interrupt_after(1, context)
        assert train("--with-validation")[0] == 130
    code, _, err = train("--resume")
    assert code == 2 and "was begun with --with-validation True" in err
    code, out, err = train("--with-validation", "--resume")
    assert code == 0 and "validation accuracy" not in out and "test accuracy" in out
    assert "14 training and no validation images" in err and "validation images are trained" in err
    assert "validation " not in next(line for line in err.splitlines() if "epoch   2/3" in line)
    header, *epochs = rows(RESULT / "curve.csv")
    assert {row[header.index("val_acc")] for row in epochs} == {""}
    assert metrics()["val_acc"] is None and metrics()["training_images"] == 14
    assert "The validation images were trained on" in (RESULT / "README.md").read_text()


@pytest.mark.usefixtures("no_onnx")
def test_a_share_of_the_training_images_is_what_is_said(
    train: RunMain, image_folder: Callable[..., Path], tiny_config: MakeConfig
) -> None:
    root = image_folder("pets", train=8, val=3)
    data = DataConfig(source=str(root), image_size=8)
    Path("tiny.yaml").write_text(tiny_config(data=data, share=0.5, threads=1).to_yaml())
    code, _, err = train()
    assert code == 0, err
    used = metrics()["training_images"]
    assert used == 8
    assert f"trained on {used} of 16 training images (share 0.5)" in card()


@pytest.mark.usefixtures("no_onnx")
def test_threads_that_no_one_named_are_measured_and_kept_when_a_training_goes_on(
    train: RunMain, tiny_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig.from_file(Path("tiny.yaml")).model_copy(update={"threads": None})
    Path("tiny.yaml").write_text(config.to_yaml())
    monkeypatch.setattr("paretrain.threads.cores", lambda: 2)
    monkeypatch.setattr("paretrain.threads.fastest_here", lambda *_: (2, {1: 40.0, 2: 70.0}))
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        code, _, err = train()
    assert code == 130 and "2 threads (measured: 1: 40, 2: 70 images/s; --threads)" in err
    monkeypatch.setattr("paretrain.threads.fastest_here", lambda *_: pytest.fail("measured anew"))
    torch.set_num_threads(1)
    code, _, err = train("--resume")
    assert code == 0 and "2 threads\n" in err and metrics()["threads"] == 2
    written = TrainConfig.from_file(RESULT / "config.yaml")
    assert written.threads is None, "another machine has other cores"


@pytest.mark.usefixtures("no_onnx")
def test_a_search_on_a_part_trains_on_that_part_and_says_so_or_on_all(
    train: RunMain, image_folder: Callable[..., Path], tiny_config: MakeConfig
) -> None:
    root = image_folder("pets", train=8, val=6)
    data = DataConfig(source=str(root), image_size=8, per_class=3, val_least=4)
    Path("tiny.yaml").write_text(tiny_config(data=data, threads=1).to_yaml())
    code, _, err = train()
    part = "6 of 16 training images (per_class 3)"
    assert code == 0 and f"note: trains on {part}, as its search did: --all-images" in err
    assert metrics()["validation_images"] == 6 and f"trained on {part}" in card()
    code, _, err = train("--all-images", "--overwrite")
    assert code == 0 and "--all-images" not in err
    assert (metrics()["training_images"], metrics()["validation_images"]) == (16, 12)
    assert "trained on 16 training images of 8x8 pixels" in card()
    assert TrainConfig.from_file(RESULT / "config.yaml").data.per_class is None


@pytest.mark.usefixtures("no_onnx")
def test_without_a_test_part_the_training_works_and_says_that_nothing_was_tested(
    train: RunMain, image_folder: Callable[..., Path], tiny_config: MakeConfig
) -> None:
    root = image_folder("pets", train=4, val=3)
    config = tiny_config(data=DataConfig(source=str(root), image_size=8), threads=1)
    Path("tiny.yaml").write_text(config.to_yaml())
    code, out, _ = train()
    assert code == 0 and "no test part in these data: nothing was tested" in out
    assert metrics()["test"] is None
    text = (RESULT / "README.md").read_text()
    assert "**Not tested**: the data have no test part." in text
    # What is measured on validation images says so, to people and to hubs.
    assert "split: validation" in text and "Confusion matrix of the validation images" in text
    assert sum(int(row[1]) for row in rows(RESULT / "per_class.csv")[1:]) == 6
    code, out, _ = train("--overwrite", "--with-validation")
    assert code == 0 and "model-index" not in (RESULT / "README.md").read_text()
    assert {path.name for path in RESULT.iterdir()} == FILES - {"model.onnx"} - {
        f"{name}.{kind}" for name in ("confusion", "per_class") for kind in ("csv", "png")
    }


def test_a_lack_of_memory_is_one_line_and_names_the_remedy(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lack(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Training, "_gradients", lack)
    code, _, err = train()
    assert code == 2 and err.splitlines()[-1] == (
        "error: out of memory: set micro_batch in tiny.yaml (now 32) to fewer images"
    )


def test_a_diverged_training_leaves_nothing(train: RunMain, tiny_config: MakeConfig) -> None:
    stages = tuple(VGGStage(width=8, kernels=("3x3",)) for _ in range(2))
    config = tiny_config(network=VGGConfig(stages=stages), optimizer=SGDConfig(lr=1e9))
    Path("tiny.yaml").write_text(config.to_yaml())
    code, _, err = train()
    assert code == 1 and "diverged" in err
    assert not any(Path("runs").iterdir())


@pytest.mark.usefixtures("no_onnx")
def test_without_the_extra_there_is_no_onnx_file(train: RunMain) -> None:
    code, out, _ = train("--epochs", "1")
    assert code == 0 and "no model.onnx: it needs pip install 'paretrain[onnx]'" in out
    assert {path.name for path in RESULT.iterdir()} == FILES - {"model.onnx"}
    assert "onnx" not in (RESULT / "README.md").read_text()


def test_a_layer_that_onnx_does_not_know_costs_the_onnx_file_only(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise torch.onnx.errors.OnnxExporterError("no such operator\nand a page more")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    code, out, _ = train("--epochs", "1")
    assert code == 0 and "no model.onnx: the exporter says: no such operator\n" in out
    assert {path.name for path in RESULT.iterdir()} == FILES - {"model.onnx"}


@pytest.mark.slow
@pytest.mark.usefixtures("no_onnx")
def test_the_average_of_the_weights_is_what_the_folder_holds(train: RunMain) -> None:
    """After `--resume` too: validation, test, weights and program are all of the average."""
    asked = TrainConfig.from_file(Path("tiny.yaml"))
    averaged = asked.model_copy(update={"ema": 0.9, "warmup": 0.2, "balance": "sampling"})
    Path("tiny.yaml").write_text(averaged.to_yaml())
    with pytest.MonkeyPatch.context() as context:
        interrupt_after(2, context)
        assert train()[0] == 130
    assert train("--resume")[0] == 0
    whole = Path(averaged.data.source)
    for form in ("weights", "pt2"):
        loaded = paretrain.load(RESULT, form, trust=True)
        for part, accuracy in (("val", metrics()["val_acc"]), ("test", metrics()["test"]["acc"])):
            found = loaded.predict(whole / part)
            right = sum(one.path is not None and one.label == one.path.parent.name for one in found)
            assert right / len(found) == accuracy
    data = load_data(averaged.data)
    training = Training(averaged, data, torch.device("cpu"))
    *_, last = training.epochs()
    assert last.val_acc == metrics()["val_acc"] and last.val_loss == metrics()["val_loss"]
    weights = load_file(RESULT / "weights.safetensors")
    for name, tensor in training.network.state_dict().items():
        assert torch.equal(tensor, weights[name]), name
    plain = Training(averaged.model_copy(update={"ema": 0.0}), data, torch.device("cpu"))
    *_, _ = plain.epochs()
    name, tensor = next(iter(plain.network.state_dict().items()))
    assert not torch.equal(tensor, weights[name])


@pytest.mark.slow
@pytest.mark.usefixtures("no_onnx")
def test_a_program_that_would_be_refused_is_not_left(
    train: RunMain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pt2_archive, "_TARGETS", {"torch.ops.aten.conv2d.default"})
    code, out, _ = train("--epochs", "1")
    assert code == 0 and "no model.pt2: it would be refused when it is loaded: its graph" in out
    assert {path.name for path in RESULT.iterdir()} == FILES - {"model.onnx", "model.pt2"}
    assert "model.pt2" not in card() and "model.pt2" not in metrics()["sha256"]


@pytest.mark.usefixtures("no_onnx")
def test_the_epoch_that_is_kept_is_what_the_folder_holds(train: RunMain) -> None:
    config = TrainConfig.from_file(Path("tiny.yaml"))
    kept = config.model_copy(
        update={
            "keep": "best",
            "normalise": "imagenet",
            "epochs": 6,
            "optimizer": SGDConfig(lr=0.5),
        }
    )
    Path("tiny.yaml").write_text(kept.to_yaml())
    assert train()[0] == 0
    header, *epochs = rows(RESULT / "curve.csv")
    accs = [float(row[header.index("val_acc")]) for row in epochs]
    assert accs[-1] < max(accs), "needs another seed"
    assert metrics()["val_acc"] == max(accs)
    assert metrics()["kept_epoch"] == 1 + accs.index(max(accs))
    assert metrics()["mean"] == [0.485, 0.456, 0.406]
    found = paretrain.load(RESULT).predict(Path(config.data.source) / "val")
    right = sum(one.path is not None and one.label == one.path.parent.name for one in found)
    assert right / len(found) == max(accs)
    # Trained on, the validation images choose nothing.
    assert train("--overwrite", "--with-validation")[0] == 0
    assert TrainConfig.from_file(RESULT / "config.yaml").keep == "last"


@pytest.mark.usefixtures("no_onnx")
def test_a_broken_test_image_does_not_cost_the_training(
    run_main: RunMain,
    monkeypatch: pytest.MonkeyPatch,
    image_folder: Callable[..., Path],
    tiny_config: Callable[..., TrainConfig],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    root = image_folder(train=5, val=2, test=2)
    (root / "test/cat/001.png").write_bytes(b"")
    config = tiny_config(data=DataConfig(source=str(root), image_size=8))
    Path("tiny.yaml").write_text(config.to_yaml())
    code, _, err = run_main(main, "tiny.yaml", "--device", "cpu")
    assert code == 2
    last = err.splitlines()[-1]
    assert last.startswith("error: broken image") and "test/cat/001.png" in last
    assert last.endswith("The training is kept, untested, in runs/tiny")
    metrics = json.loads((tmp_path / "runs/tiny/metrics.json").read_text())
    assert metrics["test"] is None and metrics["epochs"] == 2
    skipping = config.data.model_copy(update={"skip_broken": True})
    Path("skip.yaml").write_text(config.model_copy(update={"data": skipping}).to_yaml())
    code, out, err = run_main(main, "skip.yaml", "--device", "cpu")
    assert code == 0 and "on 3 images" in out
    assert "note: 1 broken image of 4 skipped in test: test/cat/001.png" in err


def test_the_root_of_a_disk_is_no_folder_for_a_result() -> None:
    with pytest.raises(UserError, match="--out / is the root of a disk: give a new folder"):
        ResultFolder(Path("/"))
