"""`python -m paretrain.predict` and `paretrain.load`: three forms, one answer."""

import csv
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import paretrain
from paretrain.__main__ import main as train
from paretrain.cli import UserError
from paretrain.config import DataConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.digits import digit_images, digit_indices
from paretrain.paths import sha256
from paretrain.predict import main
from paretrain.result.formats import FORMAT_FILES, Format
from tests.harness import ROOT, Finished, RunMain, succeed_in


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result folder: the digits at 8x8 pixels, LRN and dropout, trained for two epochs."""
    folder = tmp_path_factory.mktemp("trained")
    network = VGGConfig(
        stages=(VGGStage(width=8, kernels=("3x3", "separable")),),
        norm="lrn",
        hidden=(16,),
        dropout=(0.2,),
    )
    config = TrainConfig(
        data=DataConfig(image_size=8), network=network, optimizer=SGDConfig(lr=0.05), epochs=2
    )
    (folder / "digits.yaml").write_text(config.to_yaml())
    out = folder / "result"
    succeed_in(folder, train, "digits.yaml", "--device", "cpu", "--out", out)
    return out


@pytest.fixture
def result(trained: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(trained, tmp_path / "result"))


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test part as grey PNG files of 8x8 pixels, as anybody would keep them."""
    folder = tmp_path_factory.mktemp("digits")
    for index in digit_indices(test=True):
        grey = digit_images([index], 8)[0, 0].numpy()
        Image.fromarray(grey).save(folder / f"{index:04}.png")
    return folder


@pytest.fixture
def predict(monkeypatch: pytest.MonkeyPatch, run_main: RunMain, tmp_path: Path) -> RunMain:
    monkeypatch.chdir(tmp_path)
    return partial(run_main, main)


def refused(done: Finished, *words: str) -> None:
    code, _, err = done
    assert code == 2 and err.startswith("error: ") and err.count("\n") == 1, err
    for word in words:
        assert word in err, err


def test_three_forms_give_the_same_answer_and_it_is_the_trainings(
    predict: RunMain, trained: Path, digits: Path
) -> None:
    answers = {}
    for form in FORMAT_FILES:
        assert predict(trained, digits, "--csv", f"{form}.csv", "--form", form, "--trust")[0] == 0
        with Path(f"{form}.csv").open(newline="") as file:
            header, *answers[form] = list(csv.reader(file))
        assert header == ["path", "label", "probability"] and len(answers[form]) == 359
    for form in ("pt2", "onnx"):
        for mine, other in zip(answers["weights"], answers[form], strict=True):
            assert mine[:2] == other[:2]
            assert float(mine[2]) == pytest.approx(float(other[2]), abs=2e-6)
    classes = paretrain.load(trained).classes
    truth = [str(classes[label]) for label in labels()]
    right = sum(row[1] == label for row, label in zip(answers["weights"], truth, strict=True))
    metrics = json.loads((trained / "metrics.json").read_text())
    # The same pixels, the same network: the accuracy of the test comes out again, exactly.
    assert right / 359 == metrics["test"]["acc"]


def test_images_are_classified_together_with_their_mirror_images(
    predict: RunMain, trained: Path, digits: Path
) -> None:
    some = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    alone = paretrain.load(trained).probabilities
    mirrored = paretrain.load(trained, test_time_flip=True).probabilities(some)
    assert torch.allclose(mirrored, (alone(some) + alone(some.flip(3))) / 2, atol=1e-6)
    assert not torch.allclose(mirrored, alone(some), atol=1e-5)
    # Of 359 images some are told apart also after rounding.
    assert predict(trained, digits)[1] != predict(trained, digits, "--test-time-flip")[1]


@pytest.mark.slow
def test_a_network_that_was_tested_with_mirror_images_answers_so_in_every_form(
    predict: RunMain, run_main: RunMain, trained: Path, digits: Path, tmp_path: Path
) -> None:
    arguments = (trained.parent / "digits.yaml", "--device", "cpu", "--out", "mirrored")
    code, out, _ = run_main(train, *arguments, "--test-time-flip")
    assert code == 0 and "on 359 images with their mirror images, opened once" in out
    folder = tmp_path / "mirrored"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (
        metrics["test_time_flip"] is True
        and "its mirror image" in (folder / "README.md").read_text()
    )
    plain = json.loads((trained / "metrics.json").read_text())
    assert metrics["val_acc"] == plain["val_acc"] and metrics["test"] != plain["test"]
    assert predict("mirrored", digits, "--csv", "out.csv")[0] == 0
    with Path("out.csv").open(newline="") as file:
        answers = list(csv.DictReader(file))
    names = paretrain.load(folder).classes
    right = sum(a["label"] == names[t] for a, t in zip(answers, labels(), strict=True))
    assert right / 359 == metrics["test"]["acc"]
    some = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    alone = paretrain.load(trained).probabilities
    both = (alone(some) + alone(some.flip(3))) / 2
    for form in FORMAT_FILES:
        for where, wanted in ((folder, None), (folder, True), (trained, True)):
            loaded = paretrain.load(where, form, trust=True, test_time_flip=wanted)
            assert torch.allclose(loaded.probabilities(some), both, atol=2e-6), (form, where)
        assert torch.allclose(
            paretrain.load(trained, form, trust=True).probabilities(some), alone(some), atol=2e-6
        )
    again = paretrain.load(folder, test_time_flip=False).probabilities(some)
    assert torch.equal(again, alone(some))
    done = predict("mirrored", digits, "--form", "onnx", "--no-test-time-flip")
    refused(done, "mirrors by itself", "--form weights")


