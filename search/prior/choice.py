"""What `--prior` means: where a new study learns from."""

from paretrain.cli import UserError
from search.prior.earlier import studies_of, study_of
from search.prior.shipped import shipped_studies
from search.problem.past_study import PastStudy
from search.problem.space import Space
from search.study.storage import exists
from search.study.storage_url import StorageUrl

NONE, AUTO = "none", "auto"
MARK = "::"
"""Between a database and the name of a study in it."""


def gather(
    prior: str, space: Space, pretrained: bool, storage: StorageUrl, name: str
) -> tuple[PastStudy, ...]:
    """What a new study of that name learns from; empty where there is nothing, or nothing is
    wanted.

    `none`; `auto`: the program's tables of a built-in space, then the other studies of the space in
    the same database. Otherwise a database, whose studies of the space come after the tables, or
    DATABASE::STUDY, for that study alone. Raises UserError where it is not there, has no study of
    the space, or is damaged.
    """
    if prior == NONE:
        return ()
    where, mark, wanted = prior.rpartition(MARK)
    if mark:
        return (study_of(StorageUrl.of(where) if where else storage, wanted, space.name),)
    tables = shipped_studies(space.name) if space.built_in else []
    if prior == AUTO:
        return (*tables, *studies_of(storage, space.name, pretrained, leave_out=name))
    other = StorageUrl.of(prior)
    if not exists(other):
        raise UserError(
            f"--prior {other}: there is no such database: give auto, none, a database, or "
            "DATABASE::STUDY"
        )
    studies = studies_of(other, space.name, pretrained, name if other == storage else None)
    if not studies:
        raise UserError(
            f"--prior {other}: it has no study of the space {space.name} with enough trials: give "
            "another database, or auto"
        )
    return (*tables, *studies)
