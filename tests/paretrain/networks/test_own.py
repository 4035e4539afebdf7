"""Networks of the user's own: described, counted without memory, trusted before they are run."""

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
from paretrain.own_network import SOURCE, own_network, trust_code_of

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
