"""A .pt2 archive is loaded only with --trust, and even then as a checked copy: each way in which a
crafted one ran code, wrote a file or took memory is refused before torch sees it."""

import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import paretrain
from paretrain.cli import UserError
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.network_config import (
    AlexNetConfig,
    HeadConfig,
    NetworkConfig,
    ResNet9Config,
    ResNetConfig,
    ZooConfig,
)
from paretrain.networks.build import build_network
from paretrain.predict import main
from paretrain.result import pt2
from paretrain.result.classifier import on_cpu
from tests.harness import RunMain

Members = list[tuple[str, bytes]]
Graph = dict[str, Any]
GRAPH, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
SIDE = 8


def write(network: NetworkConfig, side: int, path: Path) -> torch.nn.Module:
    """Export a network, as a training does."""
    model = on_cpu(build_network(network, 3, side, False), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    torch.export.save(pt2.export(model, side), path)
    return model


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pt2") / "model.pt2"
    write(VGGConfig(stages=(VGGStage(width=4, kernels=("3x3",)),), norm="lrn"), SIDE, path)
    return path


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def packed(path: Path, content: Members, how: int = zipfile.ZIP_STORED) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", how) as archive:
        warnings.simplefilter("ignore")  # two members of one name are the point of a test
        for name, data in content:
            archive.writestr(name, data)
    return path


def with_json(archive: Path, out: Path, member: str, change: Callable[[Graph], object]) -> Path:
    """A copy of the archive, one of its JSON members changed."""
    content = []
    for name, data in members(archive):
        if name.endswith(member):
            document = json.loads(data)
            change(document)
            data = json.dumps(document).encode()
        content.append((name, data))
    return packed(out, content)


def nodes(document: Graph) -> list[Graph]:
    found: list[Graph] = document["graph_module"]["graph"]["nodes"]
    return found


def renamed(document: Graph, old: str, new: str) -> None:
    """One name of the graph, wherever it stands."""
    text = json.dumps(document).replace(json.dumps(old), json.dumps(new))
    document.clear()
    document.update(json.loads(text))


def refused(path: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pt2.load(path)


def test_without_trust_a_program_is_not_even_opened(
    run_main: RunMain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("foreign").mkdir()
    code, out, err = run_main(main, "foreign", "a.png", "--form", "pt2")
    assert code == 2 and out == "" and err.count("\n") == 1
    assert "could run code" in err and "--trust" in err and "--form weights" in err
    with pytest.raises(UserError, match="trust=True"):
        paretrain.load("foreign", "pt2")


def test_a_copy_gives_the_same_answer(archive: Path, tmp_path: Path) -> None:
    some = torch.randint(0, 256, (5, 3, SIDE, SIDE), dtype=torch.uint8)
    copy = pt2.load(packed(tmp_path / "same.pt2", members(archive)))
    assert torch.equal(copy(some), pt2.load(archive)(some))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "side"),
    [
        (VGGConfig(stages=(VGGStage(width=4, kernels=("separable", "1x1")),), norm="batch"), 8),
        (
            VGGConfig(
                stages=(VGGStage(width=4, kernels=("3x3",)),),
                pool="adaptive7",
                hidden=(8,),
                dropout=(0.2,),
            ),
            8,
        ),
        (VGGConfig(stages=(VGGStage(width=4, kernels=("3x3",)),), pool="global"), 8),
        (ResNetConfig(depth=18, width=4, stem="small"), 32),
        (ResNetConfig(depth=50, width=4, head=HeadConfig(hidden=8, dropout=0.5)), 32),
        (ResNet9Config(widths=(4, 4, 4, 4, 4), residual=(True, False, True)), 32),
        (AlexNetConfig(form="cut"), 96),
        (AlexNetConfig(form="longer512-256"), 200),
        *(
            (ZooConfig(name=name), 64)
            for name in ("googlenet", "mobilenet_v2", "efficientnet_b0", "vgg11")
        ),
    ],
)
def test_every_family_is_exported_as_what_is_loaded_again(
    network: NetworkConfig, side: int, tmp_path: Path
) -> None:
    TrainConfig(network=network, optimizer=SGDConfig(lr=0.1))
    model = write(network, side, tmp_path / "model.pt2")
    some = torch.randint(0, 256, (3, 3, side, side), dtype=torch.uint8)
    assert torch.allclose(pt2.load(tmp_path / "model.pt2")(some), model(some), atol=2e-6)


def small_networks() -> dict[str, torch.nn.Module]:
    """Of the families of torchvision whose names have hyphens, whose sizes are computed from the
    number of images, or that hold constants; as small as their classes allow."""
    from torchvision.models import MaxVit, RegNet, SwinTransformer, VisionTransformer
    from torchvision.models.regnet import BlockParams
    from torchvision.models.swin_transformer import PatchMergingV2, SwinTransformerBlockV2

    torch.manual_seed(0)
    swin: dict[str, Any] = {
        **{"patch_size": [4, 4], "embed_dim": 8, "depths": [2], "num_heads": [2]},
        **{"window_size": [4, 4], "num_classes": 3},
    }
    block = BlockParams.from_init_params(depth=4, w_0=8, w_a=8.0, w_m=2.0, group_width=8)
    return {
        "regnet": RegNet(block, num_classes=3),
        "swin": SwinTransformer(**swin),
        "swin_v2": SwinTransformer(
            **swin, block=SwinTransformerBlockV2, downsample_layer=PatchMergingV2
        ),
        "vit": VisionTransformer(32, 16, 1, 2, 16, 16, num_classes=3),
        "maxvit": MaxVit((32, 32), 8, 4, [8], [1], 8, 0.0, num_classes=3),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["regnet", "swin", "swin_v2", "vit", "maxvit"])
def test_so_are_torchvisions_other_families(name: str, tmp_path: Path) -> None:
    model = on_cpu(small_networks()[name], (0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    torch.export.save(pt2.export(model, 32), tmp_path / "model.pt2")
    some = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    assert torch.allclose(pt2.load(tmp_path / "model.pt2")(some), model(some), atol=2e-6)


def test_an_operation_that_writes_files_is_refused(archive: Path, tmp_path: Path) -> None:
    """`aten.from_file` with `shared` makes a file of any name, or writes into one that is there."""
    trap = tmp_path / "trap"
    torch.ops.aten.from_file(str(trap), True, 4)
    assert trap.exists()  # the operation does write
    trap.unlink()

    def write_there(document: Graph) -> None:
        node = nodes(document)[0]
        node["target"] = "torch.ops.aten.from_file.default"
        node["inputs"] = [
            {"name": "filename", "arg": {"as_string": str(trap)}, "kind": 1},
            {"name": "shared", "arg": {"as_bool": True}, "kind": 1},
            {"name": "size", "arg": {"as_int": 4}, "kind": 1},
        ]
        node["outputs"] = [{"as_tensor": {"name": "from_file"}}]

    spoilt = with_json(archive, tmp_path / "a.pt2", GRAPH, write_there)
    refused(spoilt, "from_file")
    for target in ("torch.ops.aten.load", "os.system", "#builtin:exec", "math.pow", "", "print"):

        def call(document: Graph, target: str = target) -> None:
            nodes(document)[0]["target"] = target

        other = with_json(archive, tmp_path / "b.pt2", GRAPH, call)
        refused(other, "as target")
    assert not trap.exists()


@pytest.mark.parametrize("old", ["images", "softmax", "b_mean", "p_network_features_0_weight"])
@pytest.mark.parametrize(
    "new",
    [
        "images=print('run')",
        "a): print('run')\n  def x(",
        "lambda",
        "__class__",
        "network.__class__.y",
        "ｉmages",  # noqa: RUF001 (Python reads it as the name in plain letters)
        "a b",
        "../../a",
        "a-__import__('os').getpid()",
    ],
)
def test_a_name_that_is_an_expression_is_refused(
    archive: Path, tmp_path: Path, old: str, new: str
) -> None:
    change = partial(renamed, old=old, new=new)
    spoilt = with_json(archive, tmp_path / "a.pt2", GRAPH, change)
    refused(spoilt, "names a part|its graph holds")


def test_a_keyword_that_is_an_expression_is_refused(archive: Path, tmp_path: Path) -> None:
    def keyword(document: Graph) -> None:
        nodes(document)[0]["inputs"][0] |= {"name": "x=print('run'), y", "kind": 2}

    refused(with_json(archive, tmp_path / "a.pt2", GRAPH, keyword), "its graph holds")


def test_an_argument_of_another_kind_is_refused(archive: Path, tmp_path: Path) -> None:
    for kind in ("as_strings", "as_graph", "as_custom_obj", "as_operator", "as_nested_tensors"):

        def change(document: Graph, kind: str = kind) -> None:
            nodes(document)[0]["inputs"][0]["arg"] = {kind: {"name": "x"}}

        refused(with_json(archive, tmp_path / "a.pt2", GRAPH, change), kind)


def test_an_expression_in_place_of_a_size_is_refused(archive: Path, tmp_path: Path) -> None:
    symbol = next(
        size["as_expr"]
        for _, data in members(archive)
        if data.startswith(b'{"graph_module"')
        for value in json.loads(data)["graph_module"]["graph"]["tensor_values"].values()
        for size in value["sizes"]
        if "as_expr" in size
    )
    for text in (
        "__import__('os').system('true')",
        symbol["expr_str"] + ".__class__",
        "Pow(Integer(9), Pow(Integer(9), Integer(99)))",  # computed, takes all memory
        f"Mul(Integer(2), {symbol['expr_str']}, exit())",
        "Mul(Integer(2), #)",
    ):
        change = partial(renamed, old=symbol["expr_str"], new=text)
        refused(with_json(archive, tmp_path / "a.pt2", GRAPH, change), "as expr_str")
    guards = with_json(
        archive, tmp_path / "b.pt2", GRAPH, lambda d: d.update(guards_code=["print('run')"])
    )
    refused(guards, "guards_code")


def test_inputs_of_a_registered_class_are_refused(archive: Path, tmp_path: Path) -> None:
    def change(document: Graph) -> None:
        calls = document["graph_module"]["module_call_graph"]
        spec = json.loads(calls[0]["signature"]["in_spec"])
        spec[1]["type"] = "collections.namedtuple"
        calls[0]["signature"]["in_spec"] = json.dumps(spec)

    refused(with_json(archive, tmp_path / "a.pt2", GRAPH, change), "as in_spec")


class Trap:
    """Leaves a file where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return np.savetxt, (str(self._file), [1])  # type: ignore[return-value]


@pytest.fixture
def trap(tmp_path: Path) -> tuple[bytes, Path]:
    """A pickle, and the file that it leaves."""
    file = tmp_path / "trap.txt"
    evil = pickle.dumps(Trap(file))
    pickle.loads(evil)  # noqa: S301 (the trap works)
    assert file.exists()
    file.unlink()
    return evil, file


def test_no_pickle_in_it_is_read(archive: Path, tmp_path: Path, trap: tuple[bytes, Path]) -> None:
    evil, file = trap
    some = torch.zeros((1, 3, SIDE, SIDE), dtype=torch.uint8)
    sample = [
        (name, evil if name.endswith("sample_inputs/model.pt") else data)
        for name, data in members(archive)
    ]
    assert pt2.load(packed(tmp_path / "a.pt2", sample))(some).shape == (1, 3)

    def ask(document: Graph) -> None:
        next(iter(document["config"].values()))["use_pickle"] = True

    refused(with_json(archive, tmp_path / "b.pt2", WEIGHTS, ask), "asks for a pickle")
    top = members(archive)[0][0].split("/")[0]
    for name in ("data/constants/opaque_obj_0", "data/weights/model.pt", "extra/x", "../x"):
        more = [*members(archive), (f"{top}/{name}", evil)]
        refused(packed(tmp_path / "c.pt2", more), "which no export of a network has")
    assert not file.exists()


@pytest.mark.parametrize("first", [True, False])
def test_two_members_of_one_name_are_refused(
    archive: Path, tmp_path: Path, trap: tuple[bytes, Path], first: bool
) -> None:
    """One reader takes the first of them, another the last."""
    evil, file = trap
    honest = members(archive)
    name = next(name for name, _ in honest if name.endswith("sample_inputs/model.pt"))
    both = [(name, evil), *honest] if first else [*honest, (name, evil)]
    refused(packed(tmp_path / "a.pt2", both), "two members of the same name")
    assert not file.exists()


def test_what_unpacks_to_more_than_the_file_is_refused(archive: Path, tmp_path: Path) -> None:
    zeros = [
        (name, bytes(50_000_000) if name.endswith("weight_0") else data)
        for name, data in members(archive)
    ]
    bomb = packed(tmp_path / "a.pt2", zeros, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 500_000
    refused(bomb, "is compressed")

    def long(document: Graph) -> None:
        entry = next(iter(document["config"].values()))
        entry["tensor_meta"]["sizes"] = [{"as_int": 2**40}]
        entry["tensor_meta"]["strides"] = [{"as_int": 0}]

    refused(with_json(archive, tmp_path / "b.pt2", WEIGHTS, long), "shorter than its tensor")


def test_a_damaged_archive_is_one_line(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2], whole[:-30]):
        (tmp_path / "a.pt2").write_bytes(content)
        refused(tmp_path / "a.pt2", "^[^\n]+$")
    for text in ("[]", "{", "[" * 100_000, '{"graph_module": 3}', '{"config": 3}', "null"):
        for member in (GRAPH, WEIGHTS):
            spoilt = [
                (name, text.encode() if name.endswith(member) else data)
                for name, data in members(archive)
            ]
            refused(packed(tmp_path / "a.pt2", spoilt), "^[^\n]+$")


def test_an_export_names_no_file_of_the_machine(archive: Path) -> None:
    content = archive.read_bytes()
    assert str(Path(paretrain.__file__).parent).encode() not in content
    assert b"stack_trace" not in content and b".py" not in content
