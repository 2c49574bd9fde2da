"""Copy link: a button that copies the page's address, for the components that show one.

A component puts `CSS` and `JS` before its own, and calls `copyLink(place, address)` with an element
of the class `copy-link` and a function that returns the address.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent
CSS = (_FOLDER / "copy_link.css").read_text("utf-8")
JS = (_FOLDER / "copy_link.js").read_text("utf-8")
