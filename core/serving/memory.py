"""How much a server remembers: in bytes, of all its caches and results together."""

import math
import sys
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

import numpy as np

from core.training.cost import number_from_environment

LIMIT = "SMALL_CHANGE_MEMORY_MB"  # the environment variable that holds the limit
MEGABYTES = 512.0  # the limit without it
SMALL = 1e-4  # of what may be remembered: what takes less is a small thing
# These belong to the program; no single value keeps them in memory.
_OF_THE_PROGRAM = (
    type(None), type, ModuleType, FunctionType, BuiltinFunctionType, MethodType, partial, Enum,
)  # fmt: skip
_PLAIN = frozenset({str, bytes, int, float, bool})  # most of what there is; nothing is inside
_COLLECTIONS = (list, tuple, set, frozenset, deque)


def limit() -> float:
    """Return how many bytes a server may remember, from the environment or `MEGABYTES`."""
    return 1e6 * number_from_environment(LIMIT, MEGABYTES)


@dataclass(frozen=True, eq=False)
class Size:
    """What a value keeps in memory.

    Attributes:
        buffers: by their ids, arrays and bytes, which other values may hold, too.
        rest: how many bytes everything else takes.
    """

    buffers: Mapping[int, object]
    rest: int


def size_of(value: object) -> Size:
    """Return what a value keeps in memory: its items and attributes, and theirs.

    Of a view of an array it is the whole array.
    """
    buffers: dict[int, object] = {}
    seen: set[int] = set()
    todo, rest = [value], 0
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, _OF_THE_PROGRAM):
            continue
        seen.add(id(each))
        if isinstance(each, np.ndarray | bytes | bytearray):
            buffers[id(each)] = each
        else:
            rest += sys.getsizeof(each)
        todo += _inside(each)
    return Size(buffers, rest)


class Memory:
    """The things that may be forgotten. Where they take too much, the least recently used goes.

    An array that several things hold is counted once. Small things stay while large ones can go:
    the curve of a slow attack takes a kilobyte, and makes no room. What somebody waits for goes
    last: such things may take as much again.
    """

    def __init__(self, most: float = math.inf) -> None:
        """Start with nothing; remember things of at most so many bytes."""
        self.bytes = 0  # of all that is held
        self._most = most
        self._things: dict[Hashable, _Held] = {}  # the most recently used is the last
        self._holders: dict[int, int] = {}  # of each buffer, by its id
        self._always: list[Size] = []
        self._lock = threading.Lock()  # whoever has it waits for no other lock

    def hold(
        self,
        thing: Hashable,
        value: object,
        *,
        forget: Callable[[], object],
        is_awaited: Callable[[], bool] = lambda: False,
    ) -> None:
        """Remember a thing, and forget others, or this one, where all take too much.

        Args:
            thing: stands for the value.
            value: all that the thing keeps in memory.
            forget: called, without any lock, once the thing is to be forgotten.
            is_awaited: returns whether somebody waits for the thing. It must not wait for a lock.
        """
        size = size_of(value)
        held = _Held(size, _bytes_of(size), forget, is_awaited)
        with self._lock:
            self._add(thing, held)
            too_much = self._too_much()
        for each in too_much:
            each.forget()

    def reserve(self, thing: Hashable, value: object) -> bool:
        """Remember a thing until it is released; return False if there is no room for it.

        This and `hold` are not for the same `Memory`.
        """
        held = _Held(size_of(value), 0, lambda: None, lambda: True)
        with self._lock:
            self._add(thing, held)
            fits = self.bytes <= self._most
            if not fits:
                self._drop(thing)
        return fits

    def leave_out(self, value: object) -> None:
        """Count a value nowhere from now on, because it is never forgotten."""
        with self._lock:
            size = size_of(value)
            self._always.append(size)
            self._more_holders(size)

    def use(self, thing: Hashable) -> None:
        """Note that a thing was used; nothing happens if it is not held."""
        with self._lock:
            if held := self._things.pop(thing, None):
                self._things[thing] = held

    def release(self, thing: Hashable) -> None:
        """Note that a thing was forgotten for another reason."""
        with self._lock:
            self._drop(thing)

    def _add(self, thing: Hashable, held: "_Held") -> None:
        self._drop(thing)
        self._things[thing] = held
        self.bytes += held.size.rest + self._more_holders(held.size)

    def _more_holders(self, size: Size) -> int:
        """Count one more holder of each buffer; return the bytes of those that are new."""
        new = [buffer for name, buffer in size.buffers.items() if name not in self._holders]
        for name in size.buffers:
            self._holders[name] = self._holders.get(name, 0) + 1
        return sum(map(_own_bytes, new))

    def _drop(self, thing: Hashable) -> None:
        held = self._things.pop(thing, None)
        if held is None:
            return
        self.bytes -= held.size.rest
        for name, buffer in held.size.buffers.items():
            self._holders[name] -= 1
            if not self._holders[name]:
                del self._holders[name]
                self.bytes -= _own_bytes(buffer)

    def _too_much(self) -> list["_Held"]:
        """Drop and return what is to be forgotten."""
        dropped = []
        small = SMALL * self._most
        for most, least, awaited in (
            (self._most, small, False),
            (self._most, 0.0, False),
            (2 * self._most, 0.0, True),
        ):
            for thing, held in list(self._things.items()) if self.bytes > most else ():
                if self.bytes <= most:
                    break
                if held.bytes >= least and (awaited or not held.is_awaited()):
                    self._drop(thing)
                    dropped.append(held)
        return dropped


@dataclass(frozen=True, eq=False)
class _Held:
    """A thing that is remembered; see `Memory.hold`."""

    size: Size
    bytes: int  # also those that others hold
    forget: Callable[[], object]
    is_awaited: Callable[[], bool]


def _bytes_of(size: Size) -> int:
    """Return the bytes of a value, also those that others hold."""
    return size.rest + sum(map(_own_bytes, size.buffers.values()))


def _inside(value: object) -> Iterable[object]:
    """Return what a value refers to: a view's array, the items, or the attributes."""
    if type(value) in _PLAIN:
        return ()
    if isinstance(value, np.ndarray):
        return (value.base,)
    if isinstance(value, memoryview):
        return (value.obj,)
    if isinstance(value, Mapping):
        return (*value.keys(), *value.values())
    if isinstance(value, _COLLECTIONS):
        return value
    slots = (name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ()))
    return (getattr(value, "__dict__", None), *(getattr(value, name, None) for name in slots))


def _own_bytes(buffer: object) -> int:
    """Return what a buffer takes, without the array of which it is a view."""
    size = sys.getsizeof(buffer)
    if isinstance(buffer, np.ndarray) and not buffer.flags.owndata and _is_foreign(buffer.base):
        size += buffer.nbytes
    return size


def _is_foreign(base: object) -> bool:
    """Return whether memory belongs to something that can't say how large it is."""
    return not isinstance(base, np.ndarray | bytes | bytearray | memoryview)
