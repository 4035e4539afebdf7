"""What README and docs say is what the program does."""

import re
import shlex
from pathlib import Path

import pytest

from paretrain.config import TrainConfig
from search.problem.random_trial import Drawing
from search.problem.space import load_space

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (\S.*)$", README, flags=re.MULTILINE)


def test_the_first_two_commands_run_the_main_job_and_the_tests() -> None:
    first, second = COMMANDS[:2]
    assert first.endswith("python -m search.run --space vgg_reduce --trials 50")
    assert second.endswith("-m pytest")
    assert "pip install" in first and "pip install" in second


def test_ci_runs_the_readmes_test_command() -> None:
    assert COMMANDS[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("python -m ")])
def test_every_option_in_the_readme_exists(command: str) -> None:
    words = shlex.split(command)
    module = words[2]
    folder = ROOT / "src" if module.startswith("paretrain") else ROOT
    path = folder / (module.replace(".", "/") + ".py")
    if module == "paretrain":
        path = ROOT / "src/paretrain/__main__.py"
    source = path.read_text(encoding="utf-8")
    for option in (word for word in words[3:] if word.startswith("--")):
        name = option.removeprefix("--").replace("-", "_")
        assert f'"{option}"' in source or re.search(rf"^    {name}_?: ", source, re.MULTILINE), (
            option
        )


def test_the_tree_in_the_readme_names_every_source_file() -> None:
    tree = README.split("```")[1]
    for folder in ("search", "spaces", "src/paretrain"):
        for path in (ROOT / folder).glob("*.py"):
            if path.name != "__init__.py":
                assert path.name in tree, path
    for name in re.findall(r"\b[a-z_]+\.py\b", tree):
        assert list(ROOT.glob(f"**/{name}")), name


def test_the_space_in_the_docs_is_a_space(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "spaces.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    path = tmp_path / "mine.py"
    path.write_text(code)
    import random

    space = load_space(str(path))
    assert isinstance(space.suggest(Drawing(random.Random(0))), TrainConfig)
    assert space.summary == "One to three stages of a plain VGG, SGD."


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_no_lock_file_and_no_address_in_the_constraints() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+]+", line), line
