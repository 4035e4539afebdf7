"""Which files in a folder that the user names may be replaced: those of an earlier report."""

from collections.abc import Callable, Mapping
from pathlib import Path

from paretrain.cli import UserError
from paretrain.paths import is_file, is_folder, is_there, user_path

HEADS = {
    "trials": "trial,state,on_front",
    "epochs": "trial,state,epoch",
    "answers": "question,parameter,comparison",
}
"""How each table of `--csv` begins, by the name of its file."""
MAKER = "paretrain"
"""Written into every picture."""
_MARKS = (
    b"Software\0" + MAKER.encode(),
    f"<dc:title>{MAKER}</dc:title>".encode(),
    f"/Creator ({MAKER})".encode(),
)
"""Of PNG, SVG and PDF."""


def folder_to_write(
    folder: Path, option: str, written: Mapping[str, Callable[[bytes], bool]]
) -> Path:
    """Return the folder that an option names, with `~` as the home folder. It need not be there.

    `written` says of each file that will be written whether what is there is an earlier one. The
    user has named the folder alone, so any other file of such a name is theirs. Raises UserError
    for the first one, and where no folder can be.
    """
    folder = user_path(folder)
    if is_there(folder) and not is_folder(folder):
        raise UserError(f"{option} {folder} is a file: give a folder")
    for name, is_ours in written.items():
        path = folder / name
        if is_there(path) and not (is_file(path) and is_ours(_content(path))):
            raise UserError(
                f"{option} {folder}: {name} there is not of an earlier report: move it away, or "
                "give another folder"
            )
    return folder


def is_table(name: str) -> Callable[[bytes], bool]:
    """Whether a file is a table of this name. One without rows has no columns either."""
    return lambda content: not content.strip() or content.startswith(f"{HEADS[name]},".encode())


def is_picture(content: bytes) -> bool:
    """Whether a file is a picture of ours."""
    return not content or any(mark in content for mark in _MARKS)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}: give another folder") from None
