"""The program for a machine with a GPU, rehearsed on a CPU."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("part", "written"),
    [
        ("a", {"speed.md", "loader.md", "packing.md"}),
        pytest.param("b", {"search.txt", "report.html"}, marks=pytest.mark.bench),
    ],
)
def test_the_program_for_a_gpu_runs_through(part: str, written: set[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--part", part, "--rehearse"]
    done = subprocess.run(
        [*command, "--device", "cpu", "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert written <= {path.name for path in tmp_path.iterdir()}
    for name in written:
        assert "nan" not in (tmp_path / name).read_text(encoding="utf-8").split()
