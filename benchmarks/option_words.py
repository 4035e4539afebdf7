"""Options that are lists of words: `median,asha`."""

from collections.abc import Collection, Sequence

from paretrain.cli import UserError, nearest


def parse_words(text: str, option: str, known: Sequence[str]) -> list[str]:
    """Split at commas; each word once. Raises UserError, which names known words, for no word."""
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not words:
        raise UserError(f"{option} '{text}' is empty: give some of {', '.join(known)}")
    return words


def parse_known_words(text: str, option: str, known: Collection[str]) -> list[str]:
    """Split at commas; each word once. Raises UserError for no word and for an unknown one."""
    words = parse_words(text, option, list(known))
    for word in words:
        if word not in known:
            raise UserError(
                f"{option} {word} is unknown{nearest(word, known)}: give some of {', '.join(known)}"
            )
    return words
