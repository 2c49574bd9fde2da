"""Remedies: what each of them really buys, measured."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import streamlit as st

from core.attacks import BY_TITLE, METHODS
from core.data import mnist
from core.evaluation.robustness import EPSILONS, MEASURED_ATTACKS, ONE_IN, STRONGEST, Robustness
from core.evaluation.shipped import MeasuredFileError
from core.networks import NetworkFileError, shown_name
from core.presentation import remedies
from core.presentation.charts import accuracy_of_each_digit
from core.presentation.evasion import LEGIBLE_BANDS, LEGIBLE_LINES, evasion_over_epsilon
from core.presentation.remedies import BASELINE, BY_PRESET, REMEDIES
from core.presentation.words import in_percent, on_networks, percent, points
from core.recipe import PRESETS
from core.serving.jobs import FAILED
from core.serving.networks import ServedNetwork
from core.serving.questions import ALL
from pages.parts.address import listed, nearest_of, one_of, put_in_address, some_of
from pages.parts.digit_images import show_images
from pages.parts.escaped import escaped, with_code
from pages.parts.networks import network_names
from pages.parts.remedy_table import show_values
from pages.parts.server import server, who
from pages.parts.state import AGAINST, BUDGET, MODEL, NETWORKS
from pages.parts.waiting import show_waiting

STANDARD = shown_name(BASELINE)
BUDGETS = EPSILONS[1:]  # at 0 nothing is attacked
ATTACK_TITLES = [METHODS[name].title for name in MEASURED_ATTACKS]
EXPLANATION = """
The course report recommends a number of remedies for robustness and tries none. Here each of them
was tried. A network was trained by the standard recipe, the report's, with that one change. Then
test images were attacked by an attacker who knows everything about the network.

- **Accuracy** is the share of all test images that are classified correctly without an attack.
- The **evasion rate** is the share of the attacked images that are misclassified under an attack
  that may move each pixel by ε. Images that were misclassified before the attack count too, and so
  do those that are misclassified within a smaller ε. Every tenth test image was attacked.
- **Strongest** is the worst of many attacks, FGSM and PGD among them: an image counts as fooled if
  one of them fools it. A network that withstands FGSM or PGD alone is not robust, so the findings
  compare networks under the strongest.
- **Proved** is the share of the same images that are classified correctly, and that no attack can
  fool within ε: bounds of the logits (CROWN, Zhang and others, 2018) show it. **Between** are the
  images that no attack here fools and no proof covers.
- {on_chance}. Networks that are fooled half of the time differ most by chance, so the findings
  compare two networks with networks that are fooled as often.
- *transfer* learned from few images only. It is compared with *few-images*, which learned from the
  same images. All others are compared with *standard*.
