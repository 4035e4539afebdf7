"""The notebook of examples/ runs, and shows what it says."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.harness import ROOT


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's libraries
def test_a_notebook_searches_shows_and_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT)]))
    notebook = nbformat.read(ROOT / "examples/search.ipynb", as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    elsewhere, images, search, front, figure, trained = (
        cell.outputs for cell in notebook.cells if cell.cell_type == "code"
    )
    assert not elsewhere and not images and "Warning" not in str(search)
    bars = [
        output for output in search if "progress" in output.get("data", {}).get("text/html", "")
    ]
    assert len(bars) == 1 and "4 of 4 trials" in bars[0].data["text/html"]
    assert "<table" in front[0].data["text/html"]
    assert "application/vnd.plotly.v1+json" in figure[0].data
    assert trained[-1].data["text/plain"].count("Prediction(") == 3
    assert (tmp_path / "runs/notebook/weights.safetensors").exists()
