"""metrics.json, and what else a result folder holds: what cannot be true is one line."""

import json
import math
import os
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from safetensors.torch import load_file, save_file

from benchmarks.mutations.result import make_result
from paretrain.cli import UserError
from paretrain.paths import sha256
from paretrain.predict import main
from paretrain.result.metrics import CHECKSUM, metrics_text, read_metrics
from tests.harness import Finished, RunMain, run_process

Values = dict[str, Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits at 8x8 pixels, one epoch, and a picture `a.png` beside the result."""
    folder = tmp_path_factory.mktemp("trained")
    make_result(folder)
    return folder


@pytest.fixture
def result(trained: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    (tmp_path / "result").mkdir()
    for path in (trained / "result").iterdir():
        (tmp_path / "result" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "result"


@pytest.fixture
def predict(run_main: RunMain, trained: Path, result: Path) -> Callable[..., Finished]:
    return partial(run_main, main, result, trained / "a.png")


def rewritten(folder: Path, change: Callable[[Values], object]) -> None:
    """As somebody would who makes a folder by hand: all sums fit again."""
    path = folder / "metrics.json"
    values = json.loads(path.read_text())
    values.pop(CHECKSUM, None)
    values["sha256"] = {name: sha256(folder / name) for name in values["sha256"]}
    change(values)
    path.write_text(json.dumps(values))


def refused(done: Finished, words: str) -> None:
    code, out, err = done
    assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1, err
    assert words in err, err


def put(values: Values, key: str, value: object) -> None:
    *folders, last = key.split(".")
    for folder in folders:
        values = values[folder]
    values[last] = value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mean", [math.nan] * 3),
        ("mean", [0.1, 0.2]),
        ("mean", [7.5, 0.1, 0.1]),
        ("mean", "abc"),
        ("std", [0, 0, 0]),
        ("std", [-0.1, 0.1, 0.1]),
        ("std", [0.1, 0.1, math.inf]),
        ("std", [0.1] * 4),
        ("classes", []),
        ("classes", ["a"] * 10),
        ("classes", [1, 2, 3]),
        ("classes", {"a": 1}),
        ("classes", None),
        ("sha256", []),
        ("sha256", {"weights.safetensors": "12"}),
        ("val_acc", 7.5),
        ("val_acc", -0.1),
        ("val_acc", "high"),
        ("val_acc", math.nan),
        ("val_loss", -1),
        ("val_per_class", {"0": 1.0}),
        ("num_params", -1),
        ("epochs", 1.5),
        ("kept_epoch", 2),
        ("test.acc", 0.999),
        ("test.acc_interval_95", [0.0, 0.0]),
        ("test.images", 5),
        ("test.confusion", [[1]]),
        ("test.per_class", {"cat": 0.1}),
        ("test", []),
        ("seconds", -3),
        ("device", 3),
    ],
)
def test_what_cannot_be_true_is_refused_by_name(
    predict: RunMain, result: Path, key: str, value: object
) -> None:
    rewritten(result, lambda values: put(values, key, value))
    refused(predict(), "metrics.json")


def test_classes_of_another_number_are_refused(predict: RunMain, result: Path) -> None:
    def fewer(values: Values) -> None:
        del values["test"], values["val_per_class"]
        values["classes"] = values["classes"][:9]

    rewritten(result, fewer)
    for form in ("weights", "onnx"):
        refused(predict("--form", form), "cannot use" if form == "weights" else "must be 1x9")


def test_a_digit_that_has_changed_is_noticed(predict: RunMain, result: Path) -> None:
    """Nothing else tells one mean from another, and it gives other answers."""
    path = result / "metrics.json"
    values = json.loads(path.read_text())
    values["mean"][0] *= 0.5
    path.write_text(json.dumps(values))
    refused(predict(), "was changed after the training")


def test_a_folder_of_an_earlier_version_is_read(predict: RunMain, result: Path) -> None:
    before = predict()
    assert before.code == 0

    def earlier(values: Values) -> None:
        kept = {"classes", "mean", "std", "sha256"}
        for key in set(values) - kept:
            del values[key]
        del values["sha256"]["config.yaml"]

    rewritten(result, earlier)
    assert predict() == before


@pytest.mark.parametrize("text", ["", "[]", "{", "3", "null", "[" * 100_000, '{"a": NaN}', "\0"])
def test_damaged_text_is_one_line(predict: RunMain, result: Path, text: str) -> None:
    (result / "metrics.json").write_text(text)
    refused(predict(), "metrics.json is damaged")


def test_files_that_are_no_files_or_far_too_large_are_refused(
    predict: RunMain, result: Path
) -> None:
    for name in ("metrics.json", "config.yaml", "weights.safetensors"):
        content = (result / name).read_bytes()
        (result / name).unlink()
        os.mkfifo(result / name)  # reading it would wait for ever
        refused(predict(), name)
        (result / name).unlink()
        (result / name).symlink_to("/dev/zero")
        refused(predict(), name)
        (result / name).unlink()
        with (result / name).open("wb") as file:
            file.truncate(2**40)  # takes no room on the disk
        refused(predict(), "bytes")
        (result / name).unlink()
        (result / name).write_bytes(content)
    assert predict().code == 0


def test_weights_are_compared_with_the_configuration_before_they_take_memory(
    predict: RunMain, result: Path
) -> None:
    path = result / "weights.safetensors"
    state = load_file(path)
    bias = state["classifier.0.bias"]
    for changed in (
        state | {"classifier.0.bias": bias[:4].clone()},
        state | {"extra": bias.clone()},
        {name: tensor for name, tensor in state.items() if name != "classifier.0.bias"},
        state | {"classifier.0.bias": bias * math.nan},
    ):
        save_file(changed, path)
        rewritten(result, lambda _: None)
        refused(predict(), "cannot use")
    # A header that promises 4 terabytes.
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode())
    rewritten(result, lambda _: None)
    refused(predict(), "cannot use")


def test_a_network_that_gives_no_numbers_is_refused(predict: RunMain, result: Path) -> None:
    path = result / "weights.safetensors"
    state = load_file(path)
    state["features.1.running_var"] = -state["features.1.running_var"].abs() - 1
    save_file(state, path)
    rewritten(result, lambda _: None)
    refused(predict(), "no probability")


def onnx_bomb(path: Path, kind: str) -> None:
    """A graph of 300 kB that asks for 6 GB: made from nothing, or by adding a row to a column."""
    side = 40_000
    images = helper.make_tensor_value_info("images", onnx.TensorProto.UINT8, ["n", 3, 8, 8])
    answer = helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, None)
    if kind == "made":
        value = helper.make_tensor("v", onnx.TensorProto.FLOAT, [1], [1.0])
        first = helper.make_node("ConstantOfShape", ["s"], ["big"], value=value)
        given = [helper.make_tensor("s", onnx.TensorProto.INT64, [1], [side * side])]
    else:
        first = helper.make_node("Add", ["a", "b"], ["big"])
        zeros = np.zeros(side, dtype=np.float32)
        given = [
            helper.make_tensor("a", onnx.TensorProto.FLOAT, [side, 1], zeros),
            helper.make_tensor("b", onnx.TensorProto.FLOAT, [1, side], zeros),
        ]
    last = helper.make_node("ReduceSum", ["big"], ["probabilities"], keepdims=0)
    graph = helper.make_graph([first, last], "bomb", [images], [answer], given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("kind", ["made", "added"])
def test_an_onnx_graph_that_asks_for_all_memory_is_one_line(
    result: Path, tmp_path: Path, trained: Path, kind: str
) -> None:
    onnx_bomb(result / "model.onnx", kind)
    rewritten(result, lambda _: None)
    done = run_process(tmp_path, "paretrain.predict", result, trained / "a.png", "--form", "onnx")
    refused(done, "does not compute")


def onnx_loop(path: Path) -> None:
    """A graph that goes round a loop more often than anybody waits for."""
    images = helper.make_tensor_value_info("images", onnx.TensorProto.UINT8, ["n", 3, 8, 8])
    answer = helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [1])
    turn, go, goes, x, y = (
        helper.make_tensor_value_info(name, kind, [])
        for name, kind in (
            ("turn", onnx.TensorProto.INT64),
            ("go", onnx.TensorProto.BOOL),
            ("goes", onnx.TensorProto.BOOL),
            ("x", onnx.TensorProto.FLOAT),
            ("y", onnx.TensorProto.FLOAT),
        )
    )
    inside = [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Cos", ["x"], ["y"])]
    body = helper.make_graph(inside, "body", [turn, go, x], [goes, y])
    given = [
        helper.make_tensor("times", onnx.TensorProto.INT64, [], [2**62]),
        helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True]),
    ]
    nodes = [
        helper.make_node("Cast", ["images"], ["numbers"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["numbers"], ["start"], keepdims=0),
        helper.make_node("Loop", ["times", "yes", "start"], ["end"], body=body),
        helper.make_node("Identity", ["end"], ["probabilities"]),
    ]
    graph = helper.make_graph(nodes, "endless", [images], [answer], given)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())


def test_an_onnx_graph_without_an_end_is_ended(
    predict: Callable[..., Finished], result: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paretrain.result.opening.ONNX_SECONDS", 0.2)
    onnx_loop(result / "model.onnx")
    rewritten(result, lambda _: None)
    refused(predict("--form", "onnx"), "computed for 0 s without an answer")


def test_an_onnx_file_with_a_name_that_is_no_text_is_one_line(
    predict: Callable[..., Finished], result: Path
) -> None:
    path = result / "model.onnx"
    content = path.read_bytes()
    for name in (b"Conv", b"Softmax", b"images", b"probabilities"):
        path.write_bytes(content.replace(name, b"\xab" * len(name)))
        rewritten(result, lambda _: None)
        refused(predict("--form", "onnx"), "model.onnx")


def onnx_that_reads(path: Path, file: str) -> None:
    """A graph whose answer is what stands in another file."""
    images = helper.make_tensor_value_info("images", onnx.TensorProto.UINT8, ["n", 3, 8, 8])
    answer = helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [1, 10])
    read = helper.make_tensor("read", onnx.TensorProto.FLOAT, [1, 10], [0.1] * 10)
    read.ClearField("float_data")
    read.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", file), ("offset", "0"), ("length", "40")):
        read.external_data.add(key=key, value=value)
    nodes = [helper.make_node("Identity", ["read"], ["probabilities"])]
    graph = helper.make_graph(nodes, "reads", [images], [answer], [read])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("where", ["../secret.bin", "absolute"])
def test_an_onnx_graph_reads_no_file_outside_its_folder(
    predict: Callable[..., Finished], result: Path, where: str
) -> None:
    secret = result.parent / "secret.bin"
    secret.write_bytes(np.full(10, 0.1, dtype=np.float32).tobytes())
    onnx_that_reads(result / "model.onnx", str(secret) if where == "absolute" else where)
    rewritten(result, lambda _: None)
    refused(predict("--form", "onnx"), "model.onnx")


def test_what_is_written_goes_through_the_same_check(result: Path) -> None:
    values = json.loads((result / "metrics.json").read_text())
    values.pop(CHECKSUM)
    (result / "metrics.json").write_text(metrics_text(values))
    assert read_metrics(result).classes == tuple(values["classes"])
    wrongs: list[Values] = [{"val_acc": math.nan}, {"val_acc": 2.0}, {"classes": []}]
    for wrong in wrongs:
        with pytest.raises(ValueError):
            metrics_text(values | wrong)
    with pytest.raises(UserError, match="holds no result"):
        read_metrics(result.parent)
