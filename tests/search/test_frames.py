"""A study as pandas tables."""

from pathlib import Path

import pandas as pd

from search.frames import epochs_frame, trials_frame, write_csv
from search.study.snapshot import StudySnapshot


def test_tables_have_every_trial_and_every_epoch(snapshot: StudySnapshot, tmp_path: Path) -> None:
    wide, long = trials_frame(snapshot.study), epochs_frame(snapshot.study)
    assert len(wide) == len(snapshot.trials) and set(long["trial"]) <= set(wide["trial"])
    assert long.groupby("trial").size().to_dict() == {
        r.number: len(r.curve.accs) for r in snapshot.records
    }
    front = wide[wide["on_front"]].sort_values("size")
    assert list(front["trial"]) == [record.number for record in snapshot.front]
    assert {"config.batch_size", "config.network.norm", "param.optimizer"} <= set(wide.columns)
    written = write_csv({"trials": wide, "epochs": long}, tmp_path / "numbers")
    assert [len(pd.read_csv(path)) for path in written] == [len(wide), len(long)]
