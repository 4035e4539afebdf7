"""The one array type of the search."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
