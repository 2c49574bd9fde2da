"""Text that others wrote, for Streamlit's Markdown: shown as it is, with no effect.

Names of networks and of uploaded files, the address, a network's card and errors that quote them
come from strangers. Streamlit's widgets, messages and captions take Markdown: CommonMark and
GitHub's tables, strikethrough and bare links, formulas between dollar signs, `:red[…]`,
`:material/…:`, `:smile:`, and arrows for `->`.
"""

import re
import unicodedata

MOST = 1000  # characters
_BREAKS = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029")
# Bare links, icons, smileys and arrows are looked for in the finished text, where a backslash has
# gone. This character, which has no width, keeps their parts apart.
_JOINER = "\N{WORD JOINER}"
# Between letters an underscore has no effect.
_SPECIAL = re.compile(r"[\\`*\[\]<>$~&|{}]|(?<![^\W_])_|_(?![^\W_])")
# A colon before a name or an address, an address of mail or of a web server.
_APART = re.compile(r":(?=\S)|@|www(?=\.)", re.IGNORECASE)
_ARROWS = re.compile(r"(?<!\S)([<>~-])([<>=-]+)(?!\S)")
_FIRST = re.compile(r"^([#+=-]|\d+(?=[.)]))")  # what makes a list, a title or a line


def escaped(text: str, *, most: int = MOST) -> str:
    """Return Markdown that shows a text as it is, in one line of at most `most` characters."""
    # Other characters of these categories turn the direction of what follows.
    visible = "".join(
        " " if character in _BREAKS else character
        for character in text[: 2 * most]
        if character in _BREAKS or not unicodedata.category(character).startswith("C")
    )
    line = re.sub(" +", " ", visible).strip(" ")
    if len(line) > most:
        line = line[: most - 1] + "…"
    line = _ARROWS.sub(rf"\1{_JOINER}\2", line)
    line = _SPECIAL.sub(r"\\\g<0>", line)
    line = _APART.sub(rf"\g<0>{_JOINER}", line)
    return _FIRST.sub(_first, line)


def with_code(text: str) -> str:
    """Return Markdown that shows a text as it is, except that what is in backticks is code.

    No name of a network has a backtick. For the name of an uploaded file there is `escaped`.
    """
    parts = re.split("(`[^`\n]*`)", text)
    return "".join(
        part if place % 2 else _spaced(part, escaped(part, most=len(part)))
        for place, part in enumerate(parts)
    )


def _first(found: re.Match[str]) -> str:
    """Return the beginning of a line with no effect."""
    text = found[0]
    return f"{text}{_JOINER}" if text[0].isdigit() else f"\\{text}"


def _spaced(text: str, changed: str) -> str:
    """Return a changed part of a text with the space that was around it."""
    if not text.strip():
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{changed}{after}"
