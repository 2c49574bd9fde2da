"""The settings that several files read: each is named once, with its type."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

T = TypeVar("T")


@dataclass
class Address:
    """What a session knows of its address; see `pages.parts.address`.

    Attributes:
        page: the page that the address names.
        known: the parameters that this session saw last and has written since, oldest first.
        settings: what the page wants in the address.
        stands_for: the settings that the address gives when it is read; None if they are not known.
        read: the parameters read since somebody else changed the address; None once all are.
        is_new: whether somebody else has changed the address, and no run has ended since.
    """

    page: str = ""
    known: list[dict[str, str]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    stands_for: dict[str, str] | None = None
    read: set[str] | None = field(default_factory=set)
    is_new: bool = True


def address() -> Address:
    """Return what this session knows of its address."""
    known: Address = st.session_state.setdefault("address", Address())
    return known


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A value in the session and in the address.

    Attributes:
        key: of the session state and of the widget.
        parameter: of the address; the key if it is empty.
    """

    key: str
    parameter: str = ""

    @property
    def name(self) -> str:
        """The parameter of the address."""
        return self.parameter or self.key

    def of(self, case: object) -> "Setting[T]":
        """Return the setting of a case: each has its own value, all have one parameter."""
        return replace(self, key=f"{self.key}_{case}", parameter=self.name)

    def get(self) -> T:
        """Return the value."""
        value: T = st.session_state[self.key]
        return value

    def set(self, value: T) -> None:
        """Change the value."""
        st.session_state[self.key] = value

    def start(self, *, parse: Callable[[str], T], default: T) -> bool:
        """Read the value from the address: once a session, and when somebody else has changed it.

        Call it before the widget is shown.

        Args:
            parse: turns the parameter's text into a value; raises ValueError for nonsense, which
                counts as absent.
            default: the value without a parameter.

        Returns:
            Whether the value has been read now.
        """
        read = address().read
        is_new = read is not None and self.name not in read
        if not is_new and self.key in st.session_state:
            return False
        self.set(default)
        if read is not None and is_new:
            read.add(self.name)
            with suppress(KeyError, ValueError):
                self.set(parse(st.query_params[self.name]))
        return True


MODEL = Setting[str]("model")  # a network's name, on every page but Remedies
ATTACK = Setting[str]("attack")  # an attack's title
# Draw
SOURCE = Setting[str]("source")  # where the digit comes from
DIGIT = Setting[int]("digit")  # the index of a test image
PIXELS = Setting[NDArray[np.uint8] | None]("pixels")  # a digit that comes with the address
CENTRE = Setting[bool]("centre")
LABEL = Setting[int | None]("label")  # the digit that somebody says it is
TARGET = Setting[str]("target")
EPSILON = Setting[float]("epsilon")
COMPARE = Setting[str | None]("compare")  # a second network under the same slider
PREDICT = Setting[bool]("predict")  # whether the flip is hidden until one has predicted it
UNITS = Setting[bool]("units")  # whether this view is open
MEMBER = Setting[int]("member")  # the network of an ensemble that it shows
CODE = Setting[bool]("code")  # whether this view is open
WALK = Setting[bool]("walk")  # whether the attack's steps are shown
MAP = Setting[bool]("map")  # whether the map around the digit is shown
ACROSS = Setting[str]("across")  # the map's second direction
# Test set
IMAGES = Setting[str]("images")
ROUNDED = Setting[bool]("rounded")  # whether images are judged on a screen's grey levels
LINF = Setting[float]("linf")
L2 = Setting[float]("l2")
BESIDE = Setting[list[str]]("beside")  # the attacks on the chart besides the chosen one
TEN = Setting[int]("ten")  # which ten digits are shown with their twins
CELL_DIGIT = Setting[int | None]("cell_digit")  # the cell of the matrix whose images are shown
CELL_LABEL = Setting[int | None]("cell_label")
WHY = Setting[int]("why")  # the digit that is explained
INTO = Setting[int | None]("into")  # what it turns into
# Transfer
AMONG = Setting[list[str]]("among", "networks")  # the networks that are compared
MADE_BY = Setting[str]("made_by", "attack")  # the attack's title; Test set's may be a slow one
AIM_FOR = Setting[str]("aim_for", "target")
MADE_ON = Setting[str | None]("made_on")  # the cell whose images are shown
TRIED_ON = Setting[str | None]("tried_on")
# Train
RECIPE = Setting[str]("recipe")
RUN = Setting[str]("run")
CARD = Setting[str]("card_of", "card")  # the network whose card is shown
# Lesson
STEP = Setting[int]("step")
ANSWERS = Setting[str]("answers")  # a character a step: the answer's place, or as in lesson.py
SEEN = Setting[str]("seen")  # the steps whose flip has been seen, a digit each
AIM = Setting[int]("aim")  # the digit that the attacker wants
# Remedies
NETWORKS = Setting[list[str]]("networks")
BUDGET = Setting[float]("budget")
AGAINST = Setting[str]("against")
