"""NVIDIA's Multi-Process Service for workers that share a GPU, with a daemon that is a script."""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from search.session.plan import Plan
from search.session.runner import _sharing
from search.workers import mps, pool
from search.workers.devices import gpu_uuids
from search.workers.mps import CONTROL, FOLDER, LOGS, PIPES, VISIBLE, multi_process_service, shares
from search.workers.pool import WorkerPool
from search.workers.protocol import Alive, Epoch, Probe, Probed, Ready, Train
from tests.makers import CONFIG

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="MPS is for Linux")

SCRIPT = """#!/bin/sh
# As the real one: -d starts a daemon for the pipe directory; without it commands come in.
echo "$* $CUDA_VISIBLE_DEVICES" >> {log}
pipes="${{CUDA_MPS_PIPE_DIRECTORY:-{default}}}"
if [ "$1" = "-d" ]; then
    {on_start}
    echo 1 > "$pipes/daemon"
    exit 0
fi
[ -e "$pipes/daemon" ] || exit 1
while read -r command rest; do
    echo "$command $rest" >> {log}
    case "$command" in
        start_server) {on_server} echo 4711 > "$pipes/server" ;;
        get_server_list) cat "$pipes/server" 2>/dev/null ;;
        quit) rm -f "$pipes/daemon" "$pipes/server" ;;
    esac
done
exit 0
"""


class Control:
    """A fake nvidia-cuda-mps-control at the head of PATH."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.default = folder / "default"
        self.default.mkdir()
        self._path, self._log = folder / CONTROL, folder / "log"
        self.write()
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        for name in (PIPES, LOGS, VISIBLE):
            patch.delenv(name, raising=False)
        # Processes of this machine have nothing to do with the test.
        patch.setattr(psutil, "process_iter", lambda _: iter(()))

    def write(self, on_start: str = ":", on_server: str = "") -> None:
        text = SCRIPT.format(
            log=self._log, default=self.default, on_start=on_start, on_server=on_server
        )
        self._path.write_text(text)
        self._path.chmod(0o755)

    @property
    def log(self) -> list[str]:
        """What was asked of it, one call or command a line."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    @property
    def starts(self) -> list[str]:
        return [line for line in self.log if line.startswith("-d")]


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Control:
    return Control(tmp_path, monkeypatch)


def folders() -> set[Path]:
    return set(Path("/tmp").glob(f"{FOLDER}{os.getpid()}-*"))


def no_uuids() -> list[str]:
    raise AssertionError("nobody has chosen GPUs")


def test_a_daemon_is_started_for_the_block_and_stopped_after_it(control: Control) -> None:
    with pytest.raises(KeyError), multi_process_service(no_uuids) as sharing:
        (folder,) = folders()
        assert sharing.environment == {PIPES: str(folder), LOGS: str(folder)}
        assert (folder / "server").exists() and folder.stat().st_mode & 0o077 == 0
        assert "side by side" in sharing.words
        raise KeyError
    assert control.log[-1] == "quit -t 5" and not folders()
    assert len(control.starts) == 1


def test_chosen_gpus_are_named_so_that_daemon_and_workers_mean_the_same(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VISIBLE, "3,1")
    with multi_process_service(lambda: ["GPU-c", "GPU-a"]) as sharing:
        assert sharing.environment[VISIBLE] == "GPU-c,GPU-a"
    assert control.starts == ["-d GPU-c,GPU-a"]


