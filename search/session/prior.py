"""What a run takes from earlier studies, and what its study keeps of that."""

from dataclasses import replace

import optuna

from paretrain.cli import UserError
from paretrain.formatting import count_of
from search.prior.choice import NONE, gather
from search.prior.stored import from_attributes, to_attributes
from search.problem.past_study import PastStudy
from search.sampling.prior_accuracy import PriorAccuracy
from search.session.prepared_run import PreparedRun
from search.study import attributes as attr


def with_prior(run: PreparedRun, study: optuna.Study | None) -> PreparedRun:
    """The run with what it learns from earlier studies: those that its study began with, or, in a
    new one and after another `--prior`, those that there are now. Changes nothing.

    Raises UserError where what was asked for is not there, or cannot be read.
    """
    plan = run.plan
    if plan.prior == NONE or plan.sampler != "front":
        return run
    past: tuple[PastStudy, ...] | None = None
    if study is not None and _option(study) == plan.prior:
        try:
            past = from_attributes(study.user_attrs)
        except ValueError as error:
            raise UserError(
                f"study '{plan.study_name}': {error}: go on with --prior none, or another one"
            ) from None
    if past is None:
        past = gather(plan.prior, plan.space, plan.pretrained, plan.storage, plan.study_name)
    try:
        prior = PriorAccuracy(past, plan.space.suggest)
    except ValueError:  # a space that nobody has searched yet
        prior = None
    return replace(run, past=past, prior=prior)


def store_prior(study: optuna.Study, run: PreparedRun) -> None:
    """Keep what the run learns from for the next one."""
    if run.prior is not None and _option(study) != run.plan.prior:
        for name, value in to_attributes(run.plan.prior, run.past).items():
            study.set_user_attr(name, value)


def _option(study: optuna.Study) -> str | None:
    stored: dict[str, str] = study.user_attrs.get(attr.PRIOR, {})
    return stored.get("option")


def prior_words(run: PreparedRun) -> str | None:
    """For the first lines; None where nothing was asked for."""
    if run.plan.prior == NONE or run.plan.sampler != "front":
        return None
    if run.prior is None:
        return "none yet: no trials of an earlier study fit this space"
    names = ", ".join(f"{study.name} ({len(study.trials)})" for study in run.past)
    return f"{count_of(run.prior.trials, 'network')} of {names}; --prior none: without"
