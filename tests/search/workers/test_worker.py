"""What a worker says of its work, without a process of its own."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from paretrain import step_graph
from paretrain.config import DataConfig, TrainConfig
from paretrain.data.load import load_data
from paretrain.networks.weight_files import digest_of
from search.session.running_trial import RunningTrial
from search.study.attributes import STEPS
from search.workers.job import Job
from search.workers.protocol import Failed, Finished, Go, Prepare, Prepared, Probe, Stop, Train
from search.workers.worker import Worker
from tests.fake_graph import FakeCapture

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    """On a device with graphs."""
    monkeypatch.setattr(step_graph, "FEWEST_STEPS", 4)
    monkeypatch.setattr("paretrain.training.capture_on", lambda device: FakeCapture())
    return Worker(io.BytesIO(), torch.device("cpu"))


@pytest.mark.parametrize(
    ("asked", "verdicts", "said"),
    [
        (True, [Go(trial=3, epoch=1)], "CUDA graph"),
        (True, [Stop(trial=3)], "eager: it has ended before one was recorded"),
        (False, [Go(trial=3, epoch=1)], None),
    ],
    ids=["to the end", "stopped", "without"],
)
def test_how_the_steps_of_a_trial_have_run_is_said_and_stored(
    worker: Worker,
    tiny_config: MakeConfig,
    tmp_path: Path,
    asked: bool,
    verdicts: Sequence[Go | Stop],
    said: str | None,
) -> None:
    config = tiny_config(cuda_graphs=asked)
    for verdict in verdicts:
        worker._orders.put(verdict)
    done = worker._train(Train(trial=3, config=config))
    assert isinstance(done, Finished) and done.steps_as == said
    job = Job(3, config, tmp_path / "c.pt", steps_as=done.steps_as)
    assert RunningTrial(job, num_params=1, shadow=0).attributes().get(STEPS) == said


def test_a_probe_measures_steps_once_they_are_replayed(
    worker: Worker, tiny_config: MakeConfig
) -> None:
    for asked, said in ((True, "CUDA graph"), (False, None)):
        probed = worker._probe(Probe(config=tiny_config(cuda_graphs=asked)))
        assert probed.steps_as == said and probed.images_per_second


def test_a_worker_on_another_machine_says_what_is_there(
    worker: Worker, tiny_config: MakeConfig, tmp_path: Path
) -> None:
    data, here = tiny_config().data, tmp_path / "here"
    here.touch()

    def prepared(**changes: Any) -> Prepared:
        words: dict[str, Any] = {"checkpoints": str(tmp_path / "running"), "token": "seen"}
        return worker._prepare(Prepare(data=data, **(words | changes)))

    found = prepared()
    assert found.fingerprint == load_data(data).fingerprint and not found.error
    assert found.computes.startswith("cpu, ")
    assert not found.shared and not (tmp_path / "running").exists(), "nothing is created"
    (tmp_path / "running").mkdir()
    assert not prepared().shared
    assert not prepared(token="").shared, "the coordinator itself cannot write there"
    (tmp_path / "running" / "seen").touch()
    assert prepared().shared
    assert not prepared(checkpoints=str(here / "below")).shared, "a file is no folder"
    gone = str(tmp_path / "gone")
    weights = tmp_path / "resnet18.pth"
    weights.write_bytes(b"not looked into")
    same = {"weights": {"resnet18": digest_of(weights)}, "weights_dir": str(tmp_path)}
    assert prepared(**same).weights == ""
    assert f"no weights in {gone}: " in prepared(**same | {"weights_dir": gone}).weights
    weights.write_bytes(b"another file")
    other = prepared(**same).weights
    assert other == f"{weights} holds other weights of resnet18: put the same file on all machines"
    images = tiny_config(data=DataConfig(source=gone)).data
    lacks = worker._prepare(
        Prepare(data=images, checkpoints=str(tmp_path / "running"), token="seen")
    )
    assert lacks.fingerprint is None and gone in lacks.error


@pytest.mark.parametrize("shared", [True, False])
def test_a_worker_deletes_the_checkpoints_that_the_coordinator_does_not_see(
    worker: Worker, tiny_config: MakeConfig, tmp_path: Path, shared: bool
) -> None:
    (tmp_path / "token").touch()
    config, checkpoint = tiny_config(), tmp_path / "study" / "3.pt"
    worker._prepare(
        Prepare(
            data=config.data,
            checkpoints=str(tmp_path),
            token="token" if shared else "another",
        )
    )
    checkpoint.parent.mkdir()
    order = Train(trial=3, config=config, checkpoint=str(checkpoint))
    memory = Failed(trial=3, error="", traceback="", out_of_memory=True, seconds=0)
    for said in (
        memory,
        memory.model_copy(update={"out_of_memory": False}),
        Finished(trial=3, seconds=0),
    ):
        checkpoint.touch()
        worker._tidy(order, said)
        assert checkpoint.exists() == (shared or said is memory), "it is tried again with it"
