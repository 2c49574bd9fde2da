"""The page's address holds the settings: a link brings them back."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import ArrayLike

from pages.parts.state import Setting


def one_of(options: Sequence[str]) -> Callable[[str], str]:
    """Return a parser that accepts the options alone."""

    def parse(text: str) -> str:
        if text not in options:
            raise ValueError(text)
        return text

    return parse


def nearest_of(budgets: ArrayLike) -> Callable[[str], float]:
    """Return a parser of a number that takes the nearest of the budgets."""

    def parse(text: str) -> float:
        budget = float(text)
        if not np.isfinite(budget):
            raise ValueError(text)
        return float(min(np.asarray(budgets), key=lambda each: abs(each - budget)))

    return parse


def put_in_address(settings: Mapping[Setting[Any], str | None]) -> None:
    """Write the settings into the address, and remove those that are None.

    All of them at once: each change of the address is a step for the browser's Back.
    """
    before = st.query_params.to_dict()
    keyed = {setting.key: value for setting, value in settings.items()}
    after = {name: value for name, value in before.items() if name not in keyed}
    after |= {name: value for name, value in keyed.items() if value is not None}
    if after != before:
        st.query_params.from_dict(after)
