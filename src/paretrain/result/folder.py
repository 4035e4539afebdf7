"""The folder that a full training leaves. It appears only when it is whole.

Everything is written to `runs/best.partial`. The last step renames that to `runs/best`.
"""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paretrain.atomic import write_whole
from paretrain.cli import UserError
from paretrain.locks import LockedError, locked

CONFIG, METRICS, CARD = "config.yaml", "metrics.json", "README.md"
WEIGHTS, PROGRAM, ONNX = "weights.safetensors", "model.pt2", "model.onnx"
CURVE, CONFUSION, PER_CLASS = "curve", "confusion", "per_class"
"""Names of a .csv and a .png each."""
FILES = {
    *(CONFIG, METRICS, CARD, WEIGHTS, PROGRAM, ONNX),
    *(f"{name}.{kind}" for name in (CURVE, CONFUSION, PER_CLASS) for kind in ("csv", "png")),
}

CHECKPOINT, BEGUN = "checkpoint.pt", "training.json"
"""Files of an unfinished folder: the state after the last epoch, and how training was begun."""


class ResultFolder:
    """The folder of one full training: unfinished (`partial`), later finished (`final`)."""

    def __init__(self, final: Path) -> None:
        self.final = final.expanduser().absolute()
        self.partial = self.final.with_name(f"{self.final.name}.partial")
        self.name = final
        """The folder as it was given, for messages."""

    @property
    def checkpoint(self) -> Path:
        """File with the training's state after its last epoch."""
        return self.partial / CHECKPOINT

    @contextlib.contextmanager
    def claimed(self, begun: dict[str, Any], resume: bool, overwrite: bool) -> Iterator[None]:
        """Make the unfinished folder, or open it with `resume`, and keep other processes out of it.

        `begun` says how the training was begun; it must be the same when it goes on. Raises
        UserError in these cases: there is a result and `overwrite` is False; an unfinished training
        is there without `resume`, or is missing with it; another process trains into the folder;
        the folder cannot be made.
        """
        self._refuse_taken(overwrite)
        with self._locked():
            if resume:
                self._refuse_other(begun)
            else:
                self._make(begun, overwrite)
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
        """Rename the unfinished folder to the finished one, in the place of an earlier result.

        Raises UserError when it cannot be renamed. Nothing is lost then.
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
        """Keep other processes out of the folder. Raises UserError when one is in it."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(str(self.final.resolve())))
            except LockedError as error:
                raise UserError(
                    f"another process trains into {self.name} ({error}): wait for it, or choose "
                    "another folder with --out"
                ) from None
            yield

    def _refuse_taken(self, overwrite: bool) -> None:
        """Raise UserError when the finished folder holds what must not be replaced."""
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
        """Raise UserError when there is nothing to resume, or it was begun in another way."""
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
