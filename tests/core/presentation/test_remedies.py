import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation import seeds
from core.evaluation.robustness import EPSILONS, Robustness
from core.presentation import remedies
from core.presentation.remedies import (
    BASELINE,
    NO_DIFFERENCE,
    REMEDIES,
    TOO_LARGE,
    TOO_SMALL,
    VERDICTS,
    Chance,
    Remedy,
    chance,
)
from core.recipe import PRESETS

DROPOUT = next(remedy for remedy in REMEDIES if remedy.preset == "dropout")
TRANSFER = next(remedy for remedy in REMEDIES if remedy.preset == "transfer")


def robustness(clean: float, fgsm: float, pgd: float) -> Robustness:
    """The same evasion rate at every budget but 0."""
    rates = {"fgsm": (1 - clean, *[fgsm] * 12), "pgd": (1 - clean, *[pgd] * 12)}
    return Robustness(10_000, clean, EPSILONS, rates, (clean,) * 10, (0.4,) * 10)


@pytest.fixture(autouse=True, scope="module")
def fixed_chance() -> Iterator[None]:
    """The thresholds that the numbers in these tests are chosen for."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(remedies, "chance", lambda: Chance(0.004, 0.05, 0.05))
        yield


OTHER = robustness(0.95, fgsm=0.5, pgd=0.7)


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.preset)
def test_a_remedy_is_a_preset_and_explained_in_two_sentences(remedy: Remedy) -> None:
    assert remedy.preset in PRESETS
    assert remedy.compared_with in PRESETS
    assert len(re.findall(r"\.( |$)", remedy.mechanism)) == 2
    assert remedy.paper and not remedy.paper.endswith(".")
    assert (remedy.expectation == remedies.NOT_NAMED) == (
        PRESETS[remedy.preset].adversary != "none"
    )


def test_each_remedy_of_the_report_is_there_once() -> None:
    own = [remedy.preset for remedy in REMEDIES]
    assert len(set(own)) == len(own)
    assert set(own) == set(PRESETS) - {"report", "few-images", "first-digits", "any-hand"}


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
        ((0.97, 0.7, 0.9), (1, -1)),
        ((0.95, 0.3, 0.4), (0, 1)),
        ((0.95, 0.7, 0.9), (0, -1)),
        ((0.90, 0.3, 0.4), (-1, 1)),
        ((0.90, 0.5, 0.7), (-1, 0)),
        ((0.90, 0.7, 0.9), (-1, -1)),
        ((0.95, 0.3, 0.7), (0, 0)),  # PGD undoes what FGSM gained
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
def test_a_verdict_names_robustness_as_pgd_has_it(
    own: tuple[int, int, int], other: tuple[int, int, int], epsilon: float
) -> None:
    ours, theirs = (robustness(*(count / 1000 for count in each)) for each in (own, other))
    said = remedies.verdict(ours, theirs, epsilon=epsilon)
    if said in (TOO_LARGE, TOO_SMALL):
        assert abs(own[2] - other[2]) <= 1000 * 0.05
        assert min(own[2], other[2]) > 900 or max(own[2], other[2]) < 100
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


def test_chance_is_what_the_seeds_differ_by(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = [robustness(0.9773, 0.5, 0.612), robustness(0.9819, 0.45, 0.7)]
    monkeypatch.setattr(remedies, "read_cache", lambda path: dict(enumerate(networks)))
    assert chance.__wrapped__() == (0.005, 0.05, 0.088)  # differences of the shares as shown


@pytest.mark.parametrize("content", [None, "{"])
def test_without_a_measurement_of_the_seeds_four_of_them_decide(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, "PATH", tmp_path / "seeds.json")
    if content:
        seeds.PATH.write_text(content)
    assert chance.__wrapped__() == (0.004, 0.05, 0.05)


def test_a_finding_gives_its_numbers_and_their_denominator() -> None:
    said = remedies.finding(
        DROPOUT,
        robustness(0.9712, fgsm=0.4321, pgd=0.6789),
        OTHER,
        epsilon=0.1,
        seconds=50,
        other_seconds=20,
    )
    numbers = re.findall(r"\d[\d.,]*\d|\d", said)
    assert numbers == [
        "97.1",
        "10,000",
        "95.0",
        "0.1",
        "43.2",
        "10,000",
        "67.9",
        "50.0",
        "70.0",
        "50",
        "2.5",
    ]


def test_a_finding_does_without_what_nobody_timed_and_names_its_own_yardstick() -> None:
    said = remedies.finding(TRANSFER, OTHER, OTHER, epsilon=0.2, seconds=3)
    assert said.startswith(NO_DIFFERENCE)
    assert "few-images classifies 95.0" in said
    numbers = re.findall(r"\d[\d.,]*\d|\d", said)
    assert " ".join(numbers) == "95.0 10,000 95.0 0.2 50.0 10,000 70.0 50.0 70.0"


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
    monkeypatch.setattr(remedies, "chance", lambda: Chance(0.004, 0.05, 0.088))
    assert re.findall(r"\d+\.\d", remedies.on_chance()) == ["0.4", "5.0", "8.8"]