def test_none_is_started_where_one_is_already(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    def words() -> str:
        with multi_process_service(no_uuids) as sharing:
            assert not sharing.environment and not folders()
            return sharing.words

    (control.default / "daemon").touch()
    assert "one answers already" in words()
    (control.default / "daemon").unlink()
    with monkeypatch.context() as patch:
        patch.setenv(PIPES, "/somewhere")
        assert f"{PIPES} is set" in words()
        patch.delenv(PIPES)
        patch.setenv(VISIBLE, "MIG-1234")
        assert "MIG" in words()

    server = SimpleNamespace(info={"name": "nvidia-cuda-mps-server"})
    monkeypatch.setattr(psutil, "process_iter", lambda _: iter([server]))
    assert "one runs already" in words()
    assert not control.starts


@pytest.mark.parametrize(
    ("faults", "patience", "said"),
    [
        ({"on_start": "exit 3"}, {}, "did not start (exit code 3)"),
        ({"on_start": "exec sleep 60"}, {"ANSWER_S": 0.5}, "did not start: "),
        ({"on_server": "exit 1;"}, {"START_S": 0.5}, "its server did not start"),
    ],
)
def test_whatever_is_in_the_way_there_is_none_and_nothing_is_left(
    control: Control,
    faults: dict[str, str],
    patience: dict[str, float],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, seconds in patience.items():
        monkeypatch.setattr(mps, name, seconds)
    control.write(**faults)
    with multi_process_service(no_uuids) as sharing:
        assert not sharing.environment and said in sharing.words
    assert not folders()


def test_without_the_program_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with multi_process_service(no_uuids) as sharing:
        assert not sharing.environment and f"{CONTROL} is not there" in sharing.words


def test_the_daemon_of_a_killed_search_is_stopped_by_the_next_one(control: Control) -> None:
    dead = max(psutil.pids()) + 100_000
    left, others = Path(f"/tmp/{FOLDER}{dead}-x"), Path(f"/tmp/{FOLDER}{os.getppid()}-x")
    for folder in (left, others):
        folder.mkdir()
        (folder / "daemon").touch()
    try:
        with multi_process_service(no_uuids) as sharing:
            assert sharing.environment
        assert not left.exists() and (others / "daemon").exists()
    finally:
        (others / "daemon").unlink()
        others.rmdir()


def test_workers_share_where_two_have_the_same_gpu() -> None:
    assert shares(["cuda", "cuda"]) and shares(["cuda:0", "cuda:1", "cuda:0"])
    assert not shares(["cuda:0", "cuda:1"]) and not shares(["cpu", "cpu"])


@pytest.mark.parametrize(
    ("changes", "started"),
    [
        ({"mps": True, "workers": 2}, True),
        ({"mps": True, "workers": 1}, False),
        ({"mps": True, "workers": 1, "auto_workers": True}, True),
        ({"mps": False, "workers": 2}, False),
    ],
)
def test_a_run_starts_it_only_when_asked_to_and_for_workers_that_share(
    control: Control, plan: Callable[..., Plan], changes: dict[str, object], started: bool
) -> None:
    asked = plan(device=torch.device("cuda"), **changes)
    with _sharing(asked) as planned:
        assert bool(planned.sharing) == started == bool(control.starts)
        assert len(planned.notes) == bool(asked.mps)
        alone = replace(planned, workers=1)
        assert not alone.worker_environment, "one worker needs no server"
        assert replace(planned, workers=2).worker_environment == planned.sharing
    assert not folders()


WORKER = """#!/bin/sh
echo '{{"say": "ready", "device_name": "'"$CUDA_MPS_PIPE_DIRECTORY"'"}}'
cat > /dev/null
echo "ended in order" >> {log}
"""


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Workers are a script that waits for the end of its input. The file is where they say so."""
    script, log = tmp_path / "worker", tmp_path / "ended"
    script.write_text(WORKER.format(log=log))
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    return log


def test_clients_end_in_order_until_one_is_lost_then_all_share_nothing(scripted: Path) -> None:
    def ready(workers: WorkerPool) -> str:
        received = workers.receive(20.0)
        assert received is not None and isinstance(received[1], Ready)
        return received[1].device_name

    with WorkerPool(["cuda", "cuda"], 1, {PIPES: "/pipes"}) as workers:
        assert [ready(workers), ready(workers)] == ["/pipes", "/pipes"]
        assert workers.restart(0) is False, "for its memory, say"
        assert scripted.read_text().count("ended in order") == 1
        assert ready(workers) == "/pipes"
        assert workers.restart(1, lost=True) is True
        assert scripted.read_text().count("ended in order") == 1, "a lost one is killed"
        assert ready(workers) == ""
        assert workers.restart(1, lost=True) is False
    assert scripted.read_text().count("ended in order") == 2, "the client that is left"


def test_workers_that_share_nothing_are_killed_as_ever(scripted: Path) -> None:
    with WorkerPool(["cpu"], 1) as workers:
        assert workers.receive(20.0) is not None
    assert not scripted.exists()


@pytest.mark.slow
def test_a_client_ends_when_its_work_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real worker, in the middle of a long training, on the CPU."""
    monkeypatch.setenv(PIPES, "/nowhere")
    config = CONFIG.model_copy(update={"epochs": 10_000})
    with WorkerPool(["cpu"], 1) as workers:
        workers.send(0, Train(trial=1, config=config))
        for kind in (Ready, Alive | Epoch):
            received = workers.receive(60.0)
            assert received is not None and isinstance(received[1], kind)
        process = workers._processes[0]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(pool.LEAVING_S) == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_workers_train_side_by_side_on_a_gpu(record_property: Callable[..., None]) -> None:
    with multi_process_service(gpu_uuids) as sharing:
        record_property("MPS", sharing.words)
        with WorkerPool(["cuda", "cuda"], 1, sharing.environment) as workers:
            rates: list[float | None] = []
            for worker in workers.workers:
                workers.send(worker, Probe(config=CONFIG, seconds=1.0))
            while len(rates) < 2:
                received = workers.receive(120.0)
                assert received is not None
                if isinstance(received[1], Probed):
                    rates.append(received[1].images_per_second)
            assert all(rates)
    assert not folders()
