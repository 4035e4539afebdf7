"""What an export says of the chosen trial: at the head of its file, and on the screen."""

from collections.abc import Sequence
from pathlib import Path, PurePath

import optuna
from optuna.trial import TrialState

from paretrain.data.amount import amount_used
from paretrain.formatting import count_of
from paretrain.metric import NAMES
from paretrain.shell import command_line
from search.problem.chance import Chance
from search.problem.front import pareto_front
from search.problem.objective import Objective
from search.study.attributes import PROVENANCE, THREADS
from search.study.images import read_images
from search.study.records import TrialRecord
from search.study.repeats import Confirmed, describe_confirmed
from search.study.selection import neighbours


def file_head(
    study: optuna.Study,
    chosen: TrialRecord,
    criterion: str,
    confirmed: Confirmed | None,
    chance: Chance,
    all_images: bool,
) -> list[str]:
    """Lines that say how the trial was found; the model card repeats them. `criterion`: how it was
    chosen. `all_images`: whether the file asks for all images, whatever the search used."""
    trials = study.get_trials(deepcopy=False)
    finished = sum(trial.state == TrialState.COMPLETE for trial in trials)
    origin = study.user_attrs.get(PROVENANCE, {})
    lines = [
        f"Trial {chosen.number} of study {study.study_name}: {chosen.words}",
        f"{chosen.num_params:,} parameters, validation {NAMES[chosen.config.metric]} "
        f"{chosen.val_acc:.4f} after {count_of(len(chosen.curve.accs), 'epoch')}",
        f"Chosen among {finished} finished of {count_of(len(trials), 'trial')}: {criterion}",
    ]
    if origin:
        # What is handed over names no folder of this machine.
        space = PurePath(str(origin.get("space_file"))).name
        lines.append(
            f"Searched by paretrain {origin.get('paretrain')}, space {space}, "
            f"sampler {origin.get('sampler')}, seed {origin.get('seed')}, on "
            f"{origin.get('device')}; data fingerprint {origin.get('data_fingerprint')}"
        )
    if part := _part_of_images(study, chosen):
        lines.append(f"Searched on {part}" + ("; trains on all (--all-images)" * all_images))
    if threads := study.user_attrs.get(THREADS):
        lines.append(
            f"Searched with {count_of(int(threads), 'thread')} a worker: with --threads "
            f"{int(threads)} the same machine repeats the curve to the last digit"
        )
    if not chance.beaten_by(chosen.val_acc):
        lines.append(f"In that search it was {chance.explained(chosen.val_acc)}")
    if confirmed is not None:
        lines.append(f"Trained again with {describe_confirmed(confirmed)}")
    return lines


def images_lines(study: optuna.Study, chosen: TrialRecord, all_images: bool) -> list[str]:
    """A line that says so where the search used a part of the images."""
    part = _part_of_images(study, chosen)
    if not part:
        return []
    if all_images:
        return [f"  the search used {part}; this trains on all of them (--all-images)"]
    return [f"  trains on {part}, as the search did: --all-images trains on all of them"]


def _part_of_images(study: optuna.Study, chosen: TrialRecord) -> str:
    """`400 of 48,000 training images (per_class 40)`; empty where the trial used all."""
    stored = read_images(study.user_attrs)
    used, in_all = None, None
    if stored is not None:
        used, in_all = stored.training.images, stored.training.in_all
    elif (count := study.user_attrs.get(PROVENANCE, {}).get("training_images")) is not None:
        used = int(count)
    if chosen.config.share < 1:  # of those, and its choice is rounded for each class
        used = None
    return amount_used(chosen.config, used, in_all)


def screen_lines(
    out: Path | None,
    finds: Sequence[TrialRecord],
    chosen: TrialRecord,
    confirmed: Confirmed | None,
    chance: Chance,
    objective: Objective,
) -> list[str]:
    """Lines that say what was written, what the trial's neighbours on the front would give instead,
    and what to do next. `out`: the file, or None for standard output. `finds`: finished trials that
    beat chance."""
    lines = [
        f"{out or 'standard output'}: trial #{chosen.number}, {chosen.num_params:,} parameters, "
        f"{chosen.val_acc:.2%} validation {NAMES[chosen.config.metric]}",
        f"  {chosen.words}",
    ]
    if chosen.state != TrialState.COMPLETE:
        epochs = f"{len(chosen.curve.accs)} of {count_of(chosen.config.epochs, 'epoch')}"
        lines.append(f"  it was stopped after {epochs}: its accuracy is not that of its end")
    if not chance.beaten_by(chosen.val_acc):
        lines.append(f"  it is {chance.explained(chosen.val_acc)}")
    if finds:
        lines += [f"  {line}" for line in neighbours(finds, chosen, objective)]
    if confirmed is not None:
        lines.append(f"  {describe_confirmed(confirmed)}")
    elif chosen in pareto_front(finds):
        lines.append("  trained once: python -m search.confirm says whether it was lucky")
    if out is not None:
        lines.append(f"next: {command_line('paretrain', out)}")
    else:
        lines.append("next: --out best.yaml, then python -m paretrain best.yaml")
    return lines
