"""Remedies: what each of them really buys, measured."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.attacks import BY_TITLE, METHODS
from core.classifier import FloatArray, IntArray
from core.data import mnist
from core.data.mnist import Digits
from core.evaluation.robustness import (
    EPSILONS,
    MEASURED_ATTACKS,
    Robustness,
    RobustnessFileError,
    digest,
    measure,
    read_cache,
)
from core.measures import accuracy, predict
from core.networks import LIBRARY, Card, Network, NetworkFileError
from core.presentation import remedies
from core.presentation.charts import LEGIBLE_LINES, accuracy_of_each_digit, evasion_over_epsilon
from core.presentation.remedies import BASELINE, REMEDIES
from pages.parts.address import one_of, put_in_address, start_from_address
from pages.parts.digit_images import show_images
from pages.parts.networks import load, network_names
from pages.parts.subject import test_digits

BY_PRESET = {remedy.preset: remedy for remedy in REMEDIES}
YARDSTICKS = {remedy.compared_with for remedy in REMEDIES}
BUDGETS = EPSILONS[1:]  # at 0 nothing is attacked
ATTACK_TITLES = [METHODS[name].title for name in MEASURED_ATTACKS]
BETWEEN_NAMES = "~"  # no network's name has it
MAX_MEASURED = 200
EXPLANATION = f"""
The course report recommends a number of remedies for robustness and tries none. Here each has been
tried: the report's recipe with that one change, trained and then attacked on all test images, with
the attacker knowing everything about the network.

- **Accuracy** is the share of all test images that are read right without an attack.
- The **evasion rate** is the share of all test images that are misread under an attack that may
  move each pixel by ε, those included that were misread before.
- **PGD** is the stronger attack, and what holds against FGSM alone is no robustness. So PGD
  decides what is found.
- Train the same recipe with another seed, and accuracy differs by up to
  {100 * remedies.SAME_ACCURACY:g} points, the evasion rate by up to
  {100 * remedies.SAME_EVASION:g}. Less than that is no difference worth the name.
- *transfer* learned from few images only and is compared with *few-images*, which had the same
  ones; all others are compared with *report*.
