"""What the program says to damaged files: `python -m benchmarks.mutations.NAME` tries thousands."""
