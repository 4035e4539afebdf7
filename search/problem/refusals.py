"""Why a configuration is refused before it becomes a trial."""

OVER_MAX_PARAMS, UNBUILDABLE = "over the cap", "too deep for the image size"
OVER_FILE_SIZE, WITHOUT_WEIGHTS = "over --max-size-mb", "without published weights"
"""Why a configuration is refused. Studies count refusals under these words: they never change."""


def refusal_words(reason: str) -> str:
    """A stored reason why a proposal was refused, as people read it."""
    return "over --max-params" if reason == OVER_MAX_PARAMS else reason
