"""All that the sessions of one server share."""

import os
import threading
from collections.abc import Hashable
from functools import cached_property, partial
from typing import TYPE_CHECKING

from core.data import drawing, mnist
from core.data.mnist import Digits
from core.networks import LIBRARY, Card, LibraryError, Network
from core.serving import collector
from core.serving.cache import Cache
from core.serving.evaluations import Evaluations
from core.serving.lecturer import Lecturer
from core.serving.measurements import Measurements
from core.serving.memory import Memory, limit
from core.serving.networks import ServedNetwork
from core.serving.proofs import Proofs
from core.serving.proofs import limit as most_seconds
from core.serving.rights import NotYoursError, Rights, mark_of
from core.serving.trainings import Trainings

if TYPE_CHECKING:
    from core.serving.imports import Imports
    from core.serving.transfers import Transfers

WORD = "SMALL_CHANGE_LECTURER"  # the environment variable that holds the lecturer's word
MOST_KEPT = 10  # networks of one person, as all together may keep 100
# Of the limit: for what can be computed again, for what trainings have found, and for the networks
# that those in line need. So a training is not lost because others attack many images.
_SHARES = (3 / 4, 1 / 8, 1 / 8)


class Server:
    """The images, the networks, and the long work; a process has one."""

    def __init__(self, name: str = "") -> None:
        """Start with nothing read and nothing computed; see `core.serving.reach.own_name`."""
        images, most = Cache(2), limit()
        memory, trained, line = (Memory(share * most) for share in _SHARES)
        LIBRARY.remove_strays()

        def load(split: str) -> Digits:
            loaded = mnist.load(split)
            memory.leave_out(loaded)
            return loaded

        # It refers to no more, so running work that holds it doesn't keep the server alive.
        def digits(split: str) -> Digits:
            return images.get(split, partial(load, split))

        self.lecturer = Lecturer(os.environ.get(WORD, ""))
        self.rights = Rights(self.lecturer)
        self.digits = digits
        self._memory, self._line, self._networks = memory, line, Cache(60, memory)
        self._transfers: Transfers | None = None
        self._making = threading.Lock()  # held while `transfers` makes its one object
        self.trainings = Trainings(load=digits, rights=self.rights, memory=trained, name=name)
        self.evaluations = Evaluations(digits, memory=memory, line=line)
        self.measurements = Measurements(digits, memory=memory, line=line)
        self.proofs = Proofs(memory=memory, line=line, seconds=most_seconds())
        self._warmed = threading.Lock()  # held from the first call of `warm_up` on

    @cached_property
    def imports(self) -> "Imports":
        """The files of other programs. Most pages start without what reads them."""
        from core.serving.imports import Imports

        return Imports(self.digits, memory=self._memory)

    @property
    def transfers(self) -> "Transfers":
        """What images made on one network do to others. Most pages start without it."""
        from core.serving.transfers import Transfers

        with self._making:
            if self._transfers is None:
                quick, long = self.evaluations.quick, self.evaluations.long
                self._transfers = Transfers(
                    self.digits, quick, long, memory=self._memory, line=self._line
                )
        return self._transfers

    def network(self, name: str) -> ServedNetwork:
        """Return a network of the library; it is read once for as long as its file is the same.

        Raises:
            NetworkFileError: the file is missing, or is no network.
        """
        version = LIBRARY.version(name)
        return self._networks.get(
            (name, version), lambda: ServedNetwork(name, version, *LIBRARY.load(name))
        )

    def keep(self, name: str, network: Network, card: Card, *, who: Hashable) -> str:
        """Keep a network as somebody's own; see `Library.keep`.

        Raises:
            LibraryError: somebody who is not the lecturer keeps `MOST_KEPT` already.
        """
        if not self.lecturer.is_lecturer(who):
            own = sum(self._has_kept(each, who) for each in LIBRARY.names())
            if own >= MOST_KEPT:
                raise LibraryError(f"You keep {own} networks already; delete one first.")
        return LIBRARY.keep(name, network, card, owner=mark_of(who))

    def may_delete(self, name: str, *, who: Hashable) -> bool:
        """Return whether somebody may delete a kept network."""
        return self.lecturer.is_lecturer(who) or self._has_kept(name, who)

    def delete(self, name: str, *, who: Hashable) -> None:
        """Delete a kept network; see `Library.delete`.

        Raises:
            NotYoursError: somebody else has kept it.
        """
        if not self.may_delete(name, who=who):
            raise NotYoursError("Only who kept this network and the lecturer may delete it.")
        LIBRARY.delete(name)

    @staticmethod
    def _has_kept(name: str, who: Hashable) -> bool:
        """Return whether somebody has kept a network, on this server or on another one."""
        return LIBRARY.owner(name) == mark_of(who)

    def warm_up(self) -> None:
        """Import in the background what the first drawing needs, then settle the garbage collector.

        Only the first call does it.
        """

        def warm_up() -> None:
            drawing.warm_up()
            collector.settle()

        if self._warmed.acquire(blocking=False):
            threading.Thread(target=warm_up, daemon=True).start()
