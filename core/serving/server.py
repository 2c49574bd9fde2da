"""All that the sessions of one server share."""

import threading
from functools import partial

from core.data import drawing, mnist
from core.data.mnist import Digits
from core.networks import LIBRARY
from core.serving.cache import Cache
from core.serving.evaluations import Evaluations
from core.serving.measurements import Measurements
from core.serving.networks import ServedNetwork
from core.serving.trainings import Trainings


class Server:
    """The images, the networks, and the long work; a process has one."""

    def __init__(self) -> None:
        """Start with nothing read and nothing computed."""
        images = Cache(2)

        # It refers to the cache alone, so running work that holds it doesn't keep the server alive.
        def digits(split: str) -> Digits:
            return images.get(split, partial(mnist.load, split))

        self.digits = digits
        self._networks = Cache(60)
        self.trainings = Trainings(load=digits)
        self.evaluations = Evaluations(digits)
        self.measurements = Measurements(digits)
        self._warmed = threading.Lock()  # held from the first call of `warm_up` on

    def network(self, name: str) -> ServedNetwork:
        """Return a network of the library; it is read once for as long as its file is the same.

        Raises:
            NetworkFileError: the file is missing, or is no network.
        """
        version = LIBRARY.version(name)
        return self._networks.get(
            (name, version), lambda: ServedNetwork(name, version, *LIBRARY.load(name))
        )

    def warm_up(self) -> None:
        """Import in the background what the first drawing needs; only the first call does it."""
        if self._warmed.acquire(blocking=False):
            threading.Thread(target=drawing.warm_up, daemon=True).start()
