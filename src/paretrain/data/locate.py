"""What `--data` and a configuration's `source` mean."""

from pathlib import Path

from paretrain.config import DataConfig
from paretrain.data.digits import Digits
from paretrain.data.folder import open_folder
from paretrain.data.source import Source


def open_source(config: DataConfig) -> Source:
    """Find the images; none is decoded. Raises UserError when there are none."""
    if config.source == "digits":
        return Digits()
    return open_folder(Path(config.source))
