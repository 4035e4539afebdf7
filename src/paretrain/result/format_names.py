"""Names of the formats of a trained network. In a file of their own, because `--help` needs no
more."""

from typing import Literal

Format = Literal["weights", "pt2", "onnx"]
"""Values of `--form`."""
