"""Lets the site hold what lies outside docs/: CONTRIBUTING.md, SECURITY.md, tables of benchmarks.

On a hub these are reached by relative links (`../benchmarks/results/digits.md`). The site takes the
files in under `results/` and turns the links to them.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages, and the pictures that they show."""
    for path in sorted([*RESULTS.glob("*.md"), *RESULTS.glob("*.png")]):
        kept = {"content": path.read_text("utf-8")} if path.suffix == ".md" else {}
        added = File.generated(
            config, f"results/{path.name}", **(kept or {"abs_src_path": str(path)})
        )
        files.append(added)
    for name in ("CONTRIBUTING.md", "SECURITY.md"):
        text = (ROOT / name).read_text("utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name.lower(), content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to results stay within the site."""
    markdown = markdown.replace("](../SECURITY.md", "](security.md")
    return re.sub(r"\]\(\.\./benchmarks/results/", "](results/", markdown)
