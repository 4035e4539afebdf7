"""The machine that a benchmark runs on."""

import platform
from pathlib import Path


def machine() -> str:
    """Return the number of cores and the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        rows = cpuinfo.read_text(encoding="utf-8").splitlines()
        models = [row.split(":", 1)[1].strip() for row in rows if row.startswith("model name")]
        if models:
            return f"{len(models)} cores of {models[0]}"
    return platform.processor() or platform.machine()
