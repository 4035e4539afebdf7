"""The folder that a full training leaves. It appears only when it is whole.

Everything is written to `runs/best.partial`. The last step renames that to `runs/best`.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from paretrain.atomic import write_whole
from paretrain.cli import UserError
from paretrain.locks import LockedError, locked
from paretrain.paths import user_path

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
_UNFINISHED = re.compile(r"\.(.+)\.[0-9a-f]{8}\.partial")
"""What a process that was killed leaves of a file that it was writing (paretrain.atomic)."""


class ResultFolder:
    """The folder of one full training: unfinished (`partial`), later finished (`final`)."""

    def __init__(self, final: Path) -> None:
        """Raises UserError for the root of a disk."""
        # A link's target is replaced, not the link: it may lead to another disk.
        self.final = user_path(final).resolve()
        if not self.final.name:
            raise UserError(f"--out {final} is the root of a disk: give a new folder")
        self.partial = self.final.with_name(f"{self.final.name}.partial")
        self.name = final
        """The folder as it was given, for messages."""
        self._overwrite = False

    @property
    def checkpoint(self) -> Path:
        """File with the training's state after its last epoch."""
        return self.partial / CHECKPOINT

    def begun_with(self, key: str) -> Any:
        """Return what an unfinished training noted when it was begun, or None.

        Raises UserError when its file is damaged.
        """
        return self._begun().get(key) if (self.partial / BEGUN).exists() else None

    @contextlib.contextmanager
    def claimed(self, begun: dict[str, Any], resume: bool, overwrite: bool) -> Iterator[None]:
        """Make the unfinished folder, or open it with `resume`, and keep other processes out of it.

        `begun` says how the training was begun; it must be the same when it goes on. Raises
        UserError in these cases: there is a result and `overwrite` is False; an unfinished training
        is there without `resume`, or is missing with it; another process trains into the folder;
        the folder cannot be made.
        """
        self._overwrite = overwrite
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
            if (self.partial / BEGUN).exists():
                self._refuse_others(self.partial, "an unfinished training")
                _remove(self.partial, _is_ours)
            elif self.partial.is_dir() and not any(self.partial.iterdir()):
                self.partial.rmdir()
            self.partial.mkdir(parents=True)
            write_whole(self.partial / BEGUN, json.dumps(begun) + "\n")
        except OSError as error:
            raise UserError(
                f"cannot make folder {self.partial}: {error.strerror}: choose another --out"
            ) from None

    def publish(self) -> str:
        """Rename the unfinished folder to the finished one, in the place of an earlier result.

        Returns a note of what the user had put beside the earlier result meanwhile, or "". Raises
        UserError when the folder cannot be renamed. Nothing is lost then.
        """
        former = None
        try:
            if self.final.exists():
                former = self._free_name()
                self.final.rename(former)
            self.partial.rename(self.final)
        except OSError as error:
            raise UserError(
                f"cannot rename {self.partial} to {self.final}: {error.strerror}: the result is "
                f"whole in {self.partial}"
            ) from None
        for name in (CHECKPOINT, BEGUN):
            (self.final / name).unlink(missing_ok=True)
        if former is None:
            return ""
        # What came there meanwhile, beside or in place of a result, is nobody's to delete.
        replaced = self._overwrite and (former / METRICS).exists()
        if _remove(former, _is_ours if replaced else _nothing):
            return ""
        return f"the earlier folder held other files, too: they are in {former}"

    def _free_name(self) -> Path:
        """Return a name beside the finished folder that nobody uses."""
        names = (f"{self.final.name}.former{number or ''}" for number in count())
        paths = map(self.final.with_name, names)
        return next(path for path in paths if not (path.exists() or path.is_symlink()))

    def discard(self) -> None:
        """Remove the unfinished folder, but for what the user has put into it."""
        _remove(self.partial, _is_ours)

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
        self._refuse_others(self.final, "a result")

    def _refuse_others(self, folder: Path, what: str) -> None:
        """Raise UserError when a folder that is to be replaced holds a file that is not ours."""
        if others := [path.name for path in folder.iterdir() if not _is_ours(path.name)]:
            raise UserError(
                f"{folder} holds {min(others)} beside {what}: move it away before --overwrite"
            )

    def _refuse_other(self, begun: dict[str, Any]) -> None:
        """Raise UserError when there is nothing to resume, or it was begun in another way."""
        if not (self.checkpoint.exists() and (self.partial / BEGUN).exists()):
            raise UserError(
                f"nothing to go on with in {self.partial}: run the command without --resume"
            )
        before = self._begun()
        for key, value in begun.items():
            if before.get(key) != value:
                raise UserError(
                    f"{self.partial} was begun with {key} {before.get(key)}, now it is {value}: "
                    "give the same options as then, or begin anew with --overwrite"
                )

    def _begun(self) -> dict[str, Any]:
        """Return how the training was begun. Raises UserError when its file is damaged."""
        path = self.partial / BEGUN
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            before = None
        if not isinstance(before, dict):
            raise UserError(f"{path} is damaged: begin anew with --overwrite")
        return before


def _is_ours(name: str) -> bool:
    """Whether a training writes a file of that name. Whatever else is there belongs to the user."""
    unfinished = _UNFINISHED.fullmatch(name)
    return (unfinished[1] if unfinished else name) in FILES | {CHECKPOINT, BEGUN}


def _nothing(_: str) -> bool:
    return False


def _remove(folder: Path, deleted: Callable[[str], bool]) -> bool:
    """Delete the files of these names, then the folder.

    Returns whether it is gone: not where it holds anything else, or cannot be changed.
    """
    try:
        for path in folder.iterdir():
            if deleted(path.name):
                path.unlink()
        folder.rmdir()
    except OSError:
        return False
    return True
