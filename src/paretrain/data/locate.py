"""Finds the images that `--data`, or a configuration's `source`, names."""

from pathlib import Path

from paretrain.cli import UserError, nearest
from paretrain.config import DataConfig
from paretrain.data.arrays import PublishedSet
from paretrain.data.csv_file import open_csv
from paretrain.data.digits import Digits
from paretrain.data.folder import open_folder
from paretrain.data.names import DIGITS, SIDES, is_csv
from paretrain.data.source import Source
from paretrain.paths import is_file, is_folder, is_there, user_path
from paretrain.safe_text import as_text

IN_A_FILE = "data.source"
"""What messages call the place of the images in a configuration."""
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2", ".7z", ".rar")
_ARRAYS = (".npz", ".npy")


def open_source(config: DataConfig) -> Source:
    """Find the images, but decode none. Raises UserError when there are none."""
    if Path(config.source).is_absolute() and not is_there(Path(config.source)):
        raise UserError(
            f"the images are not in {config.source}: put them back, or say where they are now: "
            "--data, or data.source in the configuration"
        )
    source = resolve_source(config.source, IN_A_FILE)
    if source == DIGITS:
        return Digits()
    if source in SIDES:
        return PublishedSet(source)
    if is_csv(source):
        images = None if config.images is None else Path(config.images)
        return open_csv(Path(source), config.columns, images)
    return open_folder(Path(source))


def resolve_source(text: str, option: str = "--data") -> str:
    """Return a known name in its usual spelling, or the absolute path of a folder or CSV file.

    In the name of a published set letters may be small or capital. A name in its exact spelling
    comes first, then a folder of that name. Raises UserError with the nearest known name; `option`
    is what the message calls the place where the text was given.
    """
    if text == DIGITS or text in SIDES:
        return text
    path = user_path(text)
    if text and (is_folder(path) or (is_csv(text) and is_file(path))):
        found = str(path.resolve())
        if found != as_text(found):
            raise UserError(f"the path {found} is no UTF-8: rename the folder, then give it again")
        return found
    allowed = (
        f"{option} takes '{DIGITS}', {', '.join(SIDES)}, a folder of images with one sub-folder a "
        "class, or a .csv file"
    )
    if not text:
        raise UserError(f"the name of the data is empty: {allowed}")
    if text.lower().endswith(_ARCHIVES):
        raise UserError(f"{text} is an archive: unpack it, then give the folder that was in it")
    if text.lower().endswith(_ARRAYS):
        raise UserError(
            f"{text} is a file of arrays: load it in Python and give data=(images, labels) to "
            "search.run_search, as docs/python.md shows"
        )
    if "://" in text:
        raise UserError(f"{text} is an address: download the images first, then give their folder")
    if is_there(path):
        raise UserError(f"{text} is a file: {allowed}")
    names = (DIGITS, *SIDES)
    if known := next((name for name in names if name.lower() == text.lower()), None):
        return known
    hint = nearest(text, names)
    kind = "file" if is_csv(text) else "folder or data set"
    moved = ". If it has moved, say where it is now: --data" if option == IN_A_FILE else ""
    raise UserError(f"no {kind} {text}{hint}: {allowed}{moved}")
