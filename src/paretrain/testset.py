"""The test part. Only the final training opens it.

`search/` must never import this module; tests/project/test_layers.py checks that.
"""

from paretrain.config import DataConfig
from paretrain.data.locate import open_source
from paretrain.data.parts import Part


def load_test(config: DataConfig) -> Part | None:
    """Load all images of the test part at the configuration's size; None where there is none.

    Raises UserError for a broken image (unless they are skipped) or a class unknown to training.
    """
    items = open_source(config).test_part()
    return None if items is None else items.decode(config)[0]
