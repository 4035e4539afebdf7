"""The parts of an HTML page that needs nothing but a browser: plotly is inside, and colours follow
the system's theme."""

import csv
import io
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from paretrain.atomic import write_whole
from paretrain.cli import NO_SPACE, UserError
from paretrain.paths import file_to_write
from paretrain.result.tables import cell as csv_cell

TRIAL = "\0"
"""Where a command has the number of the trial that is picked. No name of a study can hold it."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --soft: #f3f5f7;
  --line: #d0d7de; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --soft: #161b22;
  --line: #30363d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 1180px; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0.3rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 1.6rem 0 0.5rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; }
th { background: var(--soft); white-space: nowrap; }
td.number { text-align: right; white-space: nowrap; }
.beside { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.5rem; }
.beside > div { min-width: 0; }
@media (max-width: 60rem) { .beside { grid-template-columns: 1fr; } }
.take { font-size: 0.8rem; text-align: right; margin: 0.1rem 0 0.6rem; }
.take a { color: inherit; opacity: 0.75; }
.headline { font-size: 1.15rem; font-weight: 600; margin: 0.5rem 0; }
@media (max-width: 40rem) {
  thead { display: none; }
  table, tbody, tr, td { display: block; width: 100%; }
  tr { border-top: 2px solid var(--line); padding: 0.3rem 0; }
  td, td.number { display: grid; grid-template-columns: 8.5rem 1fr; gap: 0.5rem; padding: 0.1rem 0;
    border: 0; text-align: left; white-space: normal; overflow-wrap: anywhere; }
  td:empty { display: none; }
  td::before { content: attr(data-column); opacity: 0.75; }
}
pre { background: var(--soft); padding: 0.7rem; font-size: 0.85rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
pre span { display: inline-block; max-width: 100%; }
.figure { width: 100%; min-width: 0; margin: 0.5rem 0; }
summary { cursor: pointer; margin: 0.5rem 0; }
.note { font-size: 0.9rem; opacity: 0.85; margin: 0.3rem 0; }
.picked { border-left: 4px solid var(--line); padding-left: 0.8rem; }
.picked p { margin: 0.3rem 0; }
"""

_THEME = """
const dark = window.matchMedia('(prefers-color-scheme: dark)');
function paint() {
  const ink = dark.matches ? '#e6edf3' : '#1b1f24';
  const paper = dark.matches ? '#0d1117' : '#ffffff';
  document.querySelectorAll('.js-plotly-plot').forEach(figure => Plotly.relayout(figure, {
    'font.color': ink, 'title.font.color': ink, paper_bgcolor: paper,
    'hoverlabel.bgcolor': paper, 'hoverlabel.font.color': ink}));
}
window.addEventListener('load', paint);
dark.addEventListener('change', paint);
document.querySelectorAll('details').forEach(fold => fold.addEventListener('toggle', () =>
  fold.querySelectorAll('.js-plotly-plot').forEach(figure => Plotly.Plots.resize(figure))));
"""

_CELLS = """
document.querySelectorAll('table').forEach(table => {
  const columns = [...table.querySelectorAll('th')].map(column => column.textContent);
  table.querySelectorAll('tbody tr').forEach(row => [...row.cells].forEach((cell, index) => {
    cell.dataset.column = columns[index];
  }));
});
"""
"""On a phone each cell is shown with the title of its column."""

_PICK = """
document.querySelectorAll('.picked').forEach(box => window.addEventListener('load', () =>
  document.getElementById(box.dataset.figure).on('plotly_click', click => {
    const point = click.points.find(point => Number.isInteger(point.customdata));
    if (!point) return;
    box.querySelector('p').textContent = `${point.text}: ${point.hovertext}`;
    const lines = box.querySelector('pre');
    lines.innerHTML = lines.dataset.lines;
    lines.querySelectorAll('.trial').forEach(place => { place.textContent = point.customdata; });
    lines.hidden = false;
  })));
"""
_PAGES = (".html", ".htm")


