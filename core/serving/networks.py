"""A network as the server holds it, with the measurements that are shipped for it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from core.evaluation import robustness
from core.networks import Card, Network

if TYPE_CHECKING:
    from core.presentation.course_report.findings import Findings


@dataclass(frozen=True, eq=False)
class ServedNetwork:
    """A network that was read from the library.

    Attributes:
        name: the file's, without its suffix.
        version: differs when the file has changed.
        network: to attack.
        card: what the file says about it.
    """

    name: str
    version: int
    network: Network
    card: Card

    @cached_property
    def digest(self) -> str:
        """A key for the network's weights, whatever its file is called."""
        return robustness.digest(self.network)

    @cached_property
    def shipped(self) -> robustness.Robustness | None:
        """The measurements that are shipped for this network, if any.

        Raises:
            MeasuredFileError: their file is damaged or can't be read.
        """
        return robustness.cached(self.network)

    @cached_property
    def shipped_report(self) -> "Findings | None":
        """What the course report's sections need, if it is shipped for this network.

        Raises:
            MeasuredFileError: the file is damaged or can't be read.
        """
        # The course report's modules are a fifth of all; most pages start without them.
        from core.presentation.course_report.findings import shipped_report

        return shipped_report(self.network, self.card)
