"""Draw: a digit, an attack, and a live ε under which the prediction flips."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from core import digits, drawing, pictures
from core.attacks import ATTACKS
from core.classifier import FloatArray
from core.figures import probabilities_along
from core.mlp import MLP
from core.path import Path, random_flips, trace
from pages.parts import canvas
from pages.parts.address import one_of, put_in_address, start_from_address
from pages.parts.digit_images import show_images
from pages.parts.epsilon_explorer import epsilon_explorer
from pages.parts.networks import choose_network

EPSILONS = np.linspace(0, 0.5, 101)
NOISE = "Random noise"
ATTACK_NAMES = {"FGSM": "fgsm", "PGD": "pgd", NOISE: "noise"}
ANY_OTHER = "any other digit"
DRAW, TEST_DIGIT, PICTURE = "Draw", "Test digit", "Picture"


@dataclass(frozen=True, eq=False)
class Subject:
    """The digit under attack.

    Attributes:
        id: differs from one digit to the next, but not from stroke to stroke.
        x: `(1, 784)`, what the network sees.
        stages: how a drawing or a picture became that; None for a digit of MNIST's own.
        label: the digit it is, where that is known.
    """

    id: str
    x: FloatArray
    stages: drawing.Stages | None = None
    label: int | None = None


@st.cache_resource(show_spinner="Reading MNIST's test digits …")
def test_digits() -> digits.Digits:
    """MNIST's test set, once for all sessions."""
    return digits.load("test")


