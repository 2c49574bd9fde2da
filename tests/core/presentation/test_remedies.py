import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation import seeds
from core.evaluation.robustness import EPSILONS, MEASURED_ATTACKS, Robustness
from core.evaluation.seeds import Chance
from core.presentation import remedies
from core.presentation.remedies import (
    BASELINE,
    NO_DIFFERENCE,
    NOT_JUDGED,
    REMEDIES,
    TOO_LARGE,
    TOO_SMALL,
    VERDICTS,
    Remedy,
)
from core.recipe import PRESETS

MEASURED_CHANCE = remedies.chance  # whatever the tests put in its place
DROPOUT = next(remedy for remedy in REMEDIES if remedy.preset == "dropout")
TRANSFER = next(remedy for remedy in REMEDIES if remedy.preset == "transfer")


def robustness(
    clean: float, fgsm: float, strongest: float, pgd: float | None = None, proved: float = 0.0
) -> Robustness:
    """The same evasion rate at every budget but 0; PGD's is the strongest's if it is None."""
    shares = (fgsm, strongest if pgd is None else pgd, strongest)
    rates = {
        attack: (1 - clean, *[share] * 12)
        for attack, share in zip(MEASURED_ATTACKS, shares, strict=True)
    }
    certified = (clean, *[proved] * 12)
    return Robustness(10_000, clean, 1000, EPSILONS, rates, certified, (clean,) * 10, (0.4,) * 10)


def fixed(accuracy: float, most: float) -> Chance:
    """Chance that decides as much at every rate."""
    same = dict.fromkeys(MEASURED_ATTACKS, (most, most))
    return Chance(accuracy, dict.fromkeys(MEASURED_ATTACKS, (0.0, 1.0)), same)


