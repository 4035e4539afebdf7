"""What must be equal on all nodes, or curves would not be, and messages might not be understood."""

import hashlib
import platform
from importlib import metadata
from pathlib import Path

import paretrain
import search

PACKAGES = tuple(Path(package.__path__[0]) for package in (paretrain, search))


def versions() -> dict[str, str]:
    """By name, for people."""
    return {
        "Python": platform.python_version(),
        "Ray": metadata.version("ray"),
        "torch": metadata.version("torch"),
        "paretrain": f"{paretrain.__version__} ({_of_code()})",
    }


def _of_code() -> str:
    """The first digits of a check sum: a version under development has many contents."""
    found = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            found.update(path.relative_to(package).as_posix().encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:8]
