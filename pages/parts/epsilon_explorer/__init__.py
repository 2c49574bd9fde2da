"""The ε explorer: one image under every budget, redrawn in the browser while the slider moves."""

import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.attacks import L2, LINF, WAY, Method
from core.evaluation.path import AttackPath
from pages.parts import copy_link
from pages.parts.epsilon_explorer.choices import (
    Choices,
    compare_with,
    predict_first,
)
from pages.parts.sent import SentError, number, taken, text, whole_number
from pages.parts.state import EPSILON

# How the slider shows its budgets: name, factor, decimals, unit.
AXES: Mapping[str, dict[str, Any]] = {
    LINF.name: {"name": "ε", "factor": 1, "digits": 3, "unit": ""},
    L2.name: {"name": "ε (L2)", "factor": 1, "digits": 2, "unit": ""},
    WAY.name: {"name": "change", "factor": 100, "digits": 0, "unit": "\N{NO-BREAK SPACE}%"},
}
EACH_ON_ITS_OWN = "Each network is attacked on its own, so the two adversarial images differ."
SAME_NOISE = "Both networks get the same random noise."


def _text(file: str) -> str:
    """Return the text of a file beside this one."""
    return (Path(__file__).parent / file).read_text("utf-8")


def _digest(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _code() -> str:
    """Return all that the browser needs to show an explorer, as a script."""
    constants = {
        "HTML": _text("explorer.html"),
        "CSS": copy_link.CSS + _text("explorer.css"),
        "BIG_SCREEN_CSS": _text("big_screen.css"),
    }
    scripts = ["message", "pictures", "proofs", "network", "choices", "big_screen", "play"]
    scripts += ["explorer"]
    return "\n".join(
        [
            *(f"const {name} = {json.dumps(text)};" for name, text in constants.items()),
            copy_link.JS,
            *(_text(f"{name}.js") for name in scripts),
        ]
    )


# The code comes in a component of its own, which never changes: the browser keeps it, and another
# digit does not bring it again. It is found by its content, so that no page shows an explorer with
# the code that came before an update.
_CODE = _code()
_KEPT = f"const CODE = 'explorer-{_digest(_CODE.encode())}';\n{_text('kept.js')}"
_kept_code = st.components.v2.component(
    "explorer_code", js=f"{_CODE}\n{_KEPT}\nkept.bring(showExplorer);\nexport default () => {{}};"
)
_explorer = st.components.v2.component(
    "epsilon_explorer",
    js=f"{_KEPT}\nexport default async (component) => (await kept.code)(component);",
)


def bring_code() -> None:
    """Bring the browser what it needs to show explorers; call it once in each run of a page."""
    _kept_code(key="explorer_code")


@dataclass(frozen=True, eq=False)
class Attacked:
    """A network under attack.

    Attributes:
        name: the network's.
        path: the image under every budget. The pictures are shown on 256 grey levels; the verdicts
            are of the same pictures if the path was followed on as many.
        sentence: describes the whole path.
        proof: the key under which the browser asks for what is proved of the digit; empty if
            nothing is shown of that. See `pages.parts.epsilon_explorer.proofs`.
    """

    name: str
    path: AttackPath
    sentence: str
    proof: str = ""

    @property
    def about(self) -> dict[str, Any]:
        """What the browser is told besides the numbers."""
        flip = self.path.flip
        return {
            "name": self.name,
            "flip": flip and {"epsilon": flip.epsilon, "after": flip.after},
            "sentence": self.sentence,
            "proof": self.proof,
        }

    @property
    def table(self) -> bytes:
        """The L2 norm and the ten probabilities under each budget, as 32-bit floats."""
        path = self.path
        return np.column_stack([path.l2_norm, path.probabilities]).astype("<f4").tobytes()

    @property
    def frames(self) -> bytes:
        """The images, each pixel under all budgets, as its change since the last one.

        Most changes are small and alike, so that they compress to a tenth or less.
        """
        images = (self.path.x_adv * 255).round().astype(np.uint8)
        changes = np.diff(images, axis=0, prepend=np.zeros_like(images[:1]))  # modulo 256
        return changes.T.tobytes()


def epsilon_explorer(
    first: Attacked,
    second: Attacked | None = None,
    *,
    method: Method,
    label: int,
    on_epsilon: Callable[[float], None],
    start: float,
    placed: int,
    on_label: Callable[[int], None] = lambda digit: None,
    on_shown: Callable[[], None] = lambda: None,
    note: str = "",
    choices: Choices | None = None,
    play: bool = False,
    key: str,
) -> None:
    """Show an image under attack with a slider that works without the server.

    The page must call `bring_code`, too.

    Args:
        first: the network under attack.
        second: another one beside it, under the same budgets.
        method: the attack.
        label: the true label.
        on_label: called with the new label when somebody changes it.
        on_epsilon: called with the budget where the slider has come to rest.
        start: the first budget shown; later the slider keeps its position when the path changes.
        placed: counts how often the slider is placed at `start` again.
        on_shown: called when a flip that was hidden is hidden no more.
        note: a sentence on how two networks compare.
        choices: what can be chosen in the explorer; None for nothing.
        play: whether the slider moves once by itself, from 0 to the flip.
        key: the component's key in the session state.
    """
    about = {
        "label": label,
        "attack": method.name.replace("_", "-"),  # in the names of downloaded pictures
        "title": method.title,
        "note": note if second else "",
    }
    placing = {"play": play, "start": start, "placed": placed}
    identity, message = _packed(first, second, about, choices, placing)

    def sent(event: str) -> Any:
        return st.session_state[key].get(event)

    largest = float(method.scale.budgets[-1])

    def shown() -> None:
        told = sent("shown")
        if not isinstance(told, Mapping):
            raise SentError("what is shown is no object")
        on_epsilon(number(told.get("epsilon"), 0, largest))
        if told.get("id") == identity:
            on_shown()

    def checked(take: Callable[[], None]) -> Callable[[], None]:
        return taken("The live ε", take)

    _explorer(
        data=message,
        on_epsilon_change=checked(lambda: on_epsilon(number(sent("epsilon"), 0, largest))),
        on_label_change=checked(lambda: on_label(whole_number(sent("label"), 0, 9))),
        on_compare_change=checked(lambda: compare_with(text(sent("compare")))),
        on_predict_change=checked(lambda: predict_first(sent("predict") == "on")),
        on_shown_change=checked(shown),
        key=key,
    )


def _packed(
    first: Attacked,
    second: Attacked | None,
    about: Mapping[str, Any],
    choices: Choices | None,
    placing: Mapping[str, Any],
) -> tuple[str, bytes]:
    """Return what identifies the data, and the one message that brings all of it.

    Bytes reach the browser unchanged. As JSON they would be 1.5 times as large and parsed twice.
    """
    scale, both = first.path.scale, [each for each in (first, second) if each]
    tables = [scale.budgets.astype("<f8").tobytes(), *(each.table for each in both)]
    # The fastest level: others take up to ten times as long for 10 to 30 % less. The tables would
    # hardly get smaller.
    frames = zlib.compress(b"".join(each.frames for each in both), 1)
    numbers = b"".join([*tables, frames])
    data = {
        **first.about,
        "second": second and second.about,
        "axis": AXES[scale.name],
        "budgets": len(scale.budgets),
        "parameter": EPSILON.name,
        **about,
    }
    identity = _digest(numbers + repr(data).encode())
    shown = {**data, "id": identity, "choices": choices and vars(choices)}
    state = _digest(repr(shown).encode())  # differs where anything shown does
    head = json.dumps({**shown, "state": state, **placing}).encode()
    return identity, len(head).to_bytes(4, "little") + head + numbers
