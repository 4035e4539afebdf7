"""What `predict` says of damaged and crafted result folders.

    python -m benchmarks.mutations.result --n 10000

changes a real result folder at random: bytes, JSON values, YAML lines, whole files. Half of the
folders are then made to look untouched (all sums fit again), as by somebody who wants them to be
believed. Each is used as a person would, in this process. A folder must give one line and exit code
2, or probabilities; and where the sums were left alone, the very answer of the whole folder. Exit
code 0 when all did.
"""

import argparse
import collections
import contextlib
import io
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from paretrain.__main__ import app as training
from paretrain.cli import UserError
from paretrain.config import DataConfig, SGDConfig, TrainConfig, VGGConfig, VGGStage
from paretrain.paths import sha256
from paretrain.predict import app as predicting
from paretrain.result.metrics import CHECKSUM

Rng = random.Random

READ = {
    "weights": ("metrics.json", "config.yaml", "weights.safetensors"),
    "onnx": ("metrics.json", "config.yaml", "model.onnx"),
    "pt2": ("metrics.json", "config.yaml", "model.pt2"),
}
"""What each form reads."""
LEAVES: tuple[Any, ...] = (
    *(None, True, "", "abc", "\x1b[31m", -1, 0, 1, 7.5, 1e308, 10**30, [], {}, [None], {"a": 1}),
    *(float("nan"), float("inf"), "../../x", "0.5", -0.0001, 1.0001, "x" * 5000, [[[[]]]]),
)
"""What a value is set to."""
SCALARS = (
    *("", "null", "-1", "0", "65536", "99999999999", ".nan", "1e400", "&a [*a]", "*a", "[]", "{}"),
    *("!!python/name:os.system", "vgg", "8", "1024", "true", "3x3", "\x00", "\t"),
)
"""What a line of YAML says instead."""
LINE = re.compile(r"=?.*\S  \S.*  \d{1,3}\.\d%\n")
"""What is said of an image."""


@dataclass
class Tally:
    """What came of the mutations."""

    cases: int = 0
    codes: collections.Counter[str] = field(default_factory=collections.Counter)
    """Answers by form: `weights refused`, `weights same answer`, `weights other answer`."""
    faults: list[str] = field(default_factory=list)
    """Tracebacks, several lines, values that are no probability, answers that should not be."""
    longest_s: float = 0.0

    def text(self) -> str:
        """The figures, in lines."""
        codes = ", ".join(f"{name}: {count:,}" for name, count in sorted(self.codes.items()))
        return (
            f"{self.cases:,} mutated result folders, faults {len(self.faults):,}\n"
            f"{codes}\nlongest {self.longest_s:.1f} s"
        )


def make_result(folder: Path) -> Path:
    """A small result, and a picture `a.png` beside it."""
    config = TrainConfig(
        data=DataConfig(image_size=8),
        network=VGGConfig(stages=(VGGStage(width=4, kernels=("3x3",)),), norm="batch"),
        optimizer=SGDConfig(lr=0.05),
        epochs=1,
    )
    (folder / "digits.yaml").write_text(config.to_yaml())
    words = [str(folder / "digits.yaml"), "--device", "cpu", "--out", str(folder / "result")]
    code, said, wrong = call(training, words)
    if code != 0:
        raise RuntimeError(said + wrong)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "a.png")
    return folder / "result"