"""
MIRRORED = """
The report counts **flipping**, that is mirroring, among the augmentations. A mirrored cat is still
a cat, but most mirrored digits are no digits: only 0, 1 and 8 stay what they are. Training on
mirrored digits teaches the network that a mirrored 2 is a 2, and it spends weights on shapes that
nobody writes. This is why *augmentation* rotates, shifts and scales, but does not mirror. The
pictures show the first test image of each digit, mirrored, and what *standard* takes it for:
"""
TRANSFER = """
*transfer* starts from *first-digits*, a network that has learned the digits 0 to 4 from all their
training images. It keeps that network's first layer and learns all ten digits from few images. The
images and the time that *first-digits* needed are not counted here.
"""


def main() -> None:
    """Show the page."""
    st.markdown("# What each remedy really buys")
    names = network_names()
    if not names:
        return
    chosen, epsilon = choose(names)
    beside = [compared_with(name) for name in chosen]
    wanted = [*chosen, *beside, BASELINE, "transfer", "few-images"]
    networks, known = read_all([name for name in names if name in wanted])
    chosen = [name for name in chosen if name in networks]
    try:
        accuracies = {name: server().measurements.accuracy(each) for name, each in networks.items()}
    except mnist.DataFileError as error:
        st.error(with_code(str(error)))
        return
    if chosen:
        show_table(chosen, networks, accuracies, known, epsilon)
        measuring_place = st.container()
        if measured := {name: known[name] for name in chosen if name in known}:
            show_chart(measured, epsilon)
        show_findings(chosen, networks, known, epsilon)
    else:
        st.info("Choose at least one network to see what was measured.")
    if BASELINE in networks:
        try:
            show_flipping(networks[BASELINE], accuracies[BASELINE])
        except mnist.DataFileError as error:
            st.error(with_code(str(error)))
    if {"transfer", "few-images"} <= set(networks):
        show_transfer(networks["transfer"], accuracies)
    if chosen:
        with measuring_place:
            show_measuring([networks[name] for name in chosen if name not in known])


def choose(names: list[str]) -> tuple[list[str], float]:
    """Show the widgets that decide what is compared, and at which ε; return both."""
    default = [name for name in remedies.presets() if name in names]
    NETWORKS.start(parse=some_of(names), default=default)
    BUDGET.start(parse=nearest_of(BUDGETS), default=0.1)
    AGAINST.start(parse=one_of(ATTACK_TITLES), default=METHODS[STRONGEST].title)
    # Somebody may have deleted one in the meantime.
    NETWORKS.set([name for name in NETWORKS.get() if name in names])
    left, right = st.columns([3, 1], gap="large")
    with left:
        chosen = st.multiselect(
            "Networks",
            names,
            format_func=shown_name,
            key=NETWORKS.key,
            persist_state="session",
            help=on_networks(names),
        )
    with right:
        epsilon = st.select_slider(
            "ε, how far each pixel may move", BUDGETS, key=BUDGET.key, persist_state="session"
        )
    put_in_address(
        {
            NETWORKS: None if chosen == default else listed(chosen),
            BUDGET: f"{epsilon:g}",
            AGAINST: AGAINST.get(),
        }
    )
    return chosen, epsilon


def compared_with(name: str) -> str:
    """Return the name of the network that one is compared with."""
    return BY_PRESET[name].compared_with if name in BY_PRESET else BASELINE


def read_all(names: list[str]) -> tuple[dict[str, ServedNetwork], dict[str, Robustness]]:
    """Return the networks that can be used, and what is known of them; show each error once."""
    networks, known, errors = {}, {}, set()
    for name in names:
        try:
            networks[name] = server().network(name)
            if found := server().measurements.known_robustness(networks[name]):
                known[name] = found
        except (NetworkFileError, MeasuredFileError) as error:
            errors.add(str(error))
    for text in sorted(errors):
        st.error(with_code(text))
    return networks, known


def show_table(
    chosen: list[str],
    networks: Mapping[str, ServedNetwork],
    accuracies: Mapping[str, float],
    known: Mapping[str, Robustness],
    epsilon: float,
) -> None:
    """Show what is known about each network: in rows that can be sorted, on a phone in cards."""
    fgsm, pgd, strongest = (
        {name: each.evasion_rate(attack, epsilon) for name, each in known.items()}
        for attack in MEASURED_ATTACKS
    )
    proved = {name: each.proved(epsilon) for name, each in known.items()}
    band = {name: each.band(epsilon) for name, each in known.items()}
    values: dict[str, Sequence[Any]] = {
        "network": [shown_name(name) for name in chosen],
        "accuracy": known_in_percent(accuracies, chosen),
        "accuracy_gain": beyond_baseline(accuracies, chosen),
        "fgsm": known_in_percent(fgsm, chosen),
        "pgd": known_in_percent(pgd, chosen),
        "strongest": known_in_percent(strongest, chosen),
        "strongest_gain": beyond_baseline(strongest, chosen),
        "band": known_in_percent(band, chosen),
        "proved": known_in_percent(proved, chosen),
        "found": [short_finding(name, known, epsilon) for name in chosen],
        "expected": [BY_PRESET[name].expectation if name in BY_PRESET else None for name in chosen],
        "seconds": [whole_seconds(networks[name].card.train_seconds) for name in chosen],
        "draw": [f"./?{MODEL.key}={quote(name)}" for name in chosen],
    }
    show_values(values, epsilon)
    st.caption(
        f"Accuracy: classified correctly / all {ALL:,} test images. FGSM, PGD, Strongest: the "
        f"evasion rate, misclassified under that attack at ε = {epsilon:g} / every tenth test "
        f"image, {ALL // ONE_IN:,} in all. Every rate of an attack is a lower bound: a better "
        "attack may fool more. Proved: no attack within ε fools them, whatever it does. Between: "
        "neither fooled nor proved. "
        f"±: percentage points above or below {STANDARD}; for Strongest, below is better. Found: "
        f"compared with {STANDARD}, transfer with few-images. Training: the time on the machine "
        f"that trained the network.\n\n{remedies.on_chance()}."
    )


def whole_seconds(seconds: float | None) -> int | None:
    """Return a time as it is shown: a browser would round 8.5 up, and Python rounds it down."""
    return None if seconds is None else round(seconds)


def known_in_percent(shares: Mapping[str, float | None], names: list[str]) -> list[float | None]:
    """Return each network's share in per cent, if it is known."""
    found = [shares.get(name) for name in names]
    return [None if share is None else in_percent(share) for share in found]


def beyond_baseline(shares: Mapping[str, float], names: list[str]) -> list[float | None]:
    """Return each network's share minus the baseline's in percentage points, if both are known."""
    if BASELINE not in shares:
        return [None] * len(names)
    return [
        points(shares[name], shares[BASELINE]) if name in shares and name != BASELINE else None
        for name in names
    ]


def short_finding(name: str, known: Mapping[str, Robustness], epsilon: float) -> str:
    """Return what was found about a network, in one sentence."""
    other = compared_with(name)
    if name == BASELINE:
        return "The others are compared with it."
    if others := [each.preset for each in REMEDIES if each.compared_with == name]:
        return f"For comparison with {', '.join(others)}."
    if name not in known or other not in known:
        return "Not measured yet."
    return remedies.verdict(known[name], known[other], epsilon=epsilon)


