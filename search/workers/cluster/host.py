"""An actor of Ray: holds one worker process on a node, the very one that trains without Ray too."""

import contextlib
import os
import queue
import threading

import ray

from search.workers.cluster.versions import PACKAGES, versions
from search.workers.process import begin, last_words

HEAR_S = 10.0
"""A call that asks what was said is answered after so long at the latest: that tells that its node
is there."""


class Host:
    """Passes lines on, in both directions at once. Loads no torch: its process does."""

    def __init__(self, device: str, threads: int) -> None:
        self._device = device
        # Ray lets this process find the code of the driver; the one that trains must find the same.
        found = [*(str(package.parent) for package in PACKAGES), os.environ.get("PYTHONPATH", "")]
        path = os.pathsep.join(filter(None, found))
        self._process = begin(device, threads, {"PYTHONPATH": path})
        self._said: queue.SimpleQueue[str | tuple[int, str]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def about(self) -> dict[str, object]:
        """Where this is, and with what it works."""
        context = ray.get_runtime_context()
        gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        return {
            "node": context.get_node_id(),
            "address": ray.util.get_node_ip_address(),
            "device": "cpu" if self._device == "cpu" else f"{self._device}:{gpus}",
            "versions": versions(),
        }

    def send(self, text: str) -> None:
        """A line for the worker. That it is dead is no error here."""
        assert self._process.popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.popen.stdin.write(text.encode())
            self._process.popen.stdin.flush()

    @ray.method(concurrency_group="out")
    def hear(self) -> list[str | tuple[int, str]]:
        """What it has said since the last call, in lines; last, where it has ended, its exit code
        and the last lines of its standard error. Waits for the first word."""
        heard: list[str | tuple[int, str]] = []
        with contextlib.suppress(queue.Empty):
            heard.append(self._said.get(timeout=HEAR_S))
            while True:
                heard.append(self._said.get_nowait())
        return heard

    def _listen(self) -> None:
        assert self._process.popen.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # closed: it was ended
            for text in self._process.popen.stdout:
                self._said.put(text.decode())
            code = self._process.popen.wait()
            self._said.put((code, last_words(self._process.log)))
