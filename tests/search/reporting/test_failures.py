"""Trainings that came to nothing, by cause."""

from pathlib import Path

from search.reporting.failures import diagnose
from tests.makers import mixed_study


def test_failures_are_grouped_by_cause_with_advice(tmp_path: Path) -> None:
    found = {t.cause: t for t in diagnose(mixed_study(str(tmp_path / "s.db"), "a").trials)}
    assert found["diverged at once"].numbers == (3,)
    assert "0.5: try a tenth" in found["diverged at once"].advice
    assert (
        "No BatchNorm in 1 of 1, first weights of deviation 0.01 in 1: try"
        in found["one class to the end"].advice
    )
    assert "Batches of up to 32" in found["out of memory"].advice
    assert (
        found["error (ValueError: x)"].sentence()
        == "Error (ValueError: x): 1 trial (#5). search.explain --trial 5 shows the traceback."
    )