"""
MIRRORED = """
The report counts **flipping** among the augmentations. A cat in the mirror is a cat; of the digits
only 0, 1 and 8 are sure to stay what they are. Who trains on mirrored digits teaches the network
that a mirrored 2 is a 2, and uses it up on shapes that nobody writes. So *augmentation* turns,
moves and scales, and leaves flipping out. What *report* makes of the first test digit of each kind:
"""
TRANSFER = """
*transfer* starts from *first-digits*, a network that has learned the digits 0 to 4 from all their
training images. It keeps that network's first layer; the rest learns all ten digits from few. What
*first-digits* had cost before, in images and in time, is not counted here.
"""


@dataclass(frozen=True, eq=False)
class Entry:
    """A network that has been read.

    Attributes:
        network: to attack.
        card: what is known of it.
        key: its digest.
        accuracy: on all test images, in [0, 1].
    """

    network: Network
    card: Card
    key: str
    accuracy: float


class Measurements:
    """What was measured since the server started, for all sessions; one network at a time."""

    def __init__(self) -> None:
        self._known: dict[str, Robustness] = {}
        self._alone = threading.Lock()

    def get(self, key: str) -> Robustness | None:
        """What is known of the network of a digest."""
        return self._known.get(key)

    def add(self, entry: Entry, test: Digits, on_progress: Callable[[int], object]) -> None:
        """Measure a network, unless another session has done so meanwhile."""
        with self._alone:
            if entry.key not in self._known:
                found = measure(entry.network, test, on_progress=on_progress)
                while len(self._known) >= MAX_MEASURED:
                    del self._known[next(iter(self._known))]
                self._known[entry.key] = found


def main() -> None:
    """The page."""
    st.markdown("#### What each remedy really buys")
    names = network_names()
    if not names:
        return
    chosen, epsilon = choose(names)
    try:
        test = test_digits()
    except mnist.DataFileError as error:
        st.error(str(error))
        return
    beside = [compared_with(name) for name in chosen]
    entries = read_all([*chosen, *beside, BASELINE, "transfer", "few-images"], names)
    chosen = [name for name in chosen if name in entries]
    known = look_up(entries)
    if chosen:
        show_table(chosen, entries, known, epsilon)
        measuring_place = st.container()
        if measured := {name: known[name] for name in chosen if name in known}:
            show_chart(measured, epsilon)
        show_findings(chosen, entries, known, epsilon)
    else:
        st.info("Choose a network, and what it is worth appears here.")
    if BASELINE in entries:
        show_flipping(entries[BASELINE], test)
    if {"transfer", "few-images"} <= set(entries):
        show_transfer(entries["transfer"], entries["few-images"], len(test))
    if chosen:  # last, so that the rest of the page is there while one waits
        with measuring_place:
            show_measuring({name: entries[name] for name in chosen if name not in known}, test)


def choose(names: list[str]) -> tuple[list[str], float]:
    """The widgets that decide what is compared, and at which ε."""
    default = [name for name in remedies.presets() if name in names]
    start_from_address("networks", parse=some_of(names), default=default)
    start_from_address("budget", parse=budget_in, default=0.1)
    start_from_address("against", parse=one_of(ATTACK_TITLES), default="PGD")
    # One that somebody has deleted meanwhile can't be chosen any more.
    st.session_state["networks"] = [name for name in st.session_state["networks"] if name in names]
    left, right = st.columns([3, 1], gap="large")
    with left:
        chosen = st.multiselect("Networks", names, key="networks", persist_state="session")
    with right:
        epsilon = st.select_slider(
            "ε, how far each pixel may move", BUDGETS, key="budget", persist_state="session"
        )
    put_in_address(
        {
            "networks": None if chosen == default else BETWEEN_NAMES.join(chosen),
            "budget": f"{epsilon:g}",
            "against": st.session_state["against"],
        }
    )
    return chosen, epsilon


def compared_with(name: str) -> str:
    """The network that one is set beside."""
    return BY_PRESET[name].compared_with if name in BY_PRESET else BASELINE


def read_all(wanted: list[str], names: list[str]) -> dict[str, Entry]:
    """Those of the wanted networks that there are; a sentence for each that can't be used."""
    entries = {}
    for name in dict.fromkeys(wanted):
        if name in names:
            try:
                entries[name] = read(name, LIBRARY.version(name))
            except NetworkFileError as error:
                st.error(str(error))
    return entries


@st.cache_resource(max_entries=60, show_spinner="Reading the networks …")
def read(name: str, version: int) -> Entry:
    """Read a network and measure its accuracy, once for all sessions while its file is the same."""
    chosen, test = load(name), test_digits()
    found = accuracy(chosen.network, test.x, test.y)
    return Entry(chosen.network, chosen.card, digest(chosen.network), found)


@st.cache_resource
def measurements() -> Measurements:
    """The one that all sessions share."""
    return Measurements()


def look_up(entries: Mapping[str, Entry]) -> dict[str, Robustness]:
    """What has been measured already, by the shipped file or since the server started."""
    try:
        shipped = read_cache()
    except RobustnessFileError as error:
        st.error(str(error))
        shipped = {}
    found = {
        name: shipped.get(entry.key) or measurements().get(entry.key)
        for name, entry in entries.items()
    }
    return {name: robustness for name, robustness in found.items() if robustness}


