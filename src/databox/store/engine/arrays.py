"""numpy, loaded without the threads that it would start for matrices.

Only what packs, unpacks or sums up blocks imports this, and only at its first use: it takes 15 MB.
"""

import os

# OpenBLAS starts a thread a core when it is loaded. A store has no matrices, but it has a bound on
# its threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

__all__ = ["Flags", "Floats", "Ints", "np"]
