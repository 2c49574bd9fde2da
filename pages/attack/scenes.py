"""Scenes worth a lecture: each sets the whole page, and says in a sentence why."""

from dataclasses import dataclass

import streamlit as st

from core.networks import LIBRARY, NetworkFileError
from pages.parts.epsilon_explorer.choices import predict_first
from pages.parts.server import server
from pages.parts.state import ATTACK, COMPARE, DIGIT, EPSILON, MODEL, SOURCE, TARGET
from pages.parts.subject import TEST_DIGIT

ANY_OTHER = "any other digit"
_LIST = "scenes"  # the list's key
FIRST, WRONG = "first", "wrong"  # test digits that the network decides on


@dataclass(frozen=True)
class Scene:
    """Settings of the page.

    Attributes:
        title: a few words.
        why: one sentence that says what to look at.
        digit: the index of a test digit; `FIRST` for the one that FGSM flips at the smallest ε,
            `WRONG` for one that the network reads wrong.
        epsilon: where the slider stands.
        network: its name.
        attack: its title.
        target: the digit to aim for, or `ANY_OTHER`.
        compare: the name of a second network under the same slider, if any.
        predict: whether the flip is hidden until one has predicted it.
    """

    title: str
    why: str
    digit: int | str = 0
    epsilon: float = 0.1
    network: str = "report"
    attack: str = "FGSM"
    target: str = ANY_OTHER
    compare: str | None = None
    predict: bool = False

    @property
    def settings(self) -> tuple[str, str, str, str | None]:
        """The network, the attack, the target and the second network."""
        return self.network, self.attack, self.target, self.compare

    @property
    def networks(self) -> set[str]:
        """The names of its networks."""
        return {self.network, self.compare or self.network}


SCENES = (
    Scene(
        "A small change",
        "Turn up ε until the network reads another digit: the change is hard to see.",
        epsilon=0.0,
        predict=True,
    ),
    Scene(
        "Noise of the same size",
        "In a random direction a change of that size does nothing: it is the direction that fools.",
        attack="Random noise",
    ),
    Scene(
        "Aim for a 0",
        "The attacker chooses what the network reads.",
        epsilon=0.125,
        attack="PGD",
        target="0",
    ),
    Scene(
        "A network that withstands",
        "The second network has learned from attacked digits: the same attack needs a larger ε.",
        compare="adversarial-pgd",
    ),
    Scene(
        "On the border",
        "Of all test digits that the network reads right, this one flips first.",
        digit=FIRST,
        epsilon=0.005,
    ),
    Scene(
        "Wrong without attack",
        "Nobody attacks here: the network reads some test digits wrong by itself.",
        digit=WRONG,
        epsilon=0.0,
    ),
)


def show_scenes() -> None:
    """Show a list of the scenes."""
    names = set(LIBRARY.names())
    # Streamlit's menu button would do, but after a rerun the keyboard does not reach its menu.
    st.selectbox(
        "Scenes",
        [scene.title for scene in SCENES if scene.networks <= names],
        index=None,
        placeholder="Scenes",
        key=_LIST,
        on_change=_choose,
        label_visibility="collapsed",
        filter_mode=None,
        width=100,
    )


def show_why() -> None:
    """Say why the scene is worth a look, as long as its settings are those of the page."""
    scene, digit = st.session_state.get("scene", (None, None))
    now = (MODEL.get(), ATTACK.get(), TARGET.get(), COMPARE.get())
    if scene and SOURCE.get() == TEST_DIGIT and (digit, scene.settings) == (DIGIT.get(), now):
        st.markdown(f"**{scene.title}.** {scene.why}")


def _choose() -> None:
    """Set the page to the scene that was chosen."""
    title = st.session_state[_LIST]
    st.session_state[_LIST] = None  # the list is there for the next choice
    if title is not None:
        _set(next(scene for scene in SCENES if scene.title == title))


def _set(scene: Scene) -> None:
    """Set the page to a scene."""
    state = st.session_state
    try:
        index = _index(scene)
    except NetworkFileError:  # the choice of networks says what is wrong
        index = 0
    MODEL.set(scene.network)
    ATTACK.set(scene.attack)
    TARGET.set(scene.target)
    COMPARE.set(scene.compare)
    predict_first(scene.predict)
    EPSILON.set(scene.epsilon)
    SOURCE.set(TEST_DIGIT)
    DIGIT.set(index)
    state["placed"] = state.get("placed", 0) + 1
    state["scene"] = (scene, index)
    state.pop("correction", None)


def _index(scene: Scene) -> int:
    """Return the index of a scene's test digit."""
    if isinstance(scene.digit, int):
        return scene.digit
    found = server().evaluations.remarkable(server().network(scene.network))
    if scene.digit == FIRST:
        return max(0, found.very_first)
    return int(found.wrong[0]) if len(found.wrong) else 0
