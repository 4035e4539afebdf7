"""The folder that a full training leaves: it appears when it is whole, and not before.

`runs/best.partial` is where it is made; renaming it to `runs/best` is the last step.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paretrain.atomic import write_whole
from paretrain.cli import UserError

try:
    import fcntl
except ImportError:  # Windows: there is no lock
    fcntl = None  # type: ignore[assignment]

CONFIG, METRICS, CARD = "config.yaml", "metrics.json", "README.md"
WEIGHTS, PROGRAM, ONNX = "weights.safetensors", "model.pt2", "model.onnx"
CURVE, CONFUSION, PER_CLASS = "curve", "confusion", "per_class"
"""Each a .csv and a .png."""
FILES = {
    *(CONFIG, METRICS, CARD, WEIGHTS, PROGRAM, ONNX),
    *(f"{name}.{kind}" for name in (CURVE, CONFUSION, PER_CLASS) for kind in ("csv", "png")),
}

CHECKPOINT, BEGUN = "checkpoint.pt", "training.json"
"""In the unfinished folder only: the state after the last epoch, and how the training was begun."""


class ResultFolder:
    """One full training's folder, unfinished (`partial`) and finished (`final`)."""

    def __init__(self, final: Path) -> None:
        self.final = final.expanduser().absolute()
        self.partial = self.final.with_name(f"{self.final.name}.partial")
        self.name = final
        """As it was given, for messages."""

    @property
    def checkpoint(self) -> Path:
        """The training's state after its last epoch."""
        return self.partial / CHECKPOINT

    @contextlib.contextmanager
    def claimed(self, begun: dict[str, Any], resume: bool, overwrite: bool) -> Iterator[None]:
        """Make the unfinished folder, or find it (`resume`), and keep other processes out of it.
        `begun` says how the training is begun: it must be the same when it goes on.

        Raises UserError when there is a result and it is not to be overwritten, when an unfinished
        training is there or is missing, when another process trains into the folder, or when it
        cannot be made.
        """
        self._refuse_taken(overwrite)
        if resume:
            self._refuse_other(begun)
        elif (self.partial / BEGUN).exists():
            with self._locked():
                self._make(begun, overwrite)
        else:
            self._make(begun, overwrite)
        with self._locked():
            yield

    def _make(self, begun: dict[str, Any], overwrite: bool) -> None:
        if self.checkpoint.exists() and not overwrite:
            raise UserError(
                f"{self.partial} holds an unfinished training: go on with --resume, or begin anew "
                "with --overwrite"
            )
        try:
            if self.partial.is_dir() and (
                (self.partial / BEGUN).exists() or not any(self.partial.iterdir())
            ):
                shutil.rmtree(self.partial)
            self.partial.mkdir(parents=True)
            write_whole(self.partial / BEGUN, json.dumps(begun) + "\n")
        except OSError as error:
            raise UserError(
                f"cannot make folder {self.partial}: {error.strerror}: choose another --out"
            ) from None

    def publish(self) -> None:
        """The unfinished folder becomes the finished one, in the place of an earlier result.

        Raises UserError when it cannot be renamed; nothing is lost then.
        """
        former = self.final.with_name(f"{self.final.name}.former")
        try:
            shutil.rmtree(former, ignore_errors=True)
            if self.final.exists():
                self.final.rename(former)
            self.partial.rename(self.final)
        except OSError as error:
            raise UserError(
                f"cannot rename {self.partial} to {self.final}: {error.strerror}: the result is "
                f"whole in {self.partial}"
            ) from None
        shutil.rmtree(former, ignore_errors=True)
        for name in (CHECKPOINT, BEGUN):
            (self.final / name).unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the unfinished folder."""
        shutil.rmtree(self.partial, ignore_errors=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """By a lock that the system frees after any end of this process."""
        with (self.partial / BEGUN).open("rb") as file:
            try:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError(
                    f"another process trains into {self.name}: wait for it, or choose another "
                    "folder with --out"
                ) from None
            yield

    def _refuse_taken(self, overwrite: bool) -> None:
        if not self.final.exists():
            return
        if not self.final.is_dir():
            raise UserError(f"--out {self.name} is a file: give a folder")
        inside = {path.name for path in self.final.iterdir()}
        if not inside:
            return
        if METRICS not in inside:
            raise UserError(
                f"{self.name} holds other files, such as {min(inside)}: choose another folder with "
                "--out"
            )
        if not overwrite:
            raise UserError(
                f"{self.name} already holds a result: choose another folder with --out, or replace "
                "it with --overwrite"
            )
        if others := inside - FILES - {CHECKPOINT, BEGUN}:
            raise UserError(
                f"{self.name} holds {min(others)} beside a result: move it away before --overwrite"
            )

    def _refuse_other(self, begun: dict[str, Any]) -> None:
        if not (self.checkpoint.exists() and (self.partial / BEGUN).exists()):
            raise UserError(
                f"nothing to go on with in {self.partial}: run the command without --resume"
            )
        before = json.loads((self.partial / BEGUN).read_text(encoding="utf-8"))
        for key, value in begun.items():
            if before.get(key) != value:
                raise UserError(
                    f"{self.partial} was begun with {key} {before.get(key)}, now it is {value}: "
                    "give the same options as then, or begin anew with --overwrite"
                )