def show_table(
    chosen: list[str],
    entries: Mapping[str, Entry],
    known: Mapping[str, Robustness],
    epsilon: float,
) -> None:
    """A row for each network, with what is known of it."""
    accuracies = {name: entry.accuracy for name, entry in entries.items()}
    fgsm, pgd = (
        {name: each.evasion_rate(attack, epsilon) for name, each in known.items()}
        for attack in ("fgsm", "pgd")
    )
    columns = {
        "network": chosen,
        "accuracy": in_percent(accuracies, chosen),
        "accuracy_gain": beyond_baseline(accuracies, chosen),
        "fgsm": in_percent(fgsm, chosen),
        "pgd": in_percent(pgd, chosen),
        "pgd_gain": beyond_baseline(pgd, chosen),
        "found": [short_finding(name, known, epsilon) for name in chosen],
        "expected": [BY_PRESET[name].expectation if name in BY_PRESET else None for name in chosen],
        "seconds": [entries[name].card.train_seconds for name in chosen],
        "draw": [f"/?model={quote(name)}" for name in chosen],
    }
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    st.dataframe(
        columns,
        hide_index=True,
        height="content",
        placeholder="–",
        column_config={
            "network": text("Network", pinned=True, width=125),
            "accuracy": number("Accuracy", format="%.1f %%", width=75),
            "accuracy_gain": number("± report", format="%+.1f", width=70),
            "fgsm": number("FGSM", format="%.1f %%", width=70),
            "pgd": number("PGD", format="%.1f %%", width=70),
            "pgd_gain": number("± report", format="%+.1f", width=70),
            "found": text(f"Found, at ε = {epsilon:g}", width=325),
            "expected": text("The course report says", width=170),
            "seconds": number("Training", format="%.0f s", width=70),
            "draw": st.column_config.LinkColumn("Attack it", display_text="Draw", width=70),
        },
    )
    st.caption(
        "Accuracy: read right / all 10,000 test images. FGSM, PGD: evasion rate, misread under "
        f"that attack / all 10,000. ± report: percentage points above or below {BASELINE}; of "
        f"PGD's evasion rate, so that below is better. Found: beside {BASELINE}, "
        "of transfer beside few-images. Training: on the machine that did it."
    )


def in_percent(shares: Mapping[str, float], names: list[str]) -> list[float | None]:
    """Each network's share in per cent, where it is known."""
    return [100 * shares[name] if name in shares else None for name in names]


def beyond_baseline(shares: Mapping[str, float], names: list[str]) -> list[float | None]:
    """Each network's share less the baseline's in percentage points, where both are known."""
    if BASELINE not in shares:
        return [None] * len(names)
    gains = {name: share - shares[BASELINE] for name, share in shares.items() if name != BASELINE}
    return in_percent(gains, names)


def short_finding(name: str, known: Mapping[str, Robustness], epsilon: float) -> str:
    """What was found of a network, in one sentence."""
    other = compared_with(name)
    if name in YARDSTICKS:
        return "The yardstick for others."
    if name not in known or other not in known:
        return "Not measured yet."
    return remedies.verdict(known[name], known[other], epsilon=epsilon)


def show_measuring(missing: Mapping[str, Entry], test: Digits) -> None:
    """A button to measure what is missing, and how far that is; it goes on where it was."""
    if not missing:
        st.session_state["measuring"] = False
        return

    def begin() -> None:
        st.session_state["measuring"] = True

    st.button(
        f"Measure {', '.join(missing)}",
        type="primary",
        on_click=begin,
        disabled=st.session_state.get("measuring", False),
        key="measure",
        help="FGSM and PGD at every ε, on all 10,000 test images: some ten seconds a network, more "
        "for an ensemble.",
    )
    if st.session_state.get("measuring"):
        bar = st.progress(0.0)
        for name, entry in missing.items():
            measurements().add(entry, test, progress_on(bar, f"Measuring {name} …"))
        st.rerun()


def progress_on(bar: DeltaGenerator, text: str) -> Callable[[int], None]:
    """What is to be told how many more budgets are done; it moves the bar."""
    done = 0
    bar.progress(0.0, text)

    def tell(budgets: int) -> None:
        nonlocal done
        done += budgets
        bar.progress(done / len(EPSILONS), text)

    return tell


def show_chart(measured: Mapping[str, Robustness], epsilon: float) -> None:
    """The evasion rates over ε under one of the attacks."""
    st.markdown("##### The more an attack may change, the more it evades")
    st.segmented_control(
        "Attack", ATTACK_TITLES, required=True, key="against", persist_state="session"
    )
    attack = st.session_state["against"]
    st.plotly_chart(
        evasion_over_epsilon(
            measured, attack=BY_TITLE[attack].name, epsilon=epsilon, baseline=BASELINE
        ),
        config={"displayModeBar": False},
    )
    note = f" {LEGIBLE_LINES} lines are drawn, those that differ most from {BASELINE}'s; a tap on "
    note += "a name shows or hides its line."
    st.caption(
        f"Evasion rate: misread under {attack} / all 10,000 test images."
        + (note if len(measured) > LEGIBLE_LINES else "")
    )


