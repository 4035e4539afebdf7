"""Measurements: run as `python -m benchmarks.NAME`; results with machine and date in results/."""