def test_a_device_that_is_not_there_or_not_for_this_form_is_refused(
    predict: RunMain, trained: Path, digits: Path
) -> None:
    image = next(digits.iterdir())
    refused(predict(trained, image, "--device", "cpuu"), "unknown device 'cpuu'", "cuda:N")
    for form in ("pt2", "onnx"):
        done = predict(trained, image, "--form", form, "--device", "cuda")
        refused(done, f"--form {form} computes on the CPU only", "--form weights")
        assert predict(trained, image, "--form", form, "--device", "auto", "--trust")[0] == 0
    if not torch.cuda.is_available():
        refused(predict(trained, image, "--device", "cuda"), "no CUDA GPU")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_gives_the_answer_of_the_cpu(trained: Path) -> None:
    some = torch.randint(0, 256, (70, 3, 8, 8), dtype=torch.uint8)
    on_gpu = paretrain.load(trained, device="cuda").probabilities(some)
    assert torch.allclose(on_gpu, paretrain.load(trained).probabilities(some), atol=5e-3)  # TF32


def labels() -> list[int]:
    from paretrain.data.digits import digit_labels

    return digit_labels(digit_indices(test=True))


def test_files_are_decoded_as_the_training_decodes_them(trained: Path, digits: Path) -> None:
    classifier = paretrain.load(trained)
    indices = digit_indices(test=True)[:20]
    expected = classifier.probabilities(digit_images(indices, 8)).max(1)
    found = classifier.predict(digits / f"{index:04}.png" for index in indices)
    assert [p.probability for p in found] == expected.values.tolist()
    assert [p.label for p in found] == [classifier.classes[i] for i in expected.indices]


def test_one_line_from_python_and_any_number_of_images(trained: Path, digits: Path) -> None:
    form: Format
    some = torch.randint(0, 256, (70, 3, 8, 8), dtype=torch.uint8)
    whole = paretrain.load(trained).probabilities(some)
    assert whole.shape == (70, 10) and torch.allclose(whole.sum(1), torch.ones(70))
    for form in FORMAT_FILES:
        classifier = paretrain.load(str(trained), form, trust=True)
        for count in (1, 2, 70):
            assert torch.allclose(classifier.probabilities(some[:count]), whole[:count], atol=2e-6)
    assert paretrain.load(trained).predict([]) == []
    first = sorted(digits.iterdir())[0]
    (one,) = paretrain.load(trained).predict(str(first))
    assert one == paretrain.load(trained).predict(digits)[0] and one.path == first


def test_the_server_of_the_docs_serves_the_onnx_file_without_torch(
    trained: Path, digits: Path, tmp_path: Path
) -> None:
    text = (ROOT / "docs/serving.md").read_text(encoding="utf-8")
    script = tmp_path / "serve.py"
    script.write_text(text.split("```python\n")[1].split("```")[0])
    alone = (
        "import runpy, sys; sys.modules['torch'] = sys.modules['paretrain'] = None; "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"
    )
    command = [sys.executable, "-c", alone, str(script), str(trained / "model.onnx"), "0"]
    images = sorted(digits.iterdir())[:5]
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().decode().strip()
            assert address.startswith("http://127.0.0.1:")
            for expected in paretrain.load(trained).predict(images):
                assert expected.path is not None
                with direct.open(address, data=expected.path.read_bytes()) as answer:
                    found = json.load(answer)
                assert max(found, key=found.get) == expected.label
                assert found[expected.label] == pytest.approx(expected.probability, abs=2e-6)
            with pytest.raises(urllib.error.HTTPError) as refusal:
                direct.open(address, data=b"no image")
            with refusal.value as answer:
                assert answer.code == 400 and "is no image" in json.load(answer)["error"]
        finally:
            server.kill()


