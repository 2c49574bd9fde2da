"""Whose things are whose, and who may change them."""

import hashlib
import threading
from collections.abc import Hashable

from core.serving.lecturer import Lecturer
from core.serving.visitors import Visitor, person_of

REMEMBERED = 1000  # things


class NotYoursError(ValueError):
    """Somebody wants to change what belongs to somebody else."""


class Rights:
    """The owners of runs. The owner and the lecturer may change a thing.

    A thing without a known owner is the lecturer's alone.
    """

    def __init__(self, lecturer: Lecturer) -> None:
        """Start with nothing that belongs to anybody."""
        self.lecturer = lecturer
        self._owners: dict[Hashable, Hashable] = {}  # people, the newest last
        self._lock = threading.Lock()

    def give(self, thing: Hashable, *, who: Hashable) -> None:
        """Make somebody a thing's owner; of very many things the oldest are forgotten."""
        with self._lock:
            self._owners[thing] = person_of(who)
            if len(self._owners) > REMEMBERED:
                del self._owners[next(iter(self._owners))]

    def owns(self, thing: Hashable, *, who: Hashable) -> bool:
        """Return whether a thing is somebody's own."""
        return thing in self._owners and self._owners.get(thing) == person_of(who)

    def may_change(self, thing: Hashable, *, who: Hashable) -> bool:
        """Return whether somebody may stop or delete a thing."""
        return self.owns(thing, who=who) or self.lecturer.is_lecturer(who)

    def check(self, thing: Hashable, *, who: Hashable) -> None:
        """Raise `NotYoursError` if somebody may not change a thing."""
        if not self.may_change(thing, who=who):
            raise NotYoursError("Only its owner and the lecturer may do that.")


def mark_of(who: Hashable) -> str:
    """Return what stands for a person in a file; empty for who is no `Visitor`.

    It is the same on every server and after a restart, so the hash has no salt of a process. It
    needs none: what stands for a person is as long as a random number of 128 bits, too many to try.
    """
    if not isinstance(who, Visitor):
        return ""
    return hashlib.sha256(f"kept by {who.person}".encode()).hexdigest()
