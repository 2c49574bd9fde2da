"""Python's garbage collector, which holds up all sessions while it looks for cycles."""

import gc
from functools import cache

YOUNG = 5000  # new objects until it looks at them; Python's own number is 700


@cache
def settle() -> None:
    """Have the collector leave out what lives now, and look less often; only once a process.

    The modules alone are 150,000 objects, which live as long as the process. To look at them takes
    a tenth of a second, and with a class on Draw that happened every three seconds.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
