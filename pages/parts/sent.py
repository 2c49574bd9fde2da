"""What the components on a page send: it comes from the client, who may send anything."""

import logging
from collections.abc import Callable
from typing import Any


class SentError(Exception):
    """A value that no component of ours sends; the message says what is wrong with it."""


def number(value: Any, least: float, most: float) -> float:
    """Return a number from `least` to `most`.

    Raises:
        SentError: it is none.
    """
    wrong = isinstance(value, bool) or not isinstance(value, int | float)
    if wrong or not least <= value <= most:  # NaN fails every comparison
        raise SentError(f"{_short(value)} is no number from {least:g} to {most:g}")
    return float(value)


def whole_number(value: Any, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`.

    Raises:
        SentError: it is none.
    """
    found = number(value, least, most)
    if found != int(found):
        raise SentError(f"{_short(value)} is no whole number")
    return int(found)


def text(value: Any, most: int = 100) -> str:
    """Return a text of at most `most` characters.

    Raises:
        SentError: it is none.
    """
    if not isinstance(value, str) or len(value) > most:
        raise SentError(f"{_short(value)} is no text of at most {most} characters")
    return value


def taken(component: str, take: Callable[[], None]) -> Callable[[], None]:
    """Return a function that takes what a component sent, or leaves it out with a line in the log.

    Args:
        component: what the log calls it.
        take: reads the value, checks it with the functions above, and acts on it.
    """

    def checked() -> None:
        try:
            take()
        except SentError as error:
            logging.getLogger(__name__).warning("%s sent something else: %s", component, error)

    return checked


def _short(value: Any) -> str:
    """Return what the log says of a value, which may be huge."""
    if isinstance(value, str):
        return repr(value[:40])
    simple = (
        value is None
        or isinstance(value, bool | float)
        or (isinstance(value, int) and abs(value) < 10**18)
    )
    return repr(value) if simple else f"a value of the type {type(value).__name__}"