@st.cache_resource(max_entries=128, show_spinner=False)
def follow(
    _network: MLP, network_id: str, attack: str, pixels: bytes, label: int, target: int | None
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


def choose_subject() -> Subject | None:
    """The widgets by which one comes to a digit; None while there is none to attack."""
    source = st.segmented_control(
        "A digit to attack",
        [DRAW, TEST_DIGIT, PICTURE],
        default=TEST_DIGIT if "digit" in st.query_params else DRAW,
        required=True,
        key="source",
        persist_state="session",
        label_visibility="collapsed",
    )
    try:
        if source == TEST_DIGIT:
            subject = choose_test_digit()
            put_in_address({"digit": str(st.session_state["digit"])})
            return subject
        put_in_address({"digit": None})
        rgba, id = choose_picture() if source == PICTURE else canvas.drawing()
        if rgba is None:
            return None
        stages = drawing.to_mnist(rgba, centre=st.session_state.get("centre", True))
        return Subject(id=f"{source} {id}", x=stages.x, stages=stages)
    except (digits.DataFileError, pictures.PictureError) as error:
        st.error(str(error))
    except drawing.EmptyDrawingError:
        pass  # what there is to do is said where the digit would be attacked
    return None


def choose_test_digit() -> Subject:
    """One of MNIST's 10,000 test digits, by its index or at random."""
    test = test_digits()

    def another() -> None:
        st.session_state["digit"] = int(np.random.default_rng().integers(len(test)))

    def index_in(text: str) -> int:
        if not 0 <= int(text) < len(test):
            raise ValueError(text)
        return int(text)

    start_from_address("digit", parse=index_in, default=0)
    with st.container(horizontal=True, vertical_alignment="bottom", width=canvas.SIDE):
        index = st.number_input(
            "Test digit", 0, len(test) - 1, key="digit", persist_state="session", width=150
        )
        st.button("At random", on_click=another)
    x = test.x[index : index + 1]
    with st.container(width=canvas.SIDE):
        show_images([(x.reshape(28, 28), f"MNIST's test digit {index}, a {test.y[index]}")])
    return Subject(id=f"{TEST_DIGIT} {index}", x=x, label=int(test.y[index]))


def choose_picture() -> tuple[np.ndarray | None, str]:
    """A picture file, kept for the session: its pixels or None, and a name for it."""
    file = st.file_uploader("A picture of one digit (PNG or JPEG)", key="picture")
    if file is not None:
        st.session_state["read_picture"] = (pictures.read(file.getvalue()), file.file_id)
    rgba, id = st.session_state.get("read_picture", (None, ""))
    if rgba is not None:
        show_images([(rgba[..., 0] / 255, "your picture, as white on black")])
    return rgba, id


def show_what_the_network_sees(subject: Subject) -> None:
    """The stages from the drawing to the network's 28 × 28 pixels, and the switch of the centring."""
    if subject.stages is None:
        st.caption("MNIST's own digits are centred already; the network sees them as they are.")
        return
    stages = subject.stages
    show_images(
        [
            (stages.ink, "the ink's box"),
            (stages.scaled, "fitted to 20 × 20"),
            (stages.image, "what the network sees, 28 × 28"),
        ],
        box=stages.box,
    )
    st.toggle(
        "Fit and centre the digit, as MNIST's makers did",
        value=True,
        key="centre",
        persist_state="session",
        help="Off, the whole drawing is merely shrunk to 28 × 28. Draw small or in a corner, and "
        "see what becomes of the prediction: the network has only ever seen centred digits.",
    )


def choose_attack() -> tuple[str, int | None, tuple[str, MLP] | None]:
    """The widgets that decide the attack: its name, its target if any, the network if any."""
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
    put_in_address(
        {
            "model": chosen and chosen[0],
            "attack": attack,
            "target": None if target == ANY_OTHER else target,
        }
    )
    return attack, None if ANY_OTHER == target or attack == NOISE else int(target), chosen


def epsilon_in(text: str) -> float:
    """The nearest ε of the slider."""
    epsilon = float(text)
    if not np.isfinite(epsilon):
        raise ValueError(text)
    return float(EPSILONS[np.abs(EPSILONS - epsilon).argmin()])


def choose_label(subject: Subject, prediction: int) -> int:
    """The digit it is meant to be: known, else the prediction until somebody says otherwise."""
    guess = prediction if subject.label is None else subject.label
    key = f"label {subject.id}"

    def correct() -> None:
        st.session_state["correction"] = (subject.id, st.session_state[key])

    corrected_id, corrected = st.session_state.get("correction", ("", guess))
    st.session_state[key] = corrected if corrected_id == subject.id else guess
    label: int = st.pills(
        "It is meant to be a", range(10), required=True, key=key, on_change=correct
    )
    return label


def sentence_on(path: Path, noisy: int, *, attack: str, label: int, target: int | None) -> str:
    """What there is to say of a path in words."""
    before = int(path.predictions[0])
    if before != label:
        return f"The network takes this {label} for a {before} without any attack."
    largest = path.epsilons[-1]
    if path.flip is None:
        said = f"Stays a {before} all the way to ε = {largest:g}"
        return f"{said}: noise has no direction." if attack == NOISE else f"{said}."
    epsilon = path.flip.epsilon
    sentences = [
        f"Flips from {before} to {path.flip.after} at ε = {epsilon:.3f}, "
        f"{epsilon * 255:.0f} of 255 grey levels; "
        + {0: "none of 100 random perturbations of that size does it.",
           1: "one of 100 random perturbations of that size does it too."}.get(
            noisy, f"{noisy} of 100 random perturbations of that size do it too."
        )
    ]
    if target is not None:
        sentences.append(
            f"It is never taken for a {target}, up to ε = {largest:g}."
            if path.reaches is None
            else f"It is taken for a {target} from ε = {path.reaches:.3f}."
        )
    return " ".join(sentences)


def main() -> None:
    """The page."""
    start_from_address("epsilon", parse=epsilon_in, default=0.0)
    st.markdown("#### Draw a digit, turn up ε, watch it flip")
    left, right = st.columns([1, 2], gap="large")
    with left:
        subject = choose_subject()
        label_place, seen_place = st.container(), st.container()

    with right:
        attack, wanted, chosen = choose_attack()
        if subject is None:
            st.info(
                "Draw a digit from 0 to 9 on the black square, or take a test digit or a picture. "
                "What the network sees in it, and how to make it see another, appears here.",
                icon="✍️",
            )
            return
        if chosen is None:
            return
        network_id, network = chosen

    prediction = int(network.logits(subject.x).argmax())
    with label_place:
        label = choose_label(subject, prediction)
    with right:
        target = wanted
        if target == label:
            st.caption(f"It is meant to be a {label} already, so the attack is towards any other digit.")
            target = None
        path, noisy = follow(
            network, network_id, ATTACK_NAMES[attack], subject.x.tobytes(), label, target
        )
        sentence = sentence_on(path, noisy, attack=attack, label=label, target=target)
        epsilon = epsilon_explorer(
            path, label=label, sentence=sentence, start=st.session_state["epsilon"], key="explorer"
        )
        st.session_state["epsilon"] = epsilon
        put_in_address({"epsilon": f"{epsilon:.3f}"})

        chart = st.expander("The whole path as a chart", key="chart", on_change="rerun")
        if chart.open:
            chart.plotly_chart(
                probabilities_along(path, epsilon=epsilon), config={"displayModeBar": False}
            )
    with seen_place:
        show_what_the_network_sees(subject)


main()