def show_measuring(missing: list[ServedNetwork]) -> None:
    """Show a button to measure what is missing, and the progress."""
    if not missing:
        st.session_state["measuring"] = False
        return

    def begin() -> None:
        st.session_state["measuring"] = True

    measuring = st.session_state.get("measuring", False)
    st.button(
        f"Measure {escaped(', '.join(shown_name(each.name) for each in missing))}",
        type="primary",
        on_click=begin,
        disabled=measuring,
        key="measure",
        help="Attack every tenth test image with FGSM, PGD and the strongest attack at every ε, "
        "and prove what no attack can do. A network like the standard one takes a minute or two, a "
        "larger one or an ensemble takes many.",
    )
    if not measuring:
        return
    waited_for = {}
    for each in missing:
        computation = server().measurements.robustness(each, who=who())
        progress = computation.look()
        if progress.state == FAILED:
            st.error(escaped(progress.error))
        else:
            waited_for[each.name] = computation
    if waited_for:
        show_waiting("Remedies", "Measuring", waited_for)


def show_chart(measured: Mapping[str, Robustness], epsilon: float) -> None:
    """Show the evasion rates over ε under one of the attacks."""
    st.markdown("## The more an attack may change, the more images it fools")
    st.segmented_control(
        "Attack", ATTACK_TITLES, required=True, key=AGAINST.key, persist_state="session"
    )
    title = AGAINST.get()
    st.plotly_chart(
        evasion_over_epsilon(
            {shown_name(name): each for name, each in measured.items()},
            attack=BY_TITLE[title].name,
            epsilon=epsilon,
            baseline=STANDARD,
            bands=True,
        ),
        config={"displayModeBar": False},
    )
    attacked = max(each.attacked for each in measured.values())
    said = f"Evasion rate, the share that is fooled: misclassified under {title} / {attacked:,}."
    if len(measured) > LEGIBLE_BANDS:
        said += f" Choose at most {LEGIBLE_BANDS} networks to see what is proved of them, too."
    elif any(each.certified is not None for each in measured.values()):
        said += " The thin line is the proof: no attack fools more."
    if len(measured) > LEGIBLE_LINES:
        said += f" Only the {LEGIBLE_LINES} lines that differ most from {STANDARD}'s are drawn."
        said += " Tap a name to show or hide its line."
    st.caption(said)


def show_findings(
    chosen: list[str],
    networks: Mapping[str, ServedNetwork],
    known: Mapping[str, Robustness],
    epsilon: float,
) -> None:
    """Show what each remedy is and what was found about it, in two columns."""
    st.markdown(f"## What was found, at ε = {epsilon:g}")
    found = [
        BY_PRESET[name]
        for name in chosen
        if name in BY_PRESET and {name, compared_with(name)} <= set(known)
    ]
    if not found:
        st.write("None of the chosen remedies has been measured yet.")
    for place, column in enumerate(st.columns(2, gap="large")):
        with column:
            for remedy in found[place::2]:
                said = remedies.finding(
                    remedy,
                    known[remedy.preset],
                    known[remedy.compared_with],
                    epsilon=epsilon,
                    seconds=networks[remedy.preset].card.train_seconds,
                    other_seconds=networks[remedy.compared_with].card.train_seconds,
                )
                st.markdown(f"**{remedy.title}** · {said}")
                st.caption(f"{remedy.mechanism} ({remedy.paper}.)")
    st.expander("How was this measured?").markdown(
        EXPLANATION.format(on_chance=remedies.on_chance())
    )


def show_flipping(baseline: ServedNetwork, accuracy: float) -> None:
    """Show ten mirrored digits, and how well mirrored digits are classified.

    Args:
        baseline: the network.
        accuracy: on all test images, in [0, 1].
    """
    st.markdown("## Mirroring: is a mirrored digit still a digit?")
    st.markdown(MIRRORED)
    found = server().measurements.mirrored(baseline)
    images = [
        (x, f"{digit}, read as {seen}")
        for digit, (x, seen) in enumerate(zip(found.x, found.seen, strict=True))
    ]
    for place, column in enumerate(st.columns(2)):
        with column:
            show_images(images[5 * place : 5 * place + 5])
    st.plotly_chart(
        accuracy_of_each_digit({"as they are": found.upright, "mirrored": found.flipped}),
        config={"displayModeBar": False},
    )
    st.caption(
        f"Accuracy: classified correctly / all test images of the digit. Of all {ALL:,} test "
        f"images, the network {STANDARD} classifies {percent(accuracy)} correctly as they are, and "
        f"{percent(found.accuracy)} mirrored."
    )


def show_transfer(transfer: ServedNetwork, accuracies: Mapping[str, float]) -> None:
    """Show what a start from a network that has learned some of the digits saves."""
    st.markdown("## What transfer saves")
    st.markdown(TRANSFER)
    learned = (transfer.card.recipe or PRESETS["transfer"]).training_images
    st.markdown(
        remedies.transfer_saves(
            accuracies["transfer"], accuracies["few-images"], learned=learned, tested=ALL
        )
    )


main()