@pytest.fixture(autouse=True, scope="module")
def fixed_chance() -> Iterator[None]:
    """The thresholds that the numbers in these tests are chosen for."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(remedies, "chance", lambda: fixed(0.4, 5.0))
        yield


OTHER = robustness(0.95, fgsm=0.5, strongest=0.7)


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.preset)
def test_a_remedy_is_a_preset_and_explained_in_two_sentences(remedy: Remedy) -> None:
    assert remedy.preset in PRESETS
    assert remedy.compared_with in PRESETS
    assert len(re.findall(r"\.( |$)", remedy.mechanism)) == 2
    assert remedy.paper and not remedy.paper.endswith(".")
    recipe = PRESETS[remedy.preset]
    assert (remedy.expectation == remedies.NOT_NAMED) == (
        recipe.adversary != "none" or bool(recipe.convolutions)
    )


def test_each_remedy_of_the_report_is_there_once() -> None:
    own = [remedy.preset for remedy in REMEDIES]
    assert len(set(own)) == len(own)
    assert set(own) == set(PRESETS) - {"report", "few-images", "first-digits", "any-hand"}


def test_a_convolutional_network_is_fooled_too_in_numbers() -> None:
    said = remedies.on_convolutions(robustness(0.99, 0.25, 0.6, 0.45), OTHER, epsilon=0.1)
    numbers = re.findall(r"[\d,.]*\d", said.replace("LeNet-5", ""))
    assert numbers == ["1.00", "10,000", "5.0", "0.1", "25.0", "45.0", "60.0", "1,000"] + [
        "50.0",
        "70.0",
        "70.0",
    ]
    perfect = remedies.on_convolutions(robustness(1, 0.25, 0.6), OTHER, epsilon=0.1)
    assert "standard more" in perfect


def test_transfer_is_set_beside_the_network_of_the_same_images() -> None:
    transfer, other = PRESETS["transfer"], PRESETS[TRANSFER.compared_with]
    assert transfer.training_images == other.training_images
    assert all(r.compared_with == BASELINE for r in REMEDIES if r is not TRANSFER)


def test_networks_to_compare_come_after_what_they_are_set_beside() -> None:
    names = remedies.presets()
    assert names[0] == "report"
    assert len(set(names)) == len(names)
    for remedy in REMEDIES:
        assert names.index(remedy.compared_with) < names.index(remedy.preset)


@pytest.mark.parametrize(
    ("own", "gains"),
    [
        ((0.97, 0.5, 0.7), (1, 0)),
        ((0.97, 0.3, 0.4), (1, 1)),
        ((0.97, 0.7, 0.85), (1, -1)),
        ((0.95, 0.3, 0.4), (0, 1)),
        ((0.95, 0.7, 0.9), (0, -1)),
        ((0.90, 0.3, 0.4), (-1, 1)),
        ((0.90, 0.5, 0.7), (-1, 0)),
        ((0.90, 0.7, 0.9), (-1, -1)),
        ((0.95, 0.3, 0.7), (0, 0)),  # the strongest undoes what FGSM gained
        ((0.95, 0.5, 0.7, 0.6), (0, 0)),  # and what PGD gained
    ],
)
def test_verdicts(own: tuple[float, float, float], gains: tuple[int, int]) -> None:
    assert remedies.verdict(robustness(*own), OTHER, epsilon=0.1) == VERDICTS[gains]


@pytest.mark.parametrize("own", [(0.95, 0.5, 0.7), (0.953, 0.46, 0.74), (0.954, 0.5, 0.7)])
def test_as_much_as_two_seeds_differ_is_no_difference(own: tuple[float, float, float]) -> None:
    assert remedies.verdict(robustness(*own), OTHER, epsilon=0.1) == NO_DIFFERENCE


@pytest.mark.parametrize(("rates", "said"), [((1.0, 0.96), TOO_LARGE), ((0.052, 0.072), TOO_SMALL)])
def test_where_an_attack_always_or_never_succeeds_nothing_is_said(
    rates: tuple[float, float], said: str
) -> None:
    own, other = (robustness(0.95, rate, rate) for rate in rates)
    assert remedies.verdict(own, other, epsilon=0.1) == said


@given(
    own=st.tuples(*[st.integers(0, 1000)] * 3),
    other=st.tuples(*[st.integers(0, 1000)] * 3),
    epsilon=st.sampled_from(EPSILONS[1:]),
)
def test_a_verdict_names_robustness_as_the_strongest_attack_has_it(
    own: tuple[int, int, int], other: tuple[int, int, int], epsilon: float
) -> None:
    ours, theirs = (robustness(*(count / 1000 for count in each)) for each in (own, other))
    said = remedies.verdict(ours, theirs, epsilon=epsilon)
    assert (said == TOO_LARGE) == (min(own[2], other[2]) > 900)
    assert (said == TOO_SMALL) == (max(own[2], other[2]) < 100)
    if said in (TOO_LARGE, TOO_SMALL):
        return
    gains = {sentence: gains for gains, sentence in VERDICTS.items()}.get(said, (0, 0))
    for gain, gained, same in (
        (gains[0], own[0] - other[0], 0.004),
        (gains[1], other[2] - own[2], 0.05),
    ):
        assert gain == (gained > 1000 * same) - (gained < -1000 * same)


@pytest.mark.parametrize(("epsilon", "said"), [(0.0, "above 0"), (0.11, "must be one of 0.0")])
def test_a_budget_at_which_nothing_was_found_is_a_sentence(epsilon: float, said: str) -> None:
    with pytest.raises(ValueError, match=f"^epsilon .*{said}"):
        remedies.verdict(OTHER, OTHER, epsilon=epsilon)


@pytest.mark.parametrize(("fooled", "gain"), [(0.25, 1), (0.65, 0)])
def test_where_chance_decides_less_a_smaller_difference_counts(fooled: float, gain: int) -> None:
    """Near 0 and 1, networks with different seeds hardly differ."""
    with pytest.MonkeyPatch.context() as patched:
        rates = dict.fromkeys(MEASURED_ATTACKS, (0.0, 0.3, 0.7, 1.0))
        differences = dict.fromkeys(MEASURED_ATTACKS, (0.0, 2.0, 9.0, 0.0))
        patched.setattr(remedies, "chance", lambda: Chance(0.4, rates, differences))
        own, other = (robustness(0.95, rate, rate) for rate in (fooled, fooled + 0.05))
        said = remedies.verdict(own, other, epsilon=0.1)
    assert said == (VERDICTS[0, 1] if gain else NO_DIFFERENCE)


@pytest.mark.parametrize("content", [None, "{"])
def test_without_a_measurement_of_the_seeds_nothing_is_judged(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, "PATH", tmp_path / "seeds.json")
    if content:
        seeds.PATH.write_text(content)
    monkeypatch.setattr(remedies, "chance", MEASURED_CHANCE.__wrapped__)
    assert remedies.chance() is None
    assert "core seeds" in remedies.on_chance()
    own = robustness(0.99, 0.1, 0.2)
    assert remedies.verdict(own, OTHER, epsilon=0.1) == NOT_JUDGED
    said = remedies.finding(DROPOUT, own, OTHER, epsilon=0.1)
    assert said.startswith(NOT_JUDGED) and "99.0" in said and "20.0" in said


def test_the_shipped_measurement_of_the_seeds_decides() -> None:
    assert MEASURED_CHANCE() == seeds.known_chance() is not None


def test_a_finding_gives_its_numbers_and_their_denominator() -> None:
    said = remedies.finding(
        DROPOUT,
        robustness(0.9712, fgsm=0.4321, pgd=0.6789, strongest=0.7012, proved=0.0456),
        OTHER,
        epsilon=0.1,
        seconds=50,
        other_seconds=20,
    )
    numbers = re.findall(r"\d[\d.,]*\d|\d", said)
    assert numbers == [
        *("97.1", "10,000", "95.0"),
        *("0.1", "43.2", "67.9", "70.1", "1,000", "50.0", "70.0", "70.0"),
        *("4.6", "25.3"),
        *("50", "2.5"),
    ]


@pytest.mark.parametrize(
    ("own", "named"),
    [
        ((0.95, 0.3, 0.7, 0.7), ["FGSM"]),
        ((0.95, 0.3, 0.7, 0.6), ["FGSM", "PGD"]),
        ((0.95, 0.3, 0.6, 0.6), []),
    ],
)
def test_what_only_weaker_attacks_show_is_said_to_be_undone(
    own: tuple[float, float, float, float], named: list[str]
) -> None:
    said = remedies.finding(DROPOUT, robustness(*own), OTHER, epsilon=0.1)
    (undone,) = re.findall(r"undoes the gain against ([\w ]+)\.", said) or [""]
    assert [name for name in ("FGSM", "PGD") if name in undone] == named


def test_a_finding_does_without_what_nobody_timed_and_names_its_own_yardstick() -> None:
    said = remedies.finding(TRANSFER, OTHER, OTHER, epsilon=0.2, seconds=3)
    assert said.startswith(NO_DIFFERENCE)
    assert "few-images classifies 95.0" in said
    numbers = re.findall(r"\d[\d.,]*\d|\d", said)
    assert " ".join(numbers) == (
        "95.0 10,000 95.0 0.2 50.0 70.0 70.0 1,000 50.0 70.0 70.0 0.0 30.0"
    )


@pytest.mark.parametrize(
    ("transfer", "scratch", "numbers"),
    [
        (0.9, 0.87, "500 87.0 10,000 90.0 1,000 300"),
        (0.87, 0.9, "500 90.0 10,000 87.0 1,300 300"),
        (0.9, 0.9, "500 90.0 10,000 90.0 1,000"),
    ],
)
def test_what_transfer_saves(transfer: float, scratch: float, numbers: str) -> None:
    said = remedies.transfer_saves(transfer, scratch, learned=500, tested=10_000)
    assert re.findall(r"\d[\d.,]*\d", said) == numbers.split()
    assert ("fewer" in said, "more" in said) == (transfer > scratch, transfer < scratch)


def test_the_rule_names_what_chance_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    among = Chance(0.4, {}, {"fgsm": (1.0, 5.0), "pgd": (8.8, 2.0), "strongest": (3.0, 9.1)})
    monkeypatch.setattr(remedies, "chance", lambda: among)
    assert re.findall(r"\d+\.\d", remedies.on_chance()) == ["0.4", "5.0", "8.8", "9.1"]
