"""`python -m paretrain.predict` and `paretrain.load`: three forms, one answer."""

import csv
import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

import paretrain
from paretrain.__main__ import main as train
from paretrain.cli import UserError
from paretrain.config import DataConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.digits import digit_images, digit_indices
from paretrain.predict import main
from paretrain.result.formats import FORMAT_FILES, Format, sha256
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
    truth = [str(paretrain.load(trained).classes[label]) for label in labels()]
    right = sum(row[1] == label for row, label in zip(answers["weights"], truth, strict=True))
    metrics = json.loads((trained / "metrics.json").read_text())
    # The same pixels, the same network: the accuracy of the test comes out again, exactly.
    assert right / 359 == metrics["test"]["acc"]


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
    assert torch.allclose(on_gpu, paretrain.load(trained).probabilities(some), atol=1e-3)


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
                with direct.open(address, data=expected.path.read_bytes()) as answer:
                    found = json.load(answer)
                assert max(found, key=found.get) == expected.label
                assert found[expected.label] == pytest.approx(expected.probability, abs=2e-6)
            with pytest.raises(urllib.error.HTTPError) as refusal:
                direct.open(address, data=b"no image")
            with refusal.value as answer:
                assert answer.code == 400 and "cannot identify" in json.load(answer)["error"]
        finally:
            server.kill()


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
    refused(predict(result, digits), "cannot use", "weights.safetensors")


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
