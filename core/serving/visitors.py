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
    """

    person: str
    tab: str


def person_of(who: Hashable) -> Hashable:
    """Return the person behind a visitor; anything else stands for a person itself."""
    return who.person if isinstance(who, Visitor) else who
