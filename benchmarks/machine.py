"""The machine that a benchmark ran on, as the system names it."""

import platform
from pathlib import Path


def machine() -> str:
    """Processor and cores."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        rows = cpuinfo.read_text().splitlines()
        models = [row.split(":", 1)[1].strip() for row in rows if row.startswith("model name")]
        if models:
            return f"{len(models)} cores of {models[0]}"
    return platform.processor() or platform.machine()
