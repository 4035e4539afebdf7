"""Networks of the user's own: described, counted without memory, trusted before they are run."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from paretrain.cli import UserError
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.describe import describe
from paretrain.network_config import OwnConfig
from paretrain.networks.build import (
    build_network,
    count_buffers,
    count_macs,
    count_parameters,
    has_batch_statistics,
)
from paretrain.networks.measure import measure
from paretrain.own_files import SOURCE, from_folder, run_file
from paretrain.own_network import own_network, trust_code_of

SOURCES = {
    "plain": """
def build(num_classes, width=4):
    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(width, num_classes))
""",
    "lazy": """
def build(num_classes, width=4):
    return nn.Sequential(nn.LazyConv2d(width, 3), nn.LazyBatchNorm2d(), nn.Flatten(),
                         nn.LazyLinear(num_classes))
""",
    "bare": """
class build(nn.Module):
    def __init__(self, num_classes, image_size, width=4):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(width, 3, 3, 3))
        self.matrix = nn.Parameter(torch.randn(width * (image_size - 2) ** 2, num_classes))

    def forward(self, images):
        return torch.conv2d(images, self.kernel).flatten(1) @ self.matrix
""",
}


@pytest.fixture(autouse=True)
def trusted_here(monkeypatch: pytest.MonkeyPatch) -> dict[str, Path | None]:
    """What this process trusts: nothing, before a test begins."""
    trusted: dict[str, Path | None] = {}
    monkeypatch.setattr("paretrain.trusted_code._HERE", trusted)
    return trusted


def network(text: str, **arguments: object) -> OwnConfig:
    """What a space with this text says of `build`."""
    source = "import random\nimport torch\nfrom torch import nn\n" + text
    module = ModuleType("of_a_test")
    module.__file__ = "nets.py"
    vars(module)[SOURCE] = source
    exec(compile(source, "nets.py", "exec"), vars(module))
    return own_network(vars(module)["build"], **arguments)


def config(own: OwnConfig) -> TrainConfig:
    return TrainConfig(network=own, optimizer=SGDConfig(lr=0.1))


def test_a_configuration_holds_the_file_and_survives_its_own_file() -> None:
    own = network(
        "def build(num_classes, width, rates, name=None):\n\tpass  # tab, \u00e4, end \r\n",
        width=3,
        rates=[[1, 2.0], [True]],
        name="yes",
    )
    whole = config(own)
    assert TrainConfig.from_yaml(whole.to_yaml()) == whole
    assert TrainConfig.from_dict(whole.to_dict()) == whole
    assert hash(own) == hash(TrainConfig.from_dict(whole.to_dict()).network)
    assert whole.to_dict()["network"]["arguments"] == {
        "name": "yes",
        "rates": [[1, 2.0], [True]],
        "width": 3,
    }
    assert describe(whole) == "build name yes, rates 1-2-True, width 3, sgd 0.1, b32"


def test_code_in_a_configuration_file_can_be_read() -> None:
    text = config(network(SOURCES["plain"])).to_yaml()
    assert "    def build(num_classes, width=4):\n" in text


@pytest.mark.parametrize("name", SOURCES)
def test_counts_are_those_of_the_built_network(name: str) -> None:
    own = network(SOURCES[name], width=5)
    built = build_network(own, 7, 12)
    built(torch.zeros(2, 3, 12, 12))
    assert count_parameters(own, 7, 12) == sum(p.numel() for p in built.parameters())
    assert count_buffers(own, 7, 12) == sum(b.numel() for b in built.buffers())
    assert has_batch_statistics(own, 12) == (name == "lazy")
    last = 5 if name == "plain" else 5 * 10 * 10
    assert count_macs(own, 7, 12) == 5 * 27 * 100 + 7 * last


def test_a_measured_network_costs_what_is_counted_for_it() -> None:
    stages = tuple(VGGStage(width=w, kernels=("3x3", "separable", "1x1")) for w in (4, 9))
    vgg = VGGConfig(stages=stages, norm="batch", hidden=(11,), dropout=(0.5,))
    with torch.device("meta"):
        costs = measure(build_network(vgg, 5, 32), 32).costs
    assert costs.parameters == count_parameters(vgg, 5, 32)
    assert costs.macs == count_macs(vgg, 5, 32)
    assert costs.buffers == count_buffers(vgg, 5, 32)


def test_a_network_that_no_machine_can_hold_is_counted() -> None:
    text = """
def build(num_classes, width):
    return nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.Linear(width, width),
                         nn.Linear(width, num_classes))
