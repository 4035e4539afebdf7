"""Wrong input: one line, exit code 2, nothing created. Each case goes through the command line."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import Main, RunMain, run_process

IMAGE_ROWS = "images/train/cat/000.png,cat\nimages/train/dog/000.png,dog\n"
SPACE = (
    '"""A space."""\n'
    "from paretrain.config import SGDConfig, TrainConfig, VGGConfig, VGGStage\n\n\n"
    "def suggest(trial):\n"
)
FILES = {
    "file.txt": "just some words, long enough for a header",
    "mixup.yaml": (
        "network: {stages: [{width: 4, kernels: [3x3]}]}\naugment: {mixup_alpha: 0.2}\n"
        "optimizer: {kind: sgd, lr: 1e-2}\n"
    ),
    "metric.yaml": (
        "network: {stages: [{width: 4, kernels: [3x3]}]}\nmetric: f1\n"
        "optimizer: {kind: sgd, lr: 1e-2}\n"
    ),
    "ages.csv": "path,label\n" + "".join(f"{i}.png,{i + 0.5}\n" for i in range(25)),
    "mixes.py": SPACE
    + "    from paretrain.config import AugmentConfig\n\n    return AugmentConfig(mixing=0.2)\n",
    "typo.yaml": (
        "network: {stages: [{width: 4, kernels: [3x3]}]}\noptimiser: {kind: sgd, lr: 1e-2}\n"
    ),
    "newer.yaml": (
        "network: {stages: [{width: 4, kernels: [3x3]}]}\n"
        "format: 99\noptimizer: {kind: sgd, lr: 1e-2}\n"
    ),
    "lost.yaml": (
        "network: {stages: [{width: 4, kernels: [3x3]}]}\n"
        "data: {source: nowhere}\noptimizer: {kind: sgd, lr: 1e-2}\n"
    ),
    "good.csv": "path,label\n" + IMAGE_ROWS,
    "other.csv": "file,Label\n" + IMAGE_ROWS,
    "gone.csv": "path,label\n" + IMAGE_ROWS + "images/train/cat/999.png,cat\n",
    "parts.csv": "path,label,split\n" + IMAGE_ROWS.replace("\n", ",trian\n"),
    "empty.csv": "",
    "header.csv": "path,label\n",
    "one.csv": "path,label\n" + IMAGE_ROWS.replace(",dog", ",cat"),
    "rubbish.csv": bytes(range(256)).decode("latin-1"),
    "syntax.py": SPACE + "    return TrainConfig(\n",
    "imports.py": SPACE.replace("def", "import nowhere_to_be_found\n\n\ndef") + "    return 1\n",
    "lacks.py": SPACE.replace("def suggest", "def sugest") + "    return 1\n",
    "dict.py": SPACE + "    return {}\n",
    "raises.py": SPACE
    + "    width = trial.suggest_int('width', 2, 8)\n    return 8 // (width * 0)\n",
    "none.py": SPACE + "    trial.suggest_int('width', 2, 8)\n",
    "exits.py": SPACE.replace("def", "raise SystemExit(3)\n\n\ndef") + "    return 1\n",
    "leaves.py": SPACE + "    raise SystemExit\n",
    "nothing.py": SPACE.replace("(trial)", "()") + "    return 1\n",
    "three.py": "suggest = 3\n",
    "hints.py": SPACE + "    return 1\n\n\nHINTS = ['width']\n",
    "hint_key.py": SPACE + "    return 1\n\n\nHINTS = {('width', 1): 4}\n",
    "hint_text.py": SPACE
    + "    width = trial.suggest_int('width', 2, 8)\n"
    + "    stages = (VGGStage(width=width, kernels=('3x3',)),)\n"
    + "    return TrainConfig(network=VGGConfig(stages=stages), optimizer=SGDConfig(lr=0.1))\n"
    + "\n\nHINTS = {'width': '4'}\n",
    "nets.py": SPACE + "    return 1\n\n\nBASELINES = {'small': 4}\n",
    "field.py": SPACE + "    return TrainConfig(network=VGGConfig(stages=()))\n",
}

SCALE = ["--space", "data_scale", "--weights-dir"]
SEARCH = [
    (["--space", "vgg_redcue"], "did you mean 'vgg_reduce'"),
    (["--space", "nowhere/mine.py"], "no space file"),
    (["--space", "images"], "--space images is a folder: give images with --data images"),
    (["--join"], "cannot share the file studies.db: on one machine use more --workers"),
    (["--space", "syntax.py"], "space syntax.py:6 does not import: SyntaxError"),
    (["--space", "imports.py"], "space imports.py:5 does not import: ModuleNotFoundError"),
    (["--space", "lacks.py"], "lacks.py has no function suggest(trial) (did you mean 'sugest'?)"),
    (["--space", "dict.py"], "suggest in dict.py:5 returned dict, must return a TrainConfig"),
    (["--space", "none.py"], "suggest in none.py:5 returned NoneType, must return a TrainConfig"),
    (["--space", "exits.py"], "space exits.py:5 does not import: SystemExit: 3"),
    (["--space", "leaves.py"], "suggest fails in leaves.py:6: SystemExit"),
    (["--space", "nothing.py"], "suggest fails in nothing.py:5: TypeError"),
    (["--space", "three.py"], "three.py has no function suggest(trial): docs/spaces.md shows"),
    (["--space", "hints.py"], "HINTS in hints.py is list, must be a dict"),
    (["--space", "hint_key.py"], "HINTS in hint_key.py has the key ('width', 1): names must be"),
    (["--space", "nets.py"], "BASELINES['small'] in nets.py is int, must be a dict"),
    (["--space", "raises.py"], "suggest fails in raises.py:7: ZeroDivisionError"),
    (["--space", "field.py"], "suggest fails in field.py:6: ValidationError"),
    (["--min-acc", "55"], "--min-acc 55: must be an accuracy of more than 0 and at most 100%"),
    (["--min-acc", "1"], "--min-acc 1: 1 could be 1% or 100%: give one of them"),
    (["--min-acc", "0,95"], "--min-acc 0,95: must be an accuracy of more than 0 and at most 100%"),
    (["--min-acc", "120%"], "--min-acc 120%: must be an accuracy"),
    (["--min-acc", "half"], "such as 55% or 0.55, or none"),
    (["--ray-address", "head:6379"], "--ray-address head:6379: only with --engine ray"),
    (["--engine", "ray", "--mps"], "--mps starts a service on this machine: leave it out"),
    (["--engine", "ray", "--ray-address", "ray://a:1"], "give HOST:PORT, as `ray start --head`"),
    (["--engine", "ray", "--ray-address", "127.0.0.1:1"], "127.0.0.1:1: nobody answers there"),
    (["--checkpoints", "file.txt"], "--checkpoints 'file.txt': is no folder"),
    (["--data", "nowhere"], "no folder or data set nowhere: --data takes 'digits', CIFAR10"),
    (["--data", ""], "the name of the data is empty: --data takes 'digits', CIFAR10"),
    (["--data", "digit"], "did you mean 'digits'"),
    (["--data", "CIFRA10"], "did you mean 'CIFAR10'"),
    (["--data", "fashion-mnist"], "did you mean 'FashionMNIST'"),
    (["--data", "mnist"], "cannot download train-images-idx3-ubyte.gz: tried http"),
    (["--data", "empty"], "no class folder with images"),
    (
        ["--data", "images/train"],
        "PPM, AVIF, or cut off: remove or replace it, or skip such images with --skip-broken",
    ),
    (["--data", "images/one"], "only class 'cat': needs two or more folders"),
    (["--data", "images/train", "--skip-broken"], "class 'cat' has no training image (broken"),
    (["--data", "file.txt"], "is a file: --data takes"),
    (["--data", "images.zip"], "images.zip is an archive: unpack it, then give the folder"),
    (["--data", "own.npz"], "own.npz is a file of arrays: load it in Python and give data=("),
    (["--data", "https://a.org/images"], "is an address: download the images first"),
    (["--data", "nowhere.csv"], "no file nowhere.csv"),
    (["--data", "other.csv"], "other.csv has no column 'path': its columns are 'file', 'Label'"),
    (["--data", "other.csv", "--columns", "file,label"], "did you mean 'Label'"),
    (["--data", "good.csv", "--columns", "path"], "--columns path: must be two different column"),
    (["--data", "good.csv", "--columns", "path,path"], "must be two different column names"),
    (["--data", "good.csv", "--images", "nowhere"], "--images nowhere: is no folder"),
    (["--data", "good.csv", "--images", "file.txt"], "--images file.txt: is no folder"),
    (["--data", "good.csv", "--images", "empty"], "row 2: no image file"),
    (["--data", "images/train", "--columns", "a,b"], "--columns a,b: only for a .csv file"),
    (["--images", "images"], "--images images: only for a .csv file, but --data is digits"),
    (["--data", "gone.csv"], "gone.csv row 4: no image file 'images/train/cat/999.png'"),
    (["--data", "parts.csv"], "row 2: split is 'trian' (did you mean 'train'?), must be one of"),
    (["--data", "empty.csv"], "empty.csv is empty: needs a first row with column names"),
    (["--data", "header.csv"], "header.csv has no rows for training"),
    (["--data", "one.csv"], "one.csv has only class 'cat' for training"),
    (["--data", "rubbish.csv"], "rubbish.csv is no text: --data takes a CSV file in UTF-8"),
    (["--trials", "0"], "--trials"),
    (["--trials", "many"], "got 'many'"),
    (["--trials", "99999999999"], "less than or equal to 1000000, got '99999999999'"),
    (["--trails", "5"], "--trials"),
    (["--metric", "f1"], "'f1' is not one of 'acc', 'balanced_acc', 'macro_f1', 'top5'"),
    (["--class-weights", "balanced"], "no option --class-weights: a configuration has balance:"),
    (["--space", "mixes.py"], "mixing: images are mixed by augment.mixup"),
    (["--data", "ages.csv"], "25 different numbers (0.5 to 24.5) in 25 rows, which looks like a"),
    (["--data", "~nosuchuser/images"], "no folder or data set ~nosuchuser/images: --data takes"),
    (["--data", "x" * 5000], "no folder or data set xxx"),
    (["--data", "good.csv", "--images", "~nosuchuser"], "--images ~nosuchuser: is no folder"),
    (["--weights-dir", "~nosuchuser"], "--weights-dir ~nosuchuser: there is no such file"),
    (["--data", "images/train/cat"], "no class folder with images (2 images directly in it)"),
    (["--epochs", "0"], "--epochs"),
    (["--epochs", "100000"], "less than or equal to 10000, got '100000'"),
    (["--image-size", "4"], "--image-size"),
    (["--fraction", "1.5"], "--fraction 1.5"),
    (["--fraction", "0"], "--fraction 0"),
    (["--per-class", "-1"], "--per-class"),
    (["--max-params", "lots"], "500k or 2M"),
    (["--max-params", "1,5k"], "--max-params 1,5k: must be a whole number from 1 to"),
    (["--max-params", "12,00"], "--max-params 12,00: must be a whole number from 1 to"),
    (["--max-params", "10"], "the smallest over the limit of 10 has "),
    (["--max-size-mb", "0"], "--max-size-mb 0: must be more than 0"),
    (["--max-size-mb", "0.0001"], "over --max-params): raise --max-size-mb 0.0001"),
    (["--objective", "flop"], "(did you mean 'flops'?)"),
    (["--pretrained", "maybe"], "'maybe' is not one of 'yes', 'no'"),
    (["--weights-dir", "nowhere"], "--weights-dir nowhere: there is no such file or folder"),
    ([*SCALE, "empty"], "no weights of resnet18, resnet34, resnet50 in "),
    ([*SCALE, "file.txt"], "file.txt fits none of resnet18, resnet34, resnet50: "),
    (["--space", "data_scale"], "cannot download the weights of resnet18 (https://"),
    (["--space", "resnet9", "--image-size", "8"], "too deep for the image size): raise --image-s"),
    (["--workers", "0"], "--workers 0: must be auto or a number from 1 to 256"),
    (["--workers", "1000"], "--workers 1000: must be auto or a number from 1 to 256"),
    (["--workers", "aut"], "--workers aut (did you mean 'auto'?)"),
    (["--device", "cuda:99"], "device 'cuda:99' is not there: this machine has"),
    (["--device", "cud"], "unknown device 'cud' (did you mean 'cuda'?)"),
    (["--device", "tpu"], "allowed are auto, cpu, cuda"),
    (["--device", "gpu"], "unknown device 'gpu' (did you mean 'cuda'?)"),
    (["--timeout", "soon"], "90m or 2h"),
    (["--timeout", "-3s"], "--timeout -3s: must be a time of more than 0"),
    (["--timeout", "9" * 400], "at most 1,000,000,000 s"),
    (["--max-params", "9" * 400], "must be a whole number from 1 to 1,000,000,000,000"),
    (["--max-size-mb", "2e9"], "must be more than 0 and at most 1,000,000,000"),
    (["--stall", "0"], "--stall 0: must be a time of more than 0"),
    (["--epochs-total", "0"], "--epochs-total"),
    (["--epochs-total", "7"], "one trial may take 12 epochs, so none could begin"),
    (["--until-plateau", "1"], "greater than or equal to 2, got '1'"),
    (["--pruner", "frnt"], "'frnt' is not one of 'front', 'none' (did you mean 'front'?)"),
    (["--sampler", "nsga"], "'tpe', 'nsga2', 'gp', 'random' (did you mean 'nsga2'?)"),
    (["--baselines", "net"], "'none', 'nets', 'all' (did you mean 'nets'?)"),
    (["--seed", "-1"], "--seed"),
    (["--study-name", ""], "--study-name '' is empty: give a name"),
    (["--study-name", " "], "--study-name ' ' is empty"),
    (["--study-name", "a\x1b[2Jb"], r"--study-name is no name: 'a\x1b[2Jb': give"),
    (["--study-name", "a\nb"], r"--study-name is no name: 'a\nb': give one line"),
    (["--study-name", "a" * 513], "--study-name has 513 characters: at most 512"),
    (["--storage", "empty"], "is a folder"),
    (["--storage", ""], "--storage '' keeps nothing: give a file"),
    (["--storage", "sqlite://"], "--storage 'sqlite://' keeps nothing"),
    (["--storage", "file.txt"], "not a SQLite database"),
    (["--storage", "damaged.db"], "not a SQLite database, or is damaged"),
    (["--storage", "foreign.db"], "is the database of another program (tables songs)"),
    (["--storage", "nowhere/s.db"], "there is no folder nowhere"),
    (["--storage", "nothing://at/all"], "cannot open --storage nothing://at/all"),
    (["extra"], "extra"),
]
EXPORT = [
    ([], "--study-name"),
    (["--study-name", "a"], "choose by one of"),
    (["--study-name", "a", "--knee", "--best"], "got --knee and --best"),
    (["--study-name", "a", "--knee"], "no database studies.db"),
    (["--study-name", "a", "--knee", "--storage", "file.txt"], "not a SQLite database"),
    (["--study-name", "a", "--knee", "--out", "empty"], "is a folder"),
    (["--study-name", "a", "--max-params", "x"], "500k or 2M"),
    (
        ["--study-name", "a", "--within", "1"],
        "--within 1: 1 could be 1% or 100%: give one of them",
    ),
    (
        ["--study-name", "a", "--knee", "--out", "foreign.db"],
        "foreign.db does not end in .yaml or .yml",
    ),
    (["--study-name", "a", "--knee", "--out", "nowhere/a.yaml"], "there is no folder nowhere"),
]
TRAIN = [
    ([], "config"),
    (["nowhere.yaml"], "cannot read configuration nowhere.yaml"),
    (["file.txt"], "must be a YAML mapping"),
    (["typo.yaml"], "wrong at optimiser: unknown key (did you mean 'optimizer'?)"),
    (["newer.yaml"], "format 99 is not known here"),
    (["mixup.yaml"], "wrong at augment.mixup_alpha: images are mixed by augment.mixup"),
    (["metric.yaml"], "wrong at metric: Input should be 'acc', 'balanced_acc', 'macro_f1' or"),
    (["lost.yaml"], "no folder or data set nowhere"),
    (["lost.yaml"], "or a .csv file. If it has moved, say where it is now: --data"),
]
Refused = Callable[[Main, list[str], str], None]


@pytest.fixture
def refused(
    tmp_path: Path,
    image_folder: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    run_main: RunMain,
) -> Refused:
    """Holds that a command refuses its arguments with this message, in a folder of wrong files."""
    here = tmp_path / "here"
    images = image_folder("here/images", train=2, val=0)
    (here / "empty").mkdir()
    for name, text in FILES.items():
        (here / name).write_text(text, encoding="latin-1" if "rubbish" in name else "utf-8")
    (images / "train/cat/001.png").write_text("<html>404</html>")
    shutil.copytree(images / "train/dog", images / "one/cat")
    with sqlite3.connect(here / "foreign.db") as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    whole = (here / "foreign.db").read_bytes()
    (here / "damaged.db").write_bytes(whole[:100] + b"\xff" * (len(whole) - 100))
    monkeypatch.chdir(here)
    monkeypatch.setenv("TORCH_HOME", str(here / "torch"))
    for variable in ("http_proxy", "https_proxy"):  # whoever asks for a server finds none
        monkeypatch.setenv(variable, "http://127.0.0.1:9")

    def check(main: Main, arguments: list[str], message: str) -> None:
        before = sorted(here.rglob("*"))
        code, out, err = run_main(main, *arguments)
        assert code == 2
        assert err.startswith("error: ") and err.count("\n") == 1, err
        assert message in err
        assert out == ""
        assert sorted(here.rglob("*")) == before

    return check


def words(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)[:30]


@pytest.mark.parametrize(("arguments", "message"), SEARCH, ids=words)
def test_search(arguments: list[str], message: str, refused: Refused) -> None:
    from search.run import main

    refused(main, arguments, message)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("storage", "message"),
    [
        # Nobody can write there, not even an administrator.
        ("/proc/s.db", "--storage /proc/s.db cannot be written: "),
        ("sqlite:////proc/s.db", "--storage /proc/s.db cannot be written: "),
        ("/proc/version", "--storage /proc/version cannot be written: "),
    ],
)
def test_search_with_a_read_only_storage(storage: str, message: str, refused: Refused) -> None:
    from search.run import main

    refused(main, ["--storage", storage], message)


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_a_gpu_on_a_machine_without_one(tmp_path: Path, device: str) -> None:
    # As if it had none.
    done = run_process(tmp_path, "search.run", "--device", device, CUDA_VISIBLE_DEVICES="")
    assert done.code == 2 and done.out == ""
    assert done.err == (
        f"error: device '{device}' is not there: this machine has no CUDA GPU: use --device auto\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == []


@pytest.mark.parametrize(("arguments", "message"), EXPORT, ids=words)
def test_export(arguments: list[str], message: str, refused: Refused) -> None:
    from search.export import main

    refused(main, arguments, message)


@pytest.mark.parametrize(("arguments", "message"), TRAIN, ids=words)
def test_train(arguments: list[str], message: str, refused: Refused) -> None:
    from paretrain.__main__ import main

    refused(main, arguments, message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "vgg_redcue"], "did you mean 'vgg_reduce'"),
        (["check", "nowhere.py"], "no space file nowhere.py"),
        (["check", "raises.py"], "suggest fails in raises.py:7: ZeroDivisionError"),
        (["check", "hints.py"], "HINTS in hints.py is list, must be a dict"),
        (["check", "hint_text.py"], "HINTS['width'] in hint_text.py is '4': suggest allows 2 to 8"),
        (["show", "resnet9", "--classes", "1"], "greater than or equal to 2, got '1'"),
        (["print", "resnet9"], "No such command 'print'. See: "),
        (["shw", "resnet9"], "No such command 'shw'. Did you mean 'show'? See: "),
    ],
    ids=words,
)
def test_spaces(arguments: list[str], message: str, refused: Refused) -> None:
    from search.spaces import main

    refused(main, arguments, message)


def test_table(refused: Refused) -> None:
    from search.table import main

    refused(main, ["--study-name", "x", "--storage", "none.db"], "no database none.db")