def test_pictures_and_arrays_in_memory_are_classified_like_their_files(
    trained: Path, digits: Path
) -> None:
    classifier = paretrain.load(trained)
    files = sorted(digits.iterdir())[:3]
    from_files = classifier.predict(files)
    pictures = [Image.open(file) for file in files]
    arrays = [np.asarray(picture) for picture in pictures]
    coloured = [np.stack([array] * 3, axis=2) for array in arrays]
    for images in (pictures, arrays, coloured, [a[:, :, None] for a in arrays]):
        found = classifier.predict(images)
        assert [(p.label, p.probability) for p in found] == [
            (p.label, p.probability) for p in from_files
        ]
        assert {p.path for p in found} == {None}
    mixed = classifier.predict([files[0], pictures[1], arrays[2], str(digits)])
    assert mixed[0] == from_files[0] and len(mixed) == 3 + 359
    (one,) = classifier.predict(pictures[0])
    assert one.label == classifier.predict(arrays[0])[0].label == from_files[0].label
    # A picture that a camera held on its side is turned, as its file is.
    turned = Image.effect_noise((20, 12), 99).convert("RGB")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(digits.parent / "turned.png", exif=exif)
    (of_file,) = classifier.predict(digits.parent / "turned.png")
    with Image.open(digits.parent / "turned.png") as picture:
        assert classifier.predict(picture)[0].probability == of_file.probability


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 3)),
        np.zeros((8, 8, 2), dtype=np.uint8),
        np.zeros((2, 8, 8, 3), dtype=np.uint8),
        np.zeros((0, 8), dtype=np.uint8),
        np.zeros(8, dtype=np.uint8),
        np.array(["a"]),
        [3],
        [None],
        [b"x.png"],
        [torch.zeros((3, 8, 8))],
    ],
    ids=str,
)
def test_what_is_no_image_from_python_is_one_line(trained: Path, image: Any) -> None:
    with pytest.raises(UserError, match=r"^cannot classify [^\n]+$"):
        paretrain.load(trained).predict(image)


def test_the_most_probable_classes_and_the_module_of_torch(
    predict: RunMain, trained: Path, digits: Path
) -> None:
    image = sorted(digits.iterdir())[0]
    classifier = paretrain.load(trained)
    (found,) = classifier.predict(image, top=99)
    assert len(found.top) == 10 and found.top[0] == (found.label, found.probability)
    values = [value for _, value in found.top]
    assert values == sorted(values, reverse=True) and sum(values) == pytest.approx(1)
    assert {label for label, _ in found.top} == set(classifier.classes)
    code, out, _ = predict(trained, image, "--top", 3)
    assert code == 0 and out.split()[1::2] == [label for label, _ in found.top[:3]]
    assert predict(trained, image, "--top", 3, "--csv", "out.csv")[0] == 0
    header, row = list(csv.reader(Path("out.csv").read_text().splitlines()))
    assert header[3:] == ["label_2", "probability_2", "label_3", "probability_3"]
    assert row[3] == found.top[1][0]
    assert predict(trained, image, "--top", 0)[0] == 2
    with pytest.raises(UserError, match="top 0"):
        classifier.predict(image, top=0)
    some = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8)
    assert classifier.module is not None
    assert torch.equal(classifier.module(some), classifier.probabilities(some))
    assert paretrain.load(trained, "onnx").module is None


