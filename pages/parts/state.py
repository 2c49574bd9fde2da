"""The settings that several files read: each is named once, with its type."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import streamlit as st

T = TypeVar("T")


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A value in the session.

    Attributes:
        key: of the session state and of the widget; the address parameter has the same name.
    """

    key: str

    def get(self) -> T:
        """Return the value."""
        value: T = st.session_state[self.key]
        return value

    def set(self, value: T) -> None:
        """Change the value."""
        st.session_state[self.key] = value

    def start(self, *, parse: Callable[[str], T], default: T) -> None:
        """Set the first value of a session: the one in the address, else the default.

        Args:
            parse: turns the parameter's text into a value; raises ValueError for nonsense, which
                counts as absent.
            default: the value without a parameter.
        """
        if self.key in st.session_state:
            return
        try:
            self.set(parse(st.query_params[self.key]))
        except (KeyError, ValueError):
            self.set(default)


MODEL = Setting[str]("model")  # a network's name, on every page but Remedies
ATTACK = Setting[str]("attack")  # an attack's title
# Draw
SOURCE = Setting[str]("source")  # where the digit comes from; not in the address
DIGIT = Setting[int]("digit")  # the index of a test image
TARGET = Setting[str]("target")
EPSILON = Setting[float]("epsilon")
# Test set
IMAGES = Setting[str]("images")
LINF = Setting[float]("linf")
L2 = Setting[float]("l2")
# Train
RECIPE = Setting[str]("recipe")
RUN = Setting[str]("run")
# Remedies
NETWORKS = Setting[list[str]]("networks")
BUDGET = Setting[float]("budget")
AGAINST = Setting[str]("against")