def call(app: Any, words: list[str]) -> tuple[int, str, str]:
    """Run a command in this process. Returns its exit code and what it said on both streams."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = app(words, standalone_mode=False)
        except UserError as error:
            return 2, out.getvalue(), f"{error}\n"
    return code if isinstance(code, int) else 0, out.getvalue(), err.getvalue()


def mutate(folder: Path, name: str, rng: Rng) -> str:
    """Change one file of a folder; says how."""
    path = folder / name
    ways: list[Callable[[Path, Rng], str]] = [_flip, _flip, _insert, _cut, _whole]
    if name == "metrics.json":
        ways += [_leaf] * 8
    if name == "config.yaml":
        ways += [_line] * 8
    return f"{name}: {rng.choice(ways)(path, rng)}"


def _flip(path: Path, rng: Rng) -> str:
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 3, 30))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)
    return "bytes changed"


def _insert(path: Path, rng: Rng) -> str:
    content = path.read_bytes()
    at = rng.randrange(len(content))
    more = rng.choice((b"\0", b"\xff", b"[" * 2000, b"{", b"9" * 5000, b"\n", content[:100]))
    path.write_bytes(content[:at] + more + content[at + rng.choice((0, 0, 5, 500)) :])
    return "bytes inserted"


def _cut(path: Path, rng: Rng) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content))])
    return "cut off"


def _whole(path: Path, rng: Rng) -> str:
    path.unlink()
    kind = rng.choice(("missing", "folder", "pipe", "device", "empty", "sparse"))
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "empty":
        path.touch()
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(2**38)
    return kind


def _leaf(path: Path, rng: Rng) -> str:
    document = json.loads(path.read_text(encoding="utf-8"))
    node, key, said = document, rng.choice(list(document)), ""
    while True:
        said += f".{key}"
        inner = node[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.7:
            node = inner
            key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
            continue
        break
    if rng.random() < 0.15:
        del node[key]
        said += " deleted"
    elif isinstance(node[key], int | float) and rng.random() < 0.3:
        node[key] = node[key] * rng.choice((-1, 0.5, 2, 1e9)) + rng.choice((0, 1e-3))
        said += f" = {node[key]}"
    else:
        node[key] = rng.choice(LEAVES)
        said += f" = {str(node[key])[:20]!r}"
    path.write_text(json.dumps(document), encoding="utf-8")
    return said


def _line(path: Path, rng: Rng) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    at = rng.randrange(len(lines))
    key, _, _ = lines[at].partition(":")
    value = rng.choice(SCALARS)
    how = rng.random()
    if how < 0.2:
        del lines[at]
    elif how < 0.3:
        lines.insert(at, lines[rng.randrange(len(lines))])
    else:
        lines[at] = f"{key}: {value}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return f"{key.strip()}: {value!r}"


def make_believable(folder: Path) -> None:
    """Make all sums fit, where there is still something that can have sums."""
    path = folder / "metrics.json"
    wrong = (OSError, ValueError, RecursionError, TypeError, AttributeError, KeyError)
    with contextlib.suppress(*wrong):
        if not path.is_file() or path.stat().st_size > 10**7:
            return
        document = json.loads(path.read_text())
        document.pop(CHECKSUM, None)
        for name in document["sha256"]:
            file = folder / name
            if file.is_file() and file.stat().st_size < 10**8:
                document["sha256"][name] = sha256(file)
        path.write_text(json.dumps(document))


def try_all(base: Path, n: int, seed: int, say: Callable[[str], None] = lambda _: None) -> Tally:
    """Mutate the folder `n` times and use each one."""
    rng, tally = random.Random(seed), Tally()
    image, folder = base.parent / "a.png", base.parent / "mutated"
    right = {form: _use(base, image, form)[1] for form in READ}
    for case in range(n):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
        form = rng.choices(tuple(READ), (6, 2, 2))[0]
        said = mutate(folder, rng.choice(READ[form]), rng)
        believed = rng.random() < 0.5
        if believed:
            make_believable(folder)
        begin = time.perf_counter()
        fault = ""
        try:
            code, out, err = _use(folder, image, form)
            fault = _fault(code, out, err, None if believed else right[form])
            same = "same answer" if out == right[form] else "other answer"
            tally.codes[f"{form} {'refused' if code == 2 else same}"] += 1
        except Exception:
            fault = traceback.format_exc()
        tally.cases += 1
        tally.longest_s = max(tally.longest_s, time.perf_counter() - begin)
        if fault:
            tally.faults.append(f"case {case}, --form {form}, {said}, sums fit {believed}: {fault}")
            say(tally.faults[-1])
    return tally


def _use(folder: Path, image: Path, form: str) -> tuple[int, str, str]:
    code, out, err = call(predicting, [str(folder), str(image), "--form", form, "--trust"])
    return code, out.replace(str(folder), "FOLDER"), err


def _fault(code: int, out: str, err: str, expected: str | None) -> str:
    """Return what is wrong with an answer, or ""."""
    if code == 2:
        return "" if not out and err.count("\n") == 1 else f"{out!r} {err!r}"
    if code != 0 or not LINE.fullmatch(out) or "\x1b" in out:
        return f"exit code {code}: {out!r} {err!r}"
    if expected is not None and out != expected:
        return f"another answer: {out!r}"
    return ""


def main() -> None:
    """Run it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PARETRAIN_CACHE"] = f"{folder}/cache"
        base = make_result(Path(folder))
        tally = try_all(base, options.n, options.seed, say=lambda fault: print(fault[-1500:]))
    print(tally.text())
    sys.exit(bool(tally.faults))


if __name__ == "__main__":
    main()
