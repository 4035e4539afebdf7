"""What README, CONTRIBUTING and docs say is what the program does."""

import importlib
import random
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from paretrain.networks.build import count_parameters
from search.problem.random_trial import RandomTrial
from search.problem.space import load_space

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[str]:
    """Lines that are set as code, as a reader copies them."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"^    ((?:python|python3|\.venv/bin|pip) .*)$", text, flags=re.MULTILINE)


OURS = sorted(
    {
        command
        for page in PAGES
        for command in commands(page)
        if re.match(r"python -m (search|paretrain|benchmarks)", command)
    }
)


def test_the_first_two_commands_run_the_main_job_and_the_tests() -> None:
    first, second = commands(ROOT / "README.md")[:2]
    assert first.endswith("python -m search.run --space vgg_reduce --trials 50")
    assert second.endswith("-m pytest")
    assert "pip install" in first and "pip install" in second


def test_ci_runs_the_readmes_test_command() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert commands(ROOT / "README.md")[1] in lines


def test_the_readme_is_one_screen_and_a_half() -> None:
    assert len(README.splitlines()) <= 130


def source_of(module: str) -> str:
    """Text of the file behind `python -m MODULE`."""
    folder = ROOT / "src" if module.startswith("paretrain") else ROOT
    place = folder / module.replace(".", "/")
    path = place.with_suffix(".py")
    path = path if path.is_file() else place / "__main__.py"
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", OURS)
def test_every_option_in_the_docs_exists(command: str) -> None:
    words = shlex.split(command)
    source = source_of(words[2])
    for option in (word for word in words[3:] if word.startswith("--")):
        name = option.removeprefix("--").replace("-", "_")
        declared = re.search(rf"^    {name}_?: ", source, re.MULTILINE)
        assert f'"{option}"' in source or declared, option


COMMANDS = [
    *(path.stem for path in (ROOT / "search").glob("*.py") if "run_command(" in path.read_text()),
]


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_help_fits_80_columns_and_keeps_the_lines_of_its_examples(command: str) -> None:
    module = importlib.import_module(f"search.{command}")
    shown = CliRunner().invoke(module.app, ["--help"], env={"COLUMNS": "80"}).output.splitlines()
    assert max(map(len, shown)) <= 80
    examples = [line for line in (module.__doc__ or "").splitlines() if "python -m" in line]
    assert examples
    assert {line.strip() for line in examples} <= {line.strip() for line in shown}


def test_the_map_in_the_docs_names_every_source_file_and_no_other() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = next(block for block in text.split("```") if "search/problem/ " in block)
    named = set(re.findall(r"\b\w+\.py\b", tree))
    folders = ("search", "spaces", "src/paretrain")
    there = {path.name for folder in folders for path in (ROOT / folder).rglob("*.py")}
    assert named == there - {"__init__.py"}


def test_every_page_is_in_the_index_and_in_the_sites_menu() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(menu)["strict"] is True
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name in menu, page
        assert page.name == "index.md" or f"({page.name})" in index, page


def test_the_spaces_in_the_docs_are_spaces(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "spaces.md").read_text(encoding="utf-8")
    summaries = []
    for block in text.split("```python\n")[1:]:
        path = tmp_path / "mine.py"
        path.write_text(block.split("```")[0])
        if "def suggest" in path.read_text():
            space = load_space(str(path))
            config = space.suggest(RandomTrial(random.Random(0)))
            assert count_parameters(config.network, 10, 32) > 0
            summaries.append(space.summary)
    assert summaries == [
        "One to three stages of a plain VGG, SGD.",
        "My network: its width and depth.",
        "A small VGG: which of the usual recipes helps?",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_in_the_docs_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_python_files_named_in_the_docs_exist() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8").partition("## How to add")[0]
        for name in re.findall(r"`([\w/]+\.py)`", text):
            if name != "mine.py":
                found = [*ROOT.glob(name), *ROOT.glob(f"*/{name}"), *ROOT.glob(f"src/*/{name}")]
                assert found or list(ROOT.glob(f"search/**/{name}")), f"{page.name}: {name}"


def test_no_lock_file_and_no_address_in_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+]+", line), line


def test_what_git_ignores_is_no_folder_of_sources() -> None:
    """A pattern such as `data/` also hides tests/paretrain/data; `/data/` does not."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    anywhere = [line.rstrip("/") for line in lines if not line.startswith("/")]
    folders = {
        folder.parent.relative_to(ROOT)
        for part in ("search", "spaces", "src", "tests", "benchmarks", "docs")
        for folder in (ROOT / part).rglob("*.py")
    }
    hidden = [f for f in folders if any(fnmatch(name, p) for name in f.parts for p in anywhere)]
    assert not hidden
