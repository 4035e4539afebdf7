"""NVIDIA's Multi-Process Service for workers that share a GPU: their kernels then run side by side
instead of in turns.

A daemon of our own, for our workers alone, started before them and stopped after them. Whatever is
in the way, workers share the GPU as they would without it. (docs.nvidia.com/deploy/mps)
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

CONTROL = "nvidia-cuda-mps-control"
PIPES, LOGS, VISIBLE = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY", "CUDA_VISIBLE_DEVICES"
FOLDER = "paretrain-mps-"
"""Begins the name of the daemon's folder; the number of our process follows."""
ANSWER_S, START_S = 10.0, 10.0
"""Time for the daemon to answer, and for its server to appear."""


@dataclass(frozen=True)
class Sharing:
    """How workers share GPUs."""

    words: str
    """For people: what was started, or why nothing was."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What workers need to be clients of the daemon; empty where there is none."""


def shares(devices: Sequence[str]) -> bool:
    """Whether two workers have the same GPU."""
    gpus = [device for device in devices if device.startswith("cuda")]
    return len(gpus) > len(set(gpus))


@contextlib.contextmanager
def multi_process_service(uuids: Callable[[], list[str]]) -> Iterator[Sharing]:
    """A daemon in the block, where one can be started and none runs yet.

    `uuids` gives those of the visible GPUs, in torch's order. It is only called where the user has
    chosen some of the GPUs: the daemon numbers those that it sees anew, so that numbers would mean
    others to its clients.
    """
    control = shutil.which(CONTROL) if sys.platform == "linux" else None
    if control is None:
        yield Sharing(f"no MPS: {CONTROL} is not there")
        return
    _stop_left_over(control)
    if obstacle := _obstacle(control):
        yield Sharing(f"no MPS of our own: {obstacle}")
        return
    # The path of a pipe may have 107 characters, so not in a long TMPDIR.
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-", dir="/tmp"))
    try:
        environment = {PIPES: str(folder), LOGS: str(folder), **_visible(uuids)}
        problem = _start(control, environment)
        if problem:
            yield Sharing(f"no MPS: {problem}")
        else:
            yield Sharing("MPS: the workers of a GPU run side by side", environment)
    finally:
        _stop(control, folder)


def _obstacle(control: str) -> str:
    """Why no daemon should be started; empty where nothing speaks against it."""
    if PIPES in os.environ:
        return f"{PIPES} is set, so workers use the one that it names"
    if "MIG" in os.environ.get(VISIBLE, ""):
        return f"{VISIBLE} names a part of a GPU (MIG)"
    # Of anybody: a second one could not use the same GPU.
    names = (process.info["name"] or "" for process in psutil.process_iter(["name"]))
    if any(name.startswith("nvidia-cuda-mps") for name in names):
        return "one runs already"
    if _ask(control, {}, "get_server_list") is not None:
        return "one answers already, which workers use by themselves"
    return ""


def _visible(uuids: Callable[[], list[str]]) -> dict[str, str]:
    """The GPUs that the user has chosen, by names that mean the same to daemon and clients."""
    return {VISIBLE: ",".join(uuids())} if os.environ.get(VISIBLE) else {}


def _start(control: str, environment: Mapping[str, str]) -> str:
    """Start a daemon and its server; returns what went wrong, or "" ."""
    try:
        done = subprocess.run(
            [control, "-d"],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the daemon
            stderr=subprocess.DEVNULL,
            timeout=ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"its daemon did not start: {error}"
    if done.returncode:
        return f"its daemon did not start (exit code {done.returncode})"
    _ask(control, environment, f"start_server -uid {os.getuid()}")
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        answer = _ask(control, environment, "get_server_list")
        if answer and answer.split()[0].isdecimal():
            return ""
        time.sleep(0.1)
    return "its server did not start"


def _ask(control: str, environment: Mapping[str, str], command: str) -> str | None:
    """What the daemon answers; None where none answers."""
    try:
        done = subprocess.run(
            [control],
            input=f"{command}\n",
            env=os.environ | environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def _stop(control: str, folder: Path) -> None:
    """End the daemon of a folder, and remove the folder."""
    own = {PIPES: str(folder), LOGS: str(folder)}
    if _ask(control, own, "quit -t 5") is None:
        with contextlib.suppress(OSError, ValueError, psutil.Error):
            daemon = psutil.Process(int((folder / f"{CONTROL}.pid").read_text()))
            if daemon.name().startswith(CONTROL[:15]):
                daemon.terminate()
    shutil.rmtree(folder, ignore_errors=True)


def _stop_left_over(control: str) -> None:
    """End the daemons of our processes that were killed."""
    for folder in Path("/tmp").glob(f"{FOLDER}*"):
        owner = folder.name.removeprefix(FOLDER).partition("-")[0]
        with contextlib.suppress(OSError):
            ours = folder.stat().st_uid == os.getuid() and not folder.is_symlink()
            if ours and owner.isdecimal() and not psutil.pid_exists(int(owner)):
                _stop(control, folder)
