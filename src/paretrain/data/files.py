"""Images that are files of their own."""

from dataclasses import dataclass, replace
from pathlib import Path

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.cache import decoded
from paretrain.data.decoder import Decoded, decode_file
from paretrain.data.parts import Part
from paretrain.safe_text import as_text


@dataclass(frozen=True)
class ImageFiles:
    """Path, class number and name of each image. Names are paths as the source writes them."""

    root: Path
    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What was found beside them, one sentence each."""

    def choose(self, indices: list[int]) -> "ImageFiles":
        """Return the files at these positions."""
        return ImageFiles(
            self.root,
            tuple(self.paths[i] for i in indices),
            tuple(self.labels[i] for i in indices),
            tuple(self.names[i] for i in indices),
            self.notes,
        )

    @property
    def place(self) -> str:
        """Folder of the files, for the cache."""
        return as_text(str(self.root.resolve()))

    def stamp(self, index: int) -> str:
        """Return size and time of the file: they change when the file does. Raises UserError."""
        try:
            stat = self.paths[index].stat()
        except OSError as error:
            raise UserError(f"cannot read {self.paths[index]}: {error.strerror}") from None
        return f"{stat.st_size}\0{stat.st_mtime_ns}"

    def where(self, index: int) -> str:
        """Return the file, for messages."""
        return str(self.paths[index])

    def read(self, index: int, config: DataConfig) -> Decoded:
        """Return the image as it is trained on. Raises BrokenImage or UserError."""
        return decode_file(self.paths[index], config.image_size, config.fit)

    def decode(self, config: DataConfig) -> tuple[Part, str]:
        """See `Items.decode`."""
        part, digest = decoded(self, config)
        return replace(part, notes=self.notes + part.notes), digest