"""
    width = 10_000_000
    own = network(text, width=width)
    assert count_parameters(own, 2, 8) == 193 * width + (width + 1) * width + 2 * (width + 1)


FAULTS = {
    "return nn.Conv2d(3, num_classes, 3)": "nets.py:4: .* returns a tensor 2x10x6x6 .* must return",
    "return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))": "a tensor 2x3 .* must return a tensor",
    "return nn.Identity()": "returns a tensor 2x3x8x8 .* one row of logits for each image",
    "return 3": "nets.py:4: build returns int, must return a torch.nn.Module",
    "return nn.Linear(int(torch.ones(()).item()), num_classes)": "meta device first",
    "import sys\n    sys.exit('bye')": r"nets.py:6: build\(\) fails: SystemExit: bye",
    "class N(nn.Module):\n        def forward(self, x): return torch.from_numpy(x.numpy())\n"
    "    return N()": "must not depend on values of tensors",
    "n = []\n    return n[0]": r"nets.py:6: build\(\) fails: IndexError",
    "class N(nn.Module):\n        def forward(self, x): return x, x\n    return N()": "s tuple for",
    "class N(nn.Module):\n        def forward(self, x): return x.mean((2, 3))[:, :1].repeat(1, 10)"
    "\n    return N()": "has no parameters to train",
}


@pytest.mark.parametrize("body", FAULTS)
def test_a_network_with_a_fault_is_refused_with_its_line(body: str) -> None:
    own = network(f"def build(num_classes):\n    {body}\n")
    with pytest.raises(UserError, match=FAULTS[body]):
        count_parameters(own, 10, 8)


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('width must be even')",
        "return nn.Sequential(nn.Conv2d(3, 4, 9), nn.Flatten(), nn.LazyLinear(num_classes))",
    ],
)
def test_a_network_that_does_not_fit_the_images_is_no_fault(body: str) -> None:
    own = network(f"def build(num_classes):\n    {body}\n")
    for _ in range(2):  # the second time it is known
        with pytest.raises(ValueError, match=r"nets.py:[45]: build\(\) fails") as raised:
            count_parameters(own, 10, 8)
        assert not isinstance(raised.value, UserError)


def test_code_runs_only_where_it_is_trusted(
    tmp_path: Path, trusted_here: dict[str, Path | None]
) -> None:
    mark = tmp_path / "ran"
    own = network(f"open({str(mark)!r}, 'a').close()\n" + SOURCES["plain"])
    mark.unlink()
    trusted_here.clear()
    for use in (count_parameters, build_network):
        with pytest.raises(UserError, match="with which you have not searched on this machine"):
            use(own, 10, 8)
    assert not mark.exists()
    trust_code_of(own)
    assert count_parameters(own, 10, 8) > 0
    assert mark.exists()
    trusted_here.clear()
    with pytest.raises(UserError, match="not searched"):  # nor from the cache
        count_parameters(own, 10, 8)


def test_a_changed_source_is_no_configuration() -> None:
    values = config(network(SOURCES["plain"])).to_dict()
    values["network"]["source"] += "# changed\n"
    with pytest.raises(UserError, match=r"content of nets\.py is not what its sha256 says"):
        TrainConfig.from_dict(values)
    for key, wrong in (("file", "../nets.py"), ("function", "os.system"), ("sha256", "../x")):
        with pytest.raises(UserError, match=f"network.{key}"):
            TrainConfig.from_dict({**values, "network": {**values["network"], key: wrong}})


WITH_FILES = {
    "nets.py": """
from torch import nn

from blocks import block
import parts.head as head


def build(num_classes, width=4):
    from late import DEPTH

    return nn.Sequential(*(block(3 if not i else width, width) for i in range(DEPTH)),
                         head.make(width, num_classes))