def html_page(title: str, parts: Sequence[str]) -> str:
    """The whole file: its title, and its parts in order."""
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style>",
            f"<script>{get_plotlyjs()}</script></head><body>",
            *parts,
            f"<script>{_THEME}{_CELLS}{_PICK}</script></body></html>",
            "",
        )
    )


def heading(text: str) -> str:
    """The heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, note: bool = False) -> str:
    """Plain text as a paragraph; a note is smaller and paler."""
    return f"<p{' class=note' if note else ''}>{escape(text)}</p>"


def bullets(lines: Sequence[str]) -> str:
    """A list of sentences."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def headline(text: str) -> str:
    """The one sentence that a reader should take away."""
    return f'<p class="headline">{escape(text)}</p>'


def beside(*columns: Sequence[str]) -> str:
    """Columns of parts, beside one another where the screen is wide."""
    inside = [f"<div>{''.join(parts)}</div>" for parts in columns]
    return f'<div class="beside">{"".join(inside)}</div>'


def folded(summary: str, parts: Sequence[str]) -> str:
    """Parts that a click on the summary shows."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def commands(lines: Sequence[str]) -> str:
    """Commands to copy. A long one is broken between its words, not after their hyphens."""
    return f"<pre>{_unbroken(lines)}</pre>"


def _unbroken(lines: Sequence[str]) -> str:
    return "\n".join(re.sub(r"\S+", r"<span>\g<0></span>", escape(line)) for line in lines)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], name: str = "") -> str:
    """A table with numbers on the right. On a phone each row is a list of its cells. With a `name`,
    a link below it saves it as NAME.csv."""

    def cell(text: str) -> str:
        number = re.fullmatch(r"(about )?[-+#]?[\d.,-]+( ?%| ms| MB|[kMG])?", text)
        kind = " class=number" if number else ""
        return f"<td{kind}>{escape(text)}</td>"

    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    inside = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    link = _csv_link(columns, rows, name) if name else ""
    return f'<div class="wide"><table>{inside}</table></div>{link}'


def _csv_link(columns: Sequence[str], rows: Sequence[Sequence[str]], name: str) -> str:
    """The table is within the link, so it is at hand wherever the page is."""
    text = io.StringIO()
    csv.writer(text).writerows([columns, *(map(csv_cell, row) for row in rows)])
    address = f"data:text/csv;charset=utf-8,{quote(text.getvalue())}"
    file = escape(f"{name}.csv")
    return f'<p class="take"><a download="{file}" href="{escape(address)}">{file}</a></p>'


def figure_block(figure: go.Figure, name: str) -> str:
    """An interactive figure with the id `name`, which a button saves as NAME.png."""
    figure.update_layout(paper_bgcolor="rgba(0,0,0,0)")
    inside = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=name,
        config={
            "responsive": True,
            "displaylogo": False,
            "displayModeBar": True,
            "modeBarButtons": [["toImage", "resetScale2d"]],
            "toImageButtonOptions": {"filename": name, "scale": 2},
        },
        default_height=f"{figure.layout.height}px",
    )
    return f'<div class="figure">{inside}</div>'


def picker(name: str, lines: Sequence[str]) -> str:
    """A box for below the figure called `name`. It shows the trial whose point is clicked, and
    commands for it, in which TRIAL stands for the trial's number."""
    shown = _unbroken(lines).replace(TRIAL, '<b class="trial"></b>')
    template = escape(shown, quote=True)
    return (
        f'<div class="picked" data-figure="{escape(name)}"><p>Click a point for its trial.</p>'
        f'<pre data-lines="{template}" hidden></pre></div>'
    )


def page_to_write(path: Path, example: str) -> Path:
    """The path that --out names, as `file_to_write` gives it. Raises UserError."""
    return file_to_write(path, "--out", example, *_PAGES)


def write_page(path: Path, text: str) -> None:
    """Writes the file whole or not at all. Raises UserError where it cannot be written."""
    try:
        write_whole(path, text)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise
        raise UserError(
            f"--out {path}: {error.strerror}: choose a file in a folder of yours"
        ) from None
