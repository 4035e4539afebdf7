"""Memory that runs out for real: the system refuses the workers more than so many bytes."""

import subprocess
import sys
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from tests.forked import begin_workers_anew
from tests.harness import Event, notes, search_events, study

resource = pytest.importorskip("resource")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does"),
]

LIMIT = 1_500_000_000
"""Of private memory: libraries take about half, small networks fit well, wide ones do not."""
SPACE = """
'''Some fit, some do not.'''
from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage

def suggest(trial):
    width = trial.suggest_categorical("width", WIDTHS)
    stage = VGGStage(width=width, kernels=("3x3",))
    return TrainConfig(
        network=VGGConfig(stages=(stage,), norm="NORM", pool="global"),
        optimizer=SGDConfig(lr=trial.suggest_float("lr", 0.01, 0.1)),
        batch_size=512,
    )
"""


def limited() -> None:
    begin_workers_anew()  # so that the limit is theirs too
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))


def search(folder: Path, widths: list[int], norm: str, *arguments: str) -> list[Event]:
    (folder / "mine.py").write_text(SPACE.replace("WIDTHS", str(widths)).replace("NORM", norm))
    return search_events(
        folder,
        *("--space", "mine.py", "--epochs", "1", "--image-size", "32", "--fraction", "0.52"),
        *("--pruner", "none", "--sampler", "random", *arguments),
        prepare=limited,
    )


def trials(folder: Path) -> list[FrozenTrial]:
    return study("mine-digits", folder / "studies.db").trials


def test_without_batchnorm_the_batch_is_trained_in_pieces_and_that_is_recorded(
    tmp_path: Path,
) -> None:
    events = search(tmp_path, [384], "none", "--trials", "2", "--workers", "2")
    assert "out of memory, tried again alone" in notes(events)
    assert "in pieces of" in notes(events)
    for trial in trials(tmp_path):
        assert trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        config = trial.user_attrs["config"]
        assert config["batch_size"] == 512  # what was searched is what was trained
        assert config["micro_batch"] < 512
    assert events[-1]["ledger"]["lost"]["seconds"] > 0


def test_with_batchnorm_it_is_infeasible_and_not_tried_again(tmp_path: Path) -> None:
    events = search(tmp_path, [4, 6, 8, 384], "batch", "--trials", "12")
    states = [trial.state for trial in trials(tmp_path)]
    failed = [trial for trial in trials(tmp_path) if trial.state == TrialState.FAIL]
    assert len(failed) == 1 and "does not fit into memory" in failed[0].user_attrs["verdict"]
    assert len(states) == 13  # twelve that count
    assert events[-1]["ledger"]["failed"]["epochs"] == 0
    assert events[-1]["refused"]["more memory than there was"] > 0


def test_with_permission_batchnorm_is_trained_in_pieces_too(tmp_path: Path) -> None:
    search(tmp_path, [384], "batch", "--trials", "1", "--microbatch")
    (trial,) = trials(tmp_path)
    assert trial.state == TrialState.COMPLETE
    assert trial.user_attrs["config"]["micro_batch"] < 512


STEPS = """
import resource, torch
resource.setrlimit(resource.RLIMIT_DATA, (BYTES, BYTES))
from paretrain.config import AdamConfig, DataConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.data.load import load_data
from paretrain.memory import is_out_of_memory
from paretrain.training import Training
torch.set_num_threads(1)
config = TrainConfig(
    data=DataConfig(source="digits", image_size=32, val_fraction=0.28, per_class=26),
    network=VGGConfig(stages=(VGGStage(width=WIDTH, kernels=("3x3",)),), norm="batch",
                      pool="global"),
    optimizer=AdamConfig(kind="adam", lr=0.01), batch_size=BATCH, epochs=1,
)
steps = 0
def pulse():
    global steps
    steps += 1
try:
    next(Training(config, load_data(config.data), torch.device("cpu")).epochs(pulse))
    print("fits")
except Exception as error:
    assert is_out_of_memory(error), error
    print(steps)
"""


def steps_until_memory_runs_out(folder: Path, width: int, batch: int) -> str:
    values = {"BYTES": LIMIT, "WIDTH": width, "BATCH": batch}
    code = STEPS
    for name, value in values.items():
        code = code.replace(name, str(value))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_lack_of_memory_shows_within_two_steps_and_never_in_validation(tmp_path: Path) -> None:
    assert int(steps_until_memory_runs_out(tmp_path, 384, 256)) < 2
    # All validation images at once would need more than there is.
    assert steps_until_memory_runs_out(tmp_path, 384, 32) == "fits"
