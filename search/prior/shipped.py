"""The tables that come with the program, as earlier studies."""

from search.prior.table_file import SHIPPED, read_table
from search.problem.past_study import PastStudy, PastTrial


def shipped_studies(space: str, without: str | None = None) -> list[PastStudy]:
    """The tables of a built-in space, by name; none for a space of the user's own. `without`: data
    that is left out, for benchmarks. Raises UserError where a table is damaged."""
    studies = []
    for path in sorted(SHIPPED.glob(f"{space}-*.jsonl.gz")):
        table = read_table(path)
        if table.header.space == space and table.header.data != without:
            trials = [PastTrial(row.config, row.params, row.val_acc[-1]) for row in table.rows]
            name = path.name.removesuffix(".jsonl.gz").removeprefix(f"{space}-")
            studies.append(PastStudy(f"table {name}", trials, at_random=True))
    return studies
