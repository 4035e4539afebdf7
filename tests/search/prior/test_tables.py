"""The tables that come with the program, and how they are recorded."""

import gzip
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import record_prior
from paretrain.cli import UserError
from search.prior.table_file import SHIPPED, read_table, write_table
from search.problem.random_trial import RandomTrial
from search.problem.space import built_in_spaces, load_space

TABLES = sorted(SHIPPED.glob("*.jsonl.gz"))


def test_there_are_tables_of_every_built_in_space_on_three_data_sets() -> None:
    headers = [read_table(path).header for path in TABLES]
    assert {(header.space, header.data) for header in headers} == {
        (space, data) for space in built_in_spaces() for data in record_prior.DATA
    }
    assert sum(path.stat().st_size for path in TABLES) < 2_000_000


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.name)
def test_a_table_has_networks_that_its_space_still_makes(path: Path) -> None:
    table = read_table(path)
    assert len(table.rows) >= 8
    assert max(len(row.val_acc) for row in table.rows) == table.header.epochs
    suggest = load_space(table.header.space).suggest
    for row in table.rows:
        again = RandomTrial(random.Random(0), row.config)
        suggest(again)
        unknown = {name for name in again.params if name not in row.config}
        assert not unknown
        assert {name: again.params[name] for name in row.config} == row.config


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[:40], "end-of-stream"),
        (lambda data: b"no gzip", "Not a gzipped file"),
        (lambda data: gzip.compress(b"{}"), "space: Field required"),
        (lambda data: gzip.compress(gzip.decompress(data) + b'{"params": 0}\n'), "params: "),
        (lambda data: gzip.compress(b"\n"), "line: "),
    ],
)
def test_a_damaged_table_is_refused_in_one_line(
    damage: Callable[[bytes], bytes], what: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(damage(TABLES[0].read_bytes()))
    with pytest.raises(UserError, match=what) as caught:
        read_table(path)
    assert "\n" not in str(caught.value) and "--prior none" in str(caught.value)


def test_a_table_is_written_as_it_was_read(tmp_path: Path) -> None:
    write_table(tmp_path / "copy.gz", read_table(TABLES[0]))
    assert (tmp_path / "copy.gz").read_bytes() == TABLES[0].read_bytes()


@pytest.mark.slow
def test_recording_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = next(s for s in record_prior.SETTINGS if s.space == "data_scale")
    monkeypatch.setattr(record_prior, "SETTINGS", (replace(cheap, epochs=2),))
    record_prior.record(tmp_path, {"digits": "digits"}, 1)
    first = read_table(tmp_path / "data_scale-digits.jsonl.gz")
    record_prior.record(tmp_path, {"digits": "digits"}, 2)
    both = read_table(tmp_path / "data_scale-digits.jsonl.gz")
    assert both.header == first.header
    assert both.rows[0] == first.rows[0] and len(both.rows) == 2
    assert both.rows[1].config != both.rows[0].config
    assert both.rows[0].config["weights"] == "none"
