"""Who may import whom, held by reading the sources: search -> paretrain, spaces -> paretrain, never
back, and within search and paretrain as the tables say."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import ROOT

FORBIDDEN = {
    "src/paretrain": {"search", "spaces", "optuna", "optuna_dashboard"},
    "spaces": {"search", "optuna", "torch"},
    "search": {"spaces"},
}
ROOMS: dict[str, set[str]] = {
    "problem": set(),
    "workers": set(),
    "stopping": {"problem"},
    "elsewhere": {"stopping", "study"},
    "prior": {"problem", "stopping", "study"},
    "sampling": {"problem"},
    "study": {"problem", "stopping"},
    "reporting": {"problem", "stopping", "study"},
    "session": {"problem", "workers", "stopping", "prior", "sampling", "study", "reporting"},
}
"""The rooms of search/, and the others that each uses. Commands, beside the rooms, may use all."""
HELPERS = {"option_values", "frames"}
"""Modules beside the rooms that are no commands. Commands alone use them, and `frames` only one."""
API = {"api": {"run", "export", "report", "frames"}, "__init__": {"api"}}
"""What is for Python is thin over the commands."""
PARETRAIN: dict[str, set[str]] = {
    "safe_text": set(),
    "shell": set(),
    "not_done": set(),
    "output": {"safe_text"},
    "cli": {"not_done", "output", "safe_text"},
    "paths": {"cli"},
    "atomic": set(),
    "interruption": set(),
    "choices": set(),
    "formatting": set(),
    "health": set(),
    "determinism": set(),
    "bar": set(),
    "screen": {"output", "safe_text"},
    "doing": {"formatting"},
    "network_config": set(),
    "config": {"cli", "network_config", "not_done", "paths"},
    "trusted_code": {"atomic"},
    "own_files": set(),
    "own_network": {"cli", "network_config", "own_files", "trusted_code"},
    "epoch_selection": {"config"},
    "metric": {"config"},
    "epoch_result": {"health"},
    "evaluation": {"config", "metric"},
    "allocator": set(),
    "averaging": set(),
    "labels": set(),
    "optim": {"config"},
    "device": {"cli", "config"},
    "describe": {"config", "network_config"},
    "data": {"atomic", "cli", "config", "device", "paths", "safe_text"},
    "networks": {
        *("cli", "config", "locks", "network_config", "own_files", "own_network", "paths"),
        "torch_files",
    },
    "locks": {"cli", "paths"},
    "memory": {"config", "networks"},
    "own_state": {"cli", "memory", "network_config", "networks", "own_network"},
    "step_graph": {"labels", "memory"},
    "training": {
        *("allocator", "averaging", "config", "determinism", "device", "epoch_selection"),
        *("epoch_result", "evaluation", "health", "labels", "metric", "optim", "step_graph"),
        *("data", "networks"),
    },
    "torch_files": {"paths"},
    "checkpoint": {"atomic", "epoch_result", "torch_files", "training"},
    "pace": {"config", "data", "determinism", "training"},
    "threads": {"config", "data", "pace"},
    "testset": {"config", "data"},
    "searched": {"config", "data", "networks", "safe_text"},
    "result": {
        *("__init__", "atomic", "cli", "config", "describe", "device", "formatting"),
        *("locks", "metric", "network_config", "own_network", "paths", "safe_text", "training"),
        *("data", "epoch_result", "evaluation", "networks", "searched"),
    },
    "full_training": {
        *("bar", "checkpoint", "config", "doing", "interruption", "metric", "result", "screen"),
        *("epoch_result", "training"),
    },
    "__init__": {"result"},
    "__main__": {
        *("__init__", "checkpoint", "cli", "config", "describe", "device", "doing", "formatting"),
        *(
            "data",
            "full_training",
            "interruption",
            "memory",
            "metric",
            "network_config",
            "own_network",
            "own_state",
            "paths",
            "searched",
        ),
        *("result", "screen", "shell", "testset", "threads", "training"),
    },
    "predict": {"cli", "formatting", "data", "paths", "result", "safe_text"},
}
"""Modules and rooms of src/paretrain, and the others that each uses."""


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def uses(path: Path, package: str, folder: Path) -> set[str]:
    """Rooms, and modules beside them, of a package in that folder that a file imports from."""
    found = set()
    for name in imports(path):
        top, *inner = name.split(".")
        if top != package or not inner:
            continue
        there = (folder / inner[0]).is_dir() or (folder / f"{inner[0]}.py").is_file()
        found.add(inner[0] if there else "__init__")
    return found


def rooms(folder: Path) -> dict[str, list[Path]]:
    """Files by room; a module beside the rooms is one of its own."""
    by_room: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.py")):
        first = path.relative_to(folder).parts[0]
        by_room.setdefault(first.removesuffix(".py"), []).append(path)
    return by_room


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_go_one_way(folder: str) -> None:
    for path in files(folder):
        tops = {name.split(".")[0] for name in imports(path)}
        assert not tops & FORBIDDEN[folder], path


def test_the_search_cannot_reach_the_test_part() -> None:
    """Neither by import nor by name: only `python -m paretrain` opens it."""
    for path in [*files("search"), *files("spaces")]:
        text = path.read_text(encoding="utf-8")
        for name in ("testset", "load_test", "test_part", "digit_indices", "open_folder"):
            assert name not in text, f"{path} names {name}"
    users = [p for p in files("src/paretrain") if "paretrain.testset" in imports(p)]
    assert [p.name for p in users] == ["__main__.py"]
    callers = [p for p in files("src/paretrain") if ".test_part(" in p.read_text(encoding="utf-8")]
    assert [p.name for p in callers] == ["testset.py"]


def _loaded(statements: str) -> set[str]:
    code = f"import sys\n{statements}\nprint(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


TRAINS = """
import torch
import search.workers.worker
from paretrain.config import ClipConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.noise import noise
from paretrain.training import Training
config = TrainConfig(
    data={"source": "digits", "image_size": 16},
    network=VGGConfig(stages=(VGGStage(width=4, kernels=("3x3",)),), norm="batch"),
    optimizer=SGDConfig(lr=0.1),
    clip=ClipConfig(norm=1.0),
    augment={"flip": True, "rotation": 10, "hue": 0.1},
)
training = Training(config, noise(side=16, images=64), torch.device("cpu"))
next(training.epochs())
training.load_state_dict(training.state_dict())
"""
"""What a worker does, in a process of its own."""


def test_a_worker_that_trains_loads_neither_optuna_nor_the_database_nor_a_compiler() -> None:
    """Each process would pay for them in seconds and in 100 MB."""
    loaded = _loaded(TRAINS)
    assert "torch.optim" in loaded
    heavy = {
        "optuna",
        "torchvision",
        "sqlalchemy",
        "sklearn",
        "pandas",
        "scipy",
        "rich",
        "triton",
        "matplotlib",
        "torch._dynamo",
        "torch._inductor",
        "sympy",
    }
    assert not loaded & heavy


def test_paretrain_runs_without_optuna() -> None:
    assert "optuna" not in _loaded("import paretrain.__main__")


COMMANDS = [
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    for path in sorted((ROOT / "search").glob("*.py"))
    if "\ndef main() -> None:" in path.read_text(encoding="utf-8")
]


def test_help_needs_neither_torch_nor_optuna() -> None:
    """They take seconds to import, and whoever asks for help or slips in an option waits."""
    modules = [*COMMANDS, "paretrain.__main__", "paretrain.predict"]
    assert "search.run" in modules and "search.studies" in modules
    loaded = _loaded("import " + ", ".join(modules))
    assert "typer" in loaded
    heavy = {"torch", "torchvision", "optuna", "sqlalchemy", "pandas", "plotly", "sklearn", "scipy"}
    assert not loaded & heavy


def test_spaces_has_no_init_file() -> None:
    """Another distribution owns the import name `spaces`; ours must not overwrite its files."""
    assert not (ROOT / "spaces" / "__init__.py").exists()


def test_every_room_of_the_search_uses_those_rooms_that_the_table_says() -> None:
    folder = ROOT / "search"
    by_room = {room: paths for room, paths in rooms(folder).items() if (folder / room).is_dir()}
    used = {
        room: set().union(*(uses(path, "search", folder) for path in paths)) - {room}
        for room, paths in by_room.items()
    }
    assert used == ROOMS


def test_nobody_uses_a_command_and_only_commands_their_helpers() -> None:
    folder = ROOT / "search"
    beside = {path.stem: path for path in folder.glob("*.py") if path.stem != "__init__"}
    commands = {
        name for name, path in beside.items() if "\ndef main() -> None:" in path.read_text()
    }
    assert commands == set(beside) - HELPERS - set(API)
    for path in [*files("search"), *files("src"), *files("spaces"), *files("benchmarks")]:
        used = uses(path, "search", folder) & set(beside)
        if path.parent == folder and path.stem in API:
            may = API[path.stem]
        elif path in beside.values():
            may = HELPERS if path.stem == "report" else HELPERS - {"frames"}
        else:
            may = {"option_values"} if path.is_relative_to(ROOT / "benchmarks") else set()
        assert used <= may, path
    assert "frames" in uses(folder / "report.py", "search", folder)


def test_every_part_of_paretrain_uses_those_parts_that_the_table_says() -> None:
    folder = ROOT / "src/paretrain"
    used = {
        room: set().union(*(uses(path, "paretrain", folder) for path in paths)) - {room}
        for room, paths in rooms(folder).items()
    }
    assert used == PARETRAIN


def test_neither_workers_nor_rules_know_of_optuna() -> None:
    for path in [*files("search/workers"), *files("search/stopping")]:
        assert "optuna" not in {name.split(".")[0] for name in imports(path)}, path


INTERNALS = ROOT / "search/problem/optuna_internals.py"
OF_THE_DASHBOARD = ROOT / "search/reporting/dashboard/ended_once.py"
OPEN = {"self", "cls", "os"}
"""Names whose private attributes may be used: one's own, and `os._exit`."""