def test_what_a_folder_holds_beside_images_is_told(
    predict: RunMain, trained: Path, digits: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "holiday"
    folder.mkdir()
    shutil.copy(sorted(digits.iterdir())[0], folder / "a.png")
    (folder / "film.mp4").write_bytes(b"film")
    code, out, err = predict(trained, folder)
    assert code == 0 and out.count("\n") == 1 and "film.mp4" in err


def test_a_pipe_is_no_image_and_is_not_waited_for(
    predict: RunMain, trained: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    refused(predict(trained, tmp_path / "pipe.png"), "pipe.png")


def test_names_reach_neither_a_terminal_nor_a_spreadsheet_as_commands(
    predict: RunMain, result: Path, digits: Path, tmp_path: Path
) -> None:
    path = result / "metrics.json"
    values = json.loads(path.read_text())
    del values["checksum"], values["test"], values["val_per_class"]
    values["classes"] = [f"=cmd|'/c calc'!A{i}\x1b[2J" for i in range(10)]
    path.write_text(json.dumps(values))
    picture = sorted(digits.iterdir())[0]
    for name in ("=a.png", "+a.png", "@\x1b]0;title\x07.png", "b.png"):
        shutil.copy(picture, tmp_path / name)
    code, out, err = predict(result, "=a.png", "@\x1b]0;title\x07.png")
    assert code == 0 and "\x1b" not in out + err and "\\x1b]0;title\\x07.png" in out
    code, out, err = predict(result, "\x1b[2Jnowhere.png")
    assert code == 2 and "\x1b" not in err
    assert predict(result, "=a.png", "+a.png", "b.png", "--csv", "out.csv")[0] == 0
    with Path("out.csv").open(newline="") as file:
        _, *rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["./=a.png", "./+a.png", "b.png"]
    assert all(Path(row[0]).exists() and row[1].startswith("'=cmd") for row in rows)


def test_lines_on_the_screen(predict: RunMain, trained: Path, digits: Path) -> None:
    first, second = sorted(digits.iterdir())[:2]
    code, out, _ = predict(trained, second, first)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines] == [str(second), str(first)]
    assert all(line[2].endswith("%") for line in lines)


@pytest.mark.parametrize("form", FORMAT_FILES)
def test_a_cut_off_or_foreign_file_is_refused(
    predict: RunMain, result: Path, digits: Path, form: Format
) -> None:
    file = result / FORMAT_FILES[form]
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        file.write_bytes(content)
        refused(
            predict(result, digits, "--form", form, "--trust"),
            file.name,
            "cut off, changed or of another",
        )
        # Also where the sum has been made to fit, as of a file that somebody put there.
        metrics = json.loads((result / "metrics.json").read_text())
        metrics["sha256"][file.name] = sha256(file)
        metrics.pop("checksum", None)
        if content != b"" and len(content) == len(whole):
            continue  # one bit of a weight is another network, not a broken file
        (result / "metrics.json").write_text(json.dumps(metrics))
        done = predict(result, digits, "--form", form, "--trust")
        refused(done, f"cannot use {result / file.name}")
    file.unlink()
    done = predict(result, digits, "--form", form, "--trust")
    refused(done, f"no {file.name} in", "--form")


def test_weights_of_another_network_are_refused(
    predict: RunMain, result: Path, digits: Path
) -> None:
    config = TrainConfig.from_file(result / "config.yaml")
    wider = VGGConfig(stages=(VGGStage(width=9, kernels=("3x3",)),))
    (result / "config.yaml").write_text(config.model_copy(update={"network": wider}).to_yaml())
    done = predict(result, digits)
    refused(done, "cannot use", "weights.safetensors", "in config.yaml")


def test_a_configuration_that_was_changed_is_refused(
    predict: RunMain, result: Path, digits: Path
) -> None:
    """It says how images are cut and resized, so another one gives other answers."""
    config = result / "config.yaml"
    config.write_text(config.read_text().replace("fit: resize", "fit: crop"))
    refused(predict(result, digits), "config.yaml is not the file that this training wrote")


def test_a_file_that_is_no_image(
    predict: RunMain, trained: Path, digits: Path, tmp_path: Path
) -> None:
    image = sorted(digits.iterdir())[0]
    text = tmp_path / "notes.png"
    text.write_text("no pixels")
    refused(predict(trained, image, text, "--csv", "out.csv"), "notes.png is no image")
    assert not list(tmp_path.glob("*out.csv*"))
    code, out, err = predict(trained, text, image, "--csv", "out.csv", "--skip-broken")
    assert code == 0 and "1 image\n" in out and "skipped" in err and "notes.png" in err
    assert Path("out.csv").read_text().count("\n") == 2
    assert predict(trained, text, "--skip-broken")[:2] == (0, "")


def test_other_wrong_input(predict: RunMain, result: Path, digits: Path, tmp_path: Path) -> None:
    refused(predict(result, "nowhere.png"), "no file nowhere.png")
    (tmp_path / "empty").mkdir()
    refused(predict(result, "empty"), "no images in folder empty")
    refused(predict("nowhere", digits), "nowhere is no folder")
    refused(predict("empty", digits), "empty holds no result")
    refused(predict(result, digits, "--csv", "nowhere/out.csv"), "no folder nowhere")
    refused(predict(result, digits, "--form", "onxn"), "onxn")
    text = (result / "config.yaml").read_text()
    (result / "config.yaml").write_text(text.replace("format: 1", "format: 99"))
    refused(predict(result, digits), "format 99 is not known here", "update paretrain")
    (result / "config.yaml").write_text(text)
    for content in ("{}", '{"classes": 3, "mean": 1}'):
        (result / "metrics.json").write_text(content)
        refused(predict(result, digits), "metrics.json lacks what a result has")
    for content in ("{", "[]"):
        (result / "metrics.json").write_text(content)
        refused(predict(result, digits), "metrics.json is damaged")
    with pytest.raises(UserError, match="damaged"):
        paretrain.load(result)
