"""Whether compiled loops take the place of NumPy's many passes over memory.

The numbers are the same either way. To import Numba takes half a second, which only work on many
images wins back. Once the loops are loaded, everything uses them.
"""

from types import ModuleType

from core.batches import BATCH
from core.classifier import FloatArray

_loops: ModuleType | None = None
_missing = False


def load(images: int) -> None:
    """Load `core.compiled` if there are at least `BATCH` images; never fail.

    NumPy goes on alone where Numba is missing, or can't keep what it compiles: to compile the loops
    anew in every process would take longer than they save.
    """
    global _loops, _missing
    if images < BATCH or _loops or _missing:
        return
    try:
        from core import compiled
    except (ImportError, OSError, RuntimeError):  # the last is for a cache that can't be written
        _missing = True
    else:
        _loops = compiled


def loops(*arrays: FloatArray) -> ModuleType | None:
    """Return `core.compiled` if it is loaded and works on such arrays: contiguous, of one dtype."""
    dtype = arrays[0].dtype
    if _loops and all(array.flags.c_contiguous and array.dtype == dtype for array in arrays):
        return _loops
    return None