def private(path: Path) -> Iterator[str]:
    """Private attributes of others that a file uses, and private names that it imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id=name)) if name in OPEN:
                pass
            case ast.Attribute(attr=name) if hidden(name):
                yield name
            case ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=str(name)), *_]):
                if hidden(name):
                    yield name
            case ast.Import() | ast.ImportFrom():
                module = getattr(node, "module", None) or ""
                for name in [module, *(alias.name for alias in node.names)]:
                    if any(hidden(part) for part in name.split(".")):
                        yield name


def hidden(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_one_file_alone_touches_optunas_private_parts() -> None:
    for path in files("search"):
        assert path in (INTERNALS, OF_THE_DASHBOARD) or list(private(path)) == [], path
    assert {"_trial_id", "_storage", "_contains"} <= set(private(INTERNALS))
    uses_of_it = imports(OF_THE_DASHBOARD)
    assert any(name.startswith("optuna_dashboard") for name in uses_of_it)


def test_every_room_says_in_a_line_what_it_is_for() -> None:
    folders = [path.parent for path in [*files("search"), *files("src/paretrain")]]
    for folder in sorted({*folders} - {ROOT / "src/paretrain", ROOT / "search"}):
        (docstring,) = ast.parse((folder / "__init__.py").read_text(encoding="utf-8")).body
        assert isinstance(docstring, ast.Expr), folder
        assert isinstance(docstring.value, ast.Constant), folder


def test_consoles_are_made_in_one_place_where_names_are_escaped() -> None:
    for path in [*files("search"), *files("src/paretrain")]:
        if path.name != "screen.py":
            assert not re.search(r"\bConsole\(", path.read_text(encoding="utf-8")), path
