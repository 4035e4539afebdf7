"""Train the networks of a front again with other seeds: was a trial good, or lucky?

    python -m search.confirm --study-name vgg_reduce-digits --seeds 3

The repeats are kept with the study; search.export shows what they say. Running it again does only
what is missing.
"""

import sys
from typing import Annotated

import typer
from typer import Option

from paretrain.cli import UserError, help_text, run_command
from paretrain.screen import Screen
from search.option_values import (
    STUDIES_DB,
    Checkpoints,
    Device,
    Engine,
    RayAddress,
    Storage,
    StudyName,
    Trust,
    parse_folder,
)

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=help_text(__doc__))
def confirm_front(
    study_name: StudyName,
    seeds: Annotated[int, Option(min=2, max=100, help="How often each network is trained.")] = 3,
    storage: Storage = STUDIES_DB,
    workers: Annotated[int, Option(min=1, max=256, help="Number of processes that train.")] = 1,
    device: Device = "auto",
    engine: Engine = "local",
    ray_address: RayAddress = None,
    checkpoints: Checkpoints = None,
    trust: Trust = False,
) -> int:
    """Train what is missing, then say what all repeats tell."""
    from optuna.trial import TrialState

    from paretrain.device import pick_device
    from paretrain.own_network import refuse_untrusted, trust_code_of
    from search.problem.front import pareto_front
    from search.reporting.confirmation import print_confirmation
    from search.reporting.nothing_learned import nothing_learned
    from search.session.confirming import Workers, train_repetitions
    from search.session.engine import refuse_engine
    from search.session.remembered import STORAGE_WAIT_S
    from search.session.repeating import Repetition
    from search.study.attributes import IDENTITY, SETTINGS
    from search.study.images import chance_of
    from search.study.patience import patient
    from search.study.records import read_records
    from search.study.repeats import confirm, fresh_seeds, read_repeats
    from search.study.snapshot import objective_of
    from search.study.storage import check_writable, load_study, one_line, say

    refuse_engine(engine, ray_address, mps=False)
    folder = parse_folder(checkpoints, "--checkpoints")
    check_writable(storage)
    study = load_study(storage, study_name)
    records = read_records(study, TrialState.COMPLETE)
    if not records:
        raise UserError(
            f"study '{study_name}' has no finished trial, so it has no front: run more trials"
        )
    if nothing := nothing_learned(study):
        raise UserError(f"study '{study_name}' has no front to confirm: {nothing.sentence}")
    front, known = pareto_front(chance_of(study).finds(records)), read_repeats(study)
    missing = [
        Repetition(record, seed)
        for record in front
        for seed in fresh_seeds(record.number, seeds)
        if seed not in {repeat.seed for repeat in known.get(record.number, ())}
    ]
    for repetition in missing:
        if trust:
            trust_code_of(repetition.config.network)
        refuse_untrusted(repetition.config.network, f"study '{study_name}'")
    failed = 0
    waits: float = study.user_attrs.get(SETTINGS, {}).get("storage_wait_s", STORAGE_WAIT_S)
    option = "--storage-wait of search.run"
    try:
        with one_line(storage), patient(waits, lambda text: say([text]), option):
            if missing:
                who = Workers(workers, pick_device(device), engine, ray_address, folder)
                failed = train_repetitions(study, missing, storage, who)
            found = confirm(front, read_repeats(study))
            objective = objective_of(study.user_attrs.get(IDENTITY, {}))
            print_confirmation(Screen(), front, found, objective)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_FAILED if failed else EXIT_OK


def main() -> None:
    """Console script."""
    run_command(app, "python -m search.confirm")


if __name__ == "__main__":
    main()
