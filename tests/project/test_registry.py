"""The package for OptunaHub loads and prunes without this project."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from registry.build import PACKAGE, build
from tests.harness import ROOT

RUN = """
import importlib.util, runpy, sys, types

class Ours:
    def find_spec(self, name, path=None, target=None):
        assert name.split(".")[0] not in ("search", "paretrain", "torch"), name

def load_module(package):
    spec = importlib.util.spec_from_file_location("loaded", f"{folder}/__init__.py")
    sys.modules["loaded"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

folder = sys.argv[1]
sys.meta_path.insert(0, Ours())
sys.modules["optunahub"] = types.SimpleNamespace(load_module=load_module)
runpy.run_path(f"{folder}/example.py")
"""
"""Loads it as `optunahub.load_module` does, from a folder instead of from the network."""


@pytest.mark.slow
def test_the_package_prunes_without_this_project(tmp_path: Path) -> None:
    folder = build(tmp_path, "Jane Doe")
    assert folder == tmp_path / PACKAGE
    command = [sys.executable, "-I", "-c", RUN, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr
    pruned, trials, spent = map(int, re.findall(r"\d+", ran.stdout.splitlines()[-1]))
    assert trials == 50 and pruned >= 5 and spent < 0.9 * 50 * 20


def test_the_package_has_what_the_registry_asks_for(tmp_path: Path) -> None:
    folder = build(tmp_path, "Jane Doe")
    assert {"LICENSE", "README.md", "__init__.py", "example.py"} <= {
        path.name for path in folder.iterdir()
    }
    assert "Copyright (c) 2026 Jane Doe" in (folder / "LICENSE").read_text(encoding="utf-8")
    _, front, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    head = yaml.safe_load(front)
    assert set(head) == {
        *("author", "title", "description", "tags", "optuna_versions", "license"),
    }
    assert "pruner" in head["tags"] and head["license"] == "MIT License"
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert f"optuna=={head['optuna_versions'][-1]}\n" in constraints
    for title in ("Abstract", "Class or Function Names", "Installation", "Example"):
        assert f"\n## {title}\n" in text
