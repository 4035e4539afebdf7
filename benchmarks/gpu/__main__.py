"""One prepared program for a machine with a GPU that is there for minutes.

    python -m benchmarks.gpu --part a --out benchmarks/results/gpu
    python -m benchmarks.gpu --part b --data cifar10 --out benchmarks/results/gpu
    python -m benchmarks.gpu --part a --rehearse

`--rehearse` is tiny, for a CPU: does the program itself work?

Part a, at most 4.5 minutes: the tests marked `gpu`; our epoch against bare loops; images a second
against a DataLoader; several workers on the GPU. Part b, at most 6 minutes: a search on a folder of
images (CIFAR-10 is meant), with its front. Each step writes its table at once, so a machine that is
taken away early still has shown something.

Needs Python 3.11 or newer and torch 2.11 or newer. A machine that has torch, torchvision, pandas,
typer, rich, psutil and pytest but no network also needs the wheels of these, 22 MB (cp312:
for Python 3.12):

    pip download --no-deps --only-binary=:all: --python-version 3.12 --implementation cp \\
        --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \\
        --platform manylinux2014_x86_64 -d wheels -c constraints.txt optuna sqlalchemy alembic \\
        mako colorlog greenlet pydantic pydantic-core annotated-types typing-inspection plotly \\
        optuna-dashboard bottle
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.gpu import loader, packing, speed
from benchmarks.markdown import page, publish
from paretrain.config import Precision
from paretrain.device import device_name, native_precision, pick_device

COMMAND = "python -m benchmarks.gpu"


def about(device: torch.device) -> list[str]:
    """Return what the tables' readers must know of the machine."""
    words = [f"{device_name(device)}, torch {torch.__version__}, CUDA {torch.version.cuda}."]
    if device.type == "cuda":
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        words.append(f"cuDNN {cudnn}.")
    return words


def run_tests(out: Path) -> None:
    """Run the tests marked `gpu`, and keep what they print."""
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-n", "0", "-q", "tests"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (out / "tests.txt").write_text(done.stdout[-20_000:] + done.stderr[-5_000:], encoding="utf-8")
    print(done.stdout[-3_000:], flush=True)


def part_a(device: torch.device, out: Path, rehearse: bool) -> None:
    """Right, fast, shared."""
    began = time.monotonic()
    if not rehearse:
        run_tests(out)
        _say("tests", began)
    precisions: list[Precision] = ["fp32"]
    if not rehearse and native_precision(device) != "fp32":
        precisions.append(native_precision(device))
    cases = [
        speed.Case(network, batch, precision, 16 if rehearse else 32)
        for network in (speed.TIMED[:1] if rehearse else speed.TIMED)
        for batch in ((8,) if rehearse else (128, 512))
        for precision in precisions
    ]
    rounds, seconds = (2, 0.1) if rehearse else (3, 0.3)
    words = [*about(device), "Medians of interleaved rounds; ratios with their range."]
    rows = []
    for case in cases:
        rows.append(speed.compare(case, device, rounds, seconds))
        publish(page("Our epoch against bare loops", COMMAND, words, rows), out, "speed.md")
    _say("speed", began)
    images, processes = (400, 1) if rehearse else (50_000, 8)
    rows = [loader.compare(device, images, 32, processes)]
    words = [*about(device), "Crop and flip; images ready on the device."]
    publish(page("Images a second", COMMAND, words, rows), out, "loader.md")
    _say("loader", began)
    workers, trials, epochs = ([1, 2], 2, 1) if rehearse else ([1, 2, 4, 8], 16, 6)
    rows = packing.compare("digits", workers, trials, epochs)
    words = [*about(device), "The same proposals of vgg_reduce on the digits at 32 pixels."]
    publish(page("Workers on one GPU", COMMAND, words, rows), out, "packing.md")
    _say("packing", began)


def part_b(data: str, out: Path, rehearse: bool) -> None:
    """A search, its report and its front."""
    began = time.monotonic()
    database = f"sqlite:///{(out / 'studies.db').absolute()}"
    sizes = {"--trials": "50", "--epochs": "30", "--workers": "6", "--max-params": "3M"}
    if rehearse:
        sizes = {"--trials": "2", "--epochs": "1", "--workers": "1", "--max-params": "3M"}
        sizes |= {"--image-size": "32", "--per-class": "10", "--baselines": "none"}
    words = [part for pair in sizes.items() for part in pair]
    common = ["--storage", database]
    log = out / "search.txt"
    with log.open("w", encoding="utf-8") as file:
        command = [sys.executable, "-m", "search.run", "--space", "resnet9", "--data", data]
        command += [*words, "--timeout", "330s", "--study-name", "gpu", *common]
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
    print(log.read_text(encoding="utf-8")[-6_000:], flush=True)
    if done.returncode:
        sys.exit(done.returncode)
    report = [sys.executable, "-m", "search.report", "--study-name", "gpu", *common]
    subprocess.run([*report, "--out", str(out / "report.html")], check=True)
    _say("search", began)


def _say(step: str, began: float) -> None:
    print(f"-- {step}: {time.monotonic() - began:.0f} s since the beginning", flush=True)


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--part", choices=["a", "b"], required=True)
    parser.add_argument("--data", default="digits", help="Images of part b.")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rehearse", action="store_true", help="Tiny, for a CPU.")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/gpu"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.part == "a":
        part_a(pick_device(options.device), options.out, options.rehearse)
    else:
        part_b(options.data, options.out, options.rehearse)


if __name__ == "__main__":
    main()
