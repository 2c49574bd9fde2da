"""Who asks a server for something."""

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class Visitor:
    """A tab of somebody's browser.

    Attributes:
        person: stands for the browser, the same in all its tabs and after a reload. Anybody can
            become a new person by clearing the browser's cookies.
        tab: stands for the tab until it is closed or reloaded.
        is_alone: whether only the server's own machine can reach it; see `core.serving.reach`.
    """

    person: str
    tab: str
    is_alone: bool = False


def person_of(who: Hashable) -> Hashable:
    """Return the person behind a visitor; anything else stands for a person itself."""
    return who.person if isinstance(who, Visitor) else who
