"""Optuna's tables as they are in a database, without types: each value comes as it is stored. What
it may be is for `reader.py` to say."""

from sqlalchemy import TableClause, column, table

STUDIES = table("studies", column("study_id"), column("study_name"))
DIRECTIONS = table("study_directions", column("study_id"), column("objective"), column("direction"))
TRIALS = table(
    "trials",
    column("trial_id"),
    column("number"),
    column("study_id"),
    column("state"),
    column("datetime_start"),
    column("datetime_complete"),
)
PARAMS = table(
    "trial_params",
    column("param_id"),
    column("trial_id"),
    column("param_name"),
    column("param_value"),
    column("distribution_json"),
)
VALUES = table(
    "trial_values",
    column("trial_value_id"),
    column("trial_id"),
    column("objective"),
    column("value"),
    column("value_type"),
)
INTERMEDIATE = table(
    "trial_intermediate_values",
    column("trial_intermediate_value_id"),
    column("trial_id"),
    column("step"),
    column("intermediate_value"),
    column("intermediate_value_type"),
)


def _attributes(of: str, kind: str) -> TableClause:
    return table(
        f"{of}_{kind}_attributes",
        column(f"{of}_{kind}_attribute_id"),
        column(f"{of}_id"),
        column("key"),
        column("value_json"),
    )


STUDY_USER, STUDY_SYSTEM = _attributes("study", "user"), _attributes("study", "system")
TRIAL_USER, TRIAL_SYSTEM = _attributes("trial", "user"), _attributes("trial", "system")