""",
    "blocks.py": "from torch import nn\nimport os.path\n\n\ndef block(before, width):\n"
    "    return nn.Sequential(nn.Conv2d(before, width, 3, padding=1), nn.ReLU())\n",
    "late.py": "DEPTH = 2\n",
    "parts/__init__.py": "from . import flat\n",
    "parts/head.py": "from torch import nn\n\nfrom .flat import Flat\n\n\n"
    "def make(width, num_classes):\n"
    "    return nn.Sequential(Flat(), nn.Linear(width, num_classes))\n",
    "parts/flat.py": "from dataclasses import dataclass\n\nfrom torch import nn\n\n\n"
    "@dataclass\nclass Usual:\n    dim: int = 1\n\n\nclass Flat(nn.Module):\n"
    "    def forward(self, images):\n"
    "        return images.mean((2, 3)).flatten(Usual().dim)\n",
    "torch.py": "raise RuntimeError('not this one')\n",
    "unused.py": "raise RuntimeError('nobody asked for it')\n",
}


def folder_with(files: Mapping[str, str], folder: Path) -> Path:
    for place, text in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text)
    return folder


def of_folder(folder: Path, **arguments: object) -> OwnConfig:
    """What a space `nets.py` in this folder says of `build`."""
    source = (folder / "nets.py").read_text()
    module = ModuleType(f"of_{folder.name}")
    module.__file__ = str(folder / "nets.py")
    vars(module)[SOURCE] = source
    run_file(module, source, module.__file__, from_folder(folder))
    return own_network(vars(module)["build"], **arguments)


def test_files_that_it_imports_from_its_folder_travel_with_it(
    tmp_path: Path, trusted_here: dict[str, Path | None]
) -> None:
    folder = folder_with(WITH_FILES, tmp_path / "one")
    own = of_folder(folder, width=4)
    places = ["blocks.py", "late.py", "parts/__init__.py", "parts/flat.py", "parts/head.py"]
    assert [each.place for each in own.files] == places
    shutil.rmtree(folder)
    assert own_network_again(own) == own
    trusted_here.clear()
    with pytest.raises(UserError, match=r"network\.source and network\.files"):
        count_parameters(own, 10, 8)
    trust_code_of(own)
    assert count_parameters(own, 10, 8) == 3 * 4 * 9 + 4 + 4 * 4 * 9 + 4 + 4 * 10 + 10
    assert build_network(own, 10, 8)(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


def own_network_again(own: OwnConfig) -> object:
    """What is read of the file that is written."""
    return TrainConfig.from_yaml(config(own).to_yaml()).network


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    deeper = {**WITH_FILES, "late.py": "DEPTH = 5\n"}
    one = of_folder(folder_with(WITH_FILES, tmp_path / "one"))
    other = of_folder(folder_with(deeper, tmp_path / "other"))
    assert one.sha256 != other.sha256 and one.source == other.source
    assert count_parameters(one, 10, 8) + 3 * (4 * 4 * 9 + 4) == count_parameters(other, 10, 8)
    assert not {"blocks", "late", "parts"} & set(sys.modules)


def test_what_is_wrong_in_such_a_file_is_named_there(tmp_path: Path) -> None:
    broken = {**WITH_FILES, "late.py": "\nDEPTH = 1 / 0\n"}
    own = of_folder(folder_with(broken, tmp_path / "one"))
    with pytest.raises(UserError, match=r"late\.py:2.* ZeroDivisionError"):
        count_parameters(own, 10, 8)
    large = {**WITH_FILES, "late.py": "DEPTH = 2" + "\n" * 59_950}
    with pytest.raises(UserError, match=r"nets\.py, with 5 that it imports .* at most 60,000"):
        of_folder(folder_with(large, tmp_path / "two"))


@pytest.mark.parametrize(
    "place",
    [
        *("../blocks.py", "/etc/blocks.py", "a/../../blocks.py", "a\\b.py", "C:/b.py", "b.txt", ""),
        *("a//b.py", "./b.py", "b.py\n", "a/.py", "~/b.py", "b.py/", "x" * 300 + ".py"),
    ],
)
def test_a_place_outside_of_the_folder_is_no_configuration(place: str, tmp_path: Path) -> None:
    values = config(of_folder(folder_with(WITH_FILES, tmp_path / "one"))).to_dict()
    values["network"]["files"][0]["place"] = place
    with pytest.raises(UserError, match=r"network\.files\.0\.place"):
        TrainConfig.from_dict(values)


def test_files_that_were_changed_doubled_or_left_out_are_no_configuration(tmp_path: Path) -> None:
    own = of_folder(folder_with(WITH_FILES, tmp_path / "one"))

    def with_files(files: list[dict[str, str]]) -> None:
        values = config(own).to_dict()
        TrainConfig.from_dict({**values, "network": {**values["network"], "files": files}})

    files = config(own).to_dict()["network"]["files"]
    with_files(files)
    for changed, cause in (
        ([{**files[0], "source": "import os\n"}, *files[1:]], "with its files is not what"),
        (files[1:], "with its files is not what"),
        ([], "is not what its sha256 says"),
        ([*files, {**files[0]}], "two have the same place"),
        ([*files, {"place": "more.py", "source": "#" * 59_900}], "more than 60,000"),
    ):
        with pytest.raises(UserError, match=cause):
            with_files(changed)


def test_own_network_takes_functions_of_a_file_and_plain_values() -> None:
    def inner(num_classes: int) -> nn.Module:
        return nn.Linear(1, num_classes)

    for function in (lambda num_classes: None, inner):
        with pytest.raises(UserError, match="no function or class at the top level"):
            own_network(function)
    with pytest.raises(UserError, match=r"belongs to the package torch\.nn\.modules"):
        own_network(nn.Flatten)
    for text, given, cause in (
        ("def build(classes): pass", {}, "no parameter num_classes.*it has classes"),
        ("def build(num_classes): pass", {"width": 3}, "unexpected keyword argument 'width'"),
        ("def build(num_classes): pass", {"num_classes": 3}, "given by the run"),
        ("def build(num_classes, x): pass", {}, "missing a required argument: 'x'"),
    ):
        with pytest.raises(UserError, match=cause):
            network(text, **given)
    with pytest.raises(ValueError, match="arguments"):
        network("def build(num_classes, x): pass", x=object())
