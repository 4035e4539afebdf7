"""What somebody waits for: help, the first epoch of the embedded run, memory of a worker."""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from benchmarks.searching import watch

HELP = [sys.executable, "-m", "search.run", "--help"]
EMBEDDED = ["--space", "vgg_reduce", "--trials", "50"]


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def help_text() -> float:
    """Ask for help, and read all of it; return the seconds that this took."""
    began = time.perf_counter()
    subprocess.run(HELP, check=True, capture_output=True)
    return time.perf_counter() - began


def first_epoch(device: str) -> float:
    """Begin the README's search in an empty folder, and end it after the first epoch of a trial;
    return the seconds until that epoch was told."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "search.run", "--json", *EMBEDDED, "--device", device]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process,
    ):
        assert process.stdout is not None
        told = any(json.loads(line)["event"] == "epoch" for line in process.stdout)
        waited = time.perf_counter() - began
        process.terminate()  # so that it ends its workers, and their time is known
    if not told:
        raise RuntimeError("the search ended before its first epoch")
    return waited


def measure(rounds: int, device: str) -> list[dict[str, object]]:
    """Return a row for each thing that is waited for: medians with their range."""
    waits: dict[str, Callable[[], float]] = {
        "--help": help_text,
        "first epoch of the embedded run": lambda: first_epoch(device),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in waits}
    for _ in range(rounds):
        for name, wait in waits.items():
            used = _processor()
            waited = wait()
            found[name].append((waited, _processor() - used))
    rows: list[dict[str, object]] = []
    for name, pairs in found.items():
        for clock, values in zip(("s", "s of processors"), zip(*pairs, strict=True), strict=True):
            rows.append({"what": name, "unit": clock, **_summary(values)})
    peaks = [_worker_gigabytes(device) for _ in range(min(rounds, 2))]
    rows.append({"what": "memory of a worker at its peak", "unit": "GB", **_summary(peaks)})
    return rows


def _summary(values: "tuple[float, ...] | list[float]") -> dict[str, object]:
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def _worker_gigabytes(device: str) -> float:
    """Return the most resident memory of the worker of a small search."""
    watched = watch({"trials": 2, "epochs": 1, "device": device}, "--baselines", "none")
    return max(watched.peak_bytes.values()) / 1e9