def show_findings(
    chosen: list[str],
    entries: Mapping[str, Entry],
    known: Mapping[str, Robustness],
    epsilon: float,
) -> None:
    """What each remedy is and what was found of it, in two columns."""
    st.markdown(f"##### What was found, at ε = {epsilon:g}")
    found = [
        BY_PRESET[name]
        for name in chosen
        if name in BY_PRESET and {name, compared_with(name)} <= set(known)
    ]
    if not found:
        st.write("None of the remedies that are chosen has been measured yet.")
    for place, column in enumerate(st.columns(2, gap="large")):
        with column:
            for remedy in found[place::2]:
                said = remedies.finding(
                    remedy,
                    known[remedy.preset],
                    known[remedy.compared_with],
                    epsilon=epsilon,
                    seconds=entries[remedy.preset].card.train_seconds,
                    other_seconds=entries[remedy.compared_with].card.train_seconds,
                )
                st.markdown(f"**{remedy.title}** · {said}")
                st.caption(f"{remedy.mechanism} ({remedy.paper}.)")
    st.expander("How was this measured?").markdown(EXPLANATION)


def show_flipping(entry: Entry, test: Digits) -> None:
    """Ten mirrored digits, and how mirrored ones are read in general."""
    st.markdown("##### Flipping: is a mirrored digit still a digit?")
    st.markdown(MIRRORED)
    ten, seen, upright, flipped = read_mirrored(entry.key, entry, test)
    images = [
        (x.reshape(28, 28), f"{digit}, read as {prediction}")
        for digit, (x, prediction) in enumerate(zip(ten, seen, strict=True))
    ]
    for place, column in enumerate(st.columns(2)):
        with column:
            show_images(images[5 * place : 5 * place + 5])
    st.plotly_chart(
        accuracy_of_each_digit({"as they are": upright, "mirrored": flipped}),
        config={"displayModeBar": False},
    )
    shares = np.bincount(test.y, minlength=10) / len(test)
    st.caption(
        f"Read right, of each digit's test images. Of all {len(test):,}, {BASELINE} reads "
        f"{remedies.percent(entry.accuracy)} right as they are, and "
        f"{remedies.percent(float(shares @ flipped))} mirrored."
    )


@st.cache_resource(max_entries=20, show_spinner=False)
def read_mirrored(
    key: str, _entry: Entry, _test: Digits
) -> tuple[FloatArray, IntArray, FloatArray, FloatArray]:
    """Ten mirrored digits, what they are read as, and each digit's accuracy, upright and not."""
    x, y = remedies.mirrored(_test.x), _test.y
    ten = x[remedies.first_of_each(y)]
    return (
        ten,
        predict(_entry.network, ten),
        remedies.accuracy_by_digit(_entry.network, _test.x, y),
        remedies.accuracy_by_digit(_entry.network, x, y),
    )


def show_transfer(transfer: Entry, scratch: Entry, tested: int) -> None:
    """What a start from a network of other digits saves."""
    st.markdown("##### What transfer saves")
    st.markdown(TRANSFER)
    learned = transfer.card.recipe.training_images
    st.markdown(
        remedies.transfer_saves(transfer.accuracy, scratch.accuracy, learned=learned, tested=tested)
    )


def some_of(options: list[str]) -> Callable[[str], list[str]]:
    """A parser of several options, each taken once; raises ValueError where none is one."""

    def parse(text: str) -> list[str]:
        found = [name for name in dict.fromkeys(text.split(BETWEEN_NAMES)) if name in options]
        if not found:
            raise ValueError(text)
        return found

    return parse


def budget_in(text: str) -> float:
    """The nearest ε of the slider."""
    epsilon = float(text)
    if not np.isfinite(epsilon):
        raise ValueError(text)
    return min(BUDGETS, key=lambda budget: abs(budget - epsilon))


main()
