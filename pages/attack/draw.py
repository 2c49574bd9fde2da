"""Draw: a digit, an attack, and a live ε under which the prediction flips."""

import numpy as np
import streamlit as st

from core import sentences
from core.attacks import ATTACKS
from core.figures import probabilities_along
from core.measures import predict
from core.mlp import MLP
from core.path import Path, random_flips, trace
from pages.parts.address import one_of, put_in_address, start_from_address
from pages.parts.epsilon_explorer import epsilon_explorer
from pages.parts.networks import ChosenNetwork, choose_network
from pages.parts.subject import choose_label, choose_subject, show_what_the_network_sees

EPSILONS = np.linspace(0, 0.5, 101)
NOISE = "Random noise"
ATTACK_NAMES = {"FGSM": "fgsm", "PGD": "pgd", NOISE: "noise"}
ANY_OTHER = "any other digit"
EXPLANATION = """
**ε** is how far each pixel may move, on a scale from 0 (black) to 1 (white): ε = 0.1 is 26 of 255
grey levels.

- **FGSM** asks the network, for each pixel, whether lighter or darker makes it less sure of the
  digit, and moves every pixel that way by ε, all at once (Goodfellow et al. 2015).
- **PGD** takes forty small steps instead and asks again after each, so that it mostly needs a
  smaller ε (Madry et al. 2018).
- **Random noise** moves every pixel by ε too, up or down as a coin falls. It is the control: just
  as large, but in no direction, and it seldom flips anything.

So it is not the size of a change that fools a network, but its direction. *Towards* has the
attack aim for one digit rather than for whichever is nearest. The network called *report* is a
small one: 784 pixels, two layers of 128 and 64 units, ten digits, trained on MNIST.
"""


def main() -> None:
    """The page."""
    start_from_address("epsilon", parse=epsilon_in, default=0.0)
    st.markdown("#### Draw a digit, turn up ε, watch it flip")
    left, right = st.columns([1, 2], gap="large")
    with left:
        subject = choose_subject()
        label_place = st.container()
    with right:
        attack, target, chosen = choose_attack()
        if subject is None:
            st.info(
                "Draw a digit, take one of MNIST's test digits, or upload a picture of one. "
                "What the network sees in it, and how to make it see another, appears here.",
                icon="✍️",
            )
            st.expander("What is happening here?", expanded=True).markdown(EXPLANATION)
        if subject is None or chosen is None:
            return

    with label_place:
        label = choose_label(subject, prediction=int(predict(chosen.network, subject.x)[0]))
    with right:
        if target == label:
            st.write(
                f"It is meant to be {sentences.with_article(label)} already, "
                "so the attack is towards any other digit."
            )
            target = None
        path, noisy = follow(
            chosen.network, chosen.name, chosen.version, attack, subject.x.tobytes(), label, target
        )
        epsilon = epsilon_explorer(
            path,
            label=label,
            sentence=sentences.on_path(
                path, random_flips=noisy, label=label, target=target, noise=attack == "noise"
            ),
            start=st.session_state["epsilon"],
            key="explorer",
        )
        st.session_state["epsilon"] = epsilon
        put_in_address({"epsilon": f"{epsilon:.3f}"})
        with st.expander("What the network sees", expanded=True):
            show_what_the_network_sees(subject)
        chart = st.expander("The whole path as a chart", key="chart", on_change="rerun")
        if chart.open:
            chart.plotly_chart(
                probabilities_along(path, epsilon=epsilon), config={"displayModeBar": False}
            )
        st.expander("What is happening here?").markdown(EXPLANATION)


def choose_attack() -> tuple[str, int | None, ChosenNetwork | None]:
    """The widgets that decide the attack: its name in core, its target, the network if any."""
    start_from_address("attack", parse=one_of(list(ATTACK_NAMES)), default="FGSM")
    targets = [ANY_OTHER, *map(str, range(10))]
    start_from_address("target", parse=one_of(targets), default=ANY_OTHER)
    with st.container(horizontal=True):
        attack = st.segmented_control(
            "Attack", list(ATTACK_NAMES), required=True, key="attack", persist_state="session"
        )
        target = st.selectbox(
            "Towards",
            targets,
            key="target",
            persist_state="session",
            disabled=attack == NOISE,
            width=165,
        )
        chosen = choose_network()
    untargeted = target == ANY_OTHER or attack == NOISE
    put_in_address(
        {
            "model": chosen.name if chosen else None,
            "attack": attack,
            "target": None if untargeted else target,
        }
    )
    return ATTACK_NAMES[attack or "FGSM"], None if untargeted else int(target), chosen


@st.cache_resource(max_entries=128, show_spinner=False)
def follow(
    _network: MLP,
    network_name: str,
    network_version: int,
    attack: str,
    pixels: bytes,
    label: int,
    target: int | None,
) -> tuple[Path, int]:
    """A digit's path under an attack, and how many of 100 random perturbations flip it too."""
    x = np.frombuffer(pixels, np.float32).reshape(1, 784)
    path = trace(
        _network,
        lambda epsilons: ATTACKS[attack](_network, x, [label], epsilons, target=target)[:, 0],
        EPSILONS,
        target=target,
    )
    return path, random_flips(_network, x, path.flip.epsilon) if path.flip else 0


def epsilon_in(text: str) -> float:
    """The nearest ε of the slider."""
    epsilon = float(text)
    if not np.isfinite(epsilon):
        raise ValueError(text)
    return float(EPSILONS[np.abs(EPSILONS - epsilon).argmin()])


main()
