"""Proofs about single digits: shared, in turn, stopped when nobody looks, and never too large."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from core import bounds
from core.attacks import LINF, METHODS, MinimalMethod
from core.bounds import Proof, certified_epsilon, refine
from core.classifier import Classifier, FloatArray
from core.data.mnist import Digits
from core.evaluation import nearest as nearest_module
from core.evaluation.nearest import nearest_misread
from core.evaluation.path import follow
from core.measures import SCREEN, linf_norm, predict, rounded
from core.networks import MLP, Network, Sequential
from core.networks.layers import Activation, Affine, Layer
from core.serving.networks import ServedNetwork
from core.serving.proofs import (
    ATTACK,
    MOST_PRODUCTS,
    SEARCH,
    SECONDS,
    TOO_LARGE,
    UNASKED,
    Proofs,
    Standing,
    budget_of,
    limit,
    products,
    provable_budget,
)
from tests.conftest import SHIPPED, random_mlp

LONG = 600  # seconds that no test needs, unless something is broken
SCALED = [each for each in METHODS.values() if not isinstance(each, MinimalMethod)]
IN_LINF = [method for method in SCALED if method.scale is LINF]


def served(name: str) -> ServedNetwork:
    """A shipped network, as a server holds it."""
    return ServedNetwork(name, 1, *SHIPPED.load(name))


def of(network: Network) -> ServedNetwork:
    """A network as if it were a shipped one."""
    return ServedNetwork("made", 1, network, SHIPPED.load("report")[1])


@pytest.fixture(scope="module")
def report() -> ServedNetwork:
    return served("report")


class Ticking:
    """A clock that goes on by a second at each look; it stands still if the second is 0."""

    def __init__(self, second: float) -> None:
        self.second, self.now = second, 0.0

    def __call__(self) -> float:
        """The seconds so far."""
        self.now += self.second
        return self.now


def until(look: Callable[[], Standing], so: Callable[[Standing], Any]) -> Standing:
    """Look until it is so."""
    end = time.monotonic() + LONG
    while not so(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.01)
    return found


def proof(proofs: Proofs, chosen: ServedNetwork, x: FloatArray, who: object = None) -> Standing:
    """The first proof, once it is there."""
    return until(lambda: proofs.standing(chosen, x, who=who), lambda found: found.ended)


def test_the_first_proof_is_what_crown_proves_of_the_prediction(
    report: ServedNetwork, test_digits: Digits
) -> None:
    proofs, place = Proofs(), 8  # a 5 that is read as a 6: the proof is about the 6
    x = test_digits.x[place : place + 1]
    seen = predict(report.network, x)
    assert isinstance(report.network, MLP)
    (epsilon,) = certified_epsilon(report.network, x, seen)
    found = proof(proofs, report, x)
    assert found.proved is not None
    assert 0 < found.proved.epsilon == provable_budget(float(epsilon)) <= epsilon
    assert found.can_rise and not found.problem


def test_all_who_ask_share_a_proof(
    report: ServedNetwork, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved = []

    def counted(*args: Any, **more: Any) -> Any:
        proved.append(args)
        return certified_epsilon(*args, **more)

    monkeypatch.setattr(bounds, "certified_epsilon", counted)
    proofs = Proofs()
    standings = [proof(proofs, report, test_digits.x[:1], who=person) for person in range(5)]
    assert len(proved) == 1 and len(set(map(repr, standings))) == 1
    proof(proofs, report, test_digits.x[1:2])
    proof(proofs, served("dropout"), test_digits.x[:1])
    assert len(proved) == 3


@pytest.fixture
def forever() -> Iterator[Proofs]:
    """Proofs whose time never passes: a closer look ends where nobody looks."""
    proofs = Proofs(clock=Ticking(0))
    yield proofs
    for job in list(proofs._closer._jobs):
        proofs._closer.stop(job)


def test_a_better_proof_rises_until_its_time_is_up(
    report: ServedNetwork, test_digits: Digits
) -> None:
    x, seconds = test_digits.x[2:3], 40.0
    proofs = Proofs(seconds=seconds, clock=Ticking(1))
    first = proof(proofs, report, x).proved
    seen = [proofs.standing(report, x, who="A", closer=True)]
    while not seen[-1].ended:
        seen.append(proofs.standing(report, x, who="A"))
        time.sleep(0.01)
    proved = [each.proved for each in seen if each.proved]
    assert first is not None and all(each.proved for each in seen)
    assert (np.diff([each.epsilon for each in proved]) >= 0).all()
    assert (np.diff([min(each.found, 1) for each in proved]) <= 0).all()
    assert (np.diff([each.share for each in seen]) >= 0).all()
    last = seen[-1]
    assert last.proved is not None and last.proved.seconds == seconds
    assert last.proved.epsilon > 1.05 * first.epsilon
    assert not last.can_rise and last.share == 1
    assert proofs.standing(report, x, who="B") == last  # and everybody sees it


def test_the_strongest_attack_finds_a_smaller_change_than_fgsm(
    report: ServedNetwork, test_digits: Digits
) -> None:
    proofs, x = Proofs(seconds=40, clock=Ticking(1)), test_digits.x[:1]
    proof(proofs, report, x)
    proofs.standing(report, x, who="A", closer=True)
    known = proof(proofs, report, x, who="A").proved
    assert known is not None and known.attacked and known.finder
    flip = follow(report.network, METHODS["fgsm"], x, 7, levels=SCREEN).flip
    assert flip is not None and known.epsilon <= known.found < flip.epsilon
    *_, nearest = nearest_misread(report.network, x)
    assert nearest is not None
    assert known.found <= budget_of(nearest.levels) == pytest.approx((nearest.levels - 0.5) / 255)


def test_what_the_search_finds_is_a_flip_on_a_screen(
    test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, x, misread = served("adversarial-pgd"), test_digits.x[1:2], []

    def watched(*args: Any, **more: Any) -> Iterator[Proof]:
        for each in refine(*args, **more):
            misread.append(each.nearest)
            yield each

    def none(*args: Any, **more: Any) -> Iterator[None]:
        yield None

    monkeypatch.setattr(bounds, "refine", watched)
    monkeypatch.setattr(
        nearest_module, "nearest_misread", none
    )  # so that the search finds it by itself
    proofs = Proofs(clock=Ticking(0))
    proof(proofs, chosen, x)
    proofs.standing(chosen, x, who="A", closer=True)
    known = proof(proofs, chosen, x, who="A").proved  # until the two ends meet
    assert known is not None and known.epsilon <= known.found < 1.1 * known.epsilon
    label, flips = predict(chosen.network, x)[0], {}
    for image in (rounded(each[None], SCREEN) for each in misread if each is not None):
        if (seen := predict(chosen.network, image)[0]) != label:
            flips[linf_norm(x, image)[0]] = seen
    assert known.found == pytest.approx(min(flips) - 0.5 / 255)
    assert known.after in flips.values() and known.finder == SEARCH


def test_one_search_at_a_time_and_none_that_nobody_looks_at(
    report: ServedNetwork, test_digits: Digits, forever: Proofs
) -> None:
    images = [test_digits.x[place : place + 1] for place in (2, 4)]
    for image in images:
        proof(forever, report, image)

    def look(person: int, *, closer: bool = False) -> Standing:
        return forever.standing(report, images[person], who=person, closer=closer)

    look(0, closer=True)
    second = look(1, closer=True)
    assert not second.ended and second.ahead == 1
    assert second.proved == proof_of(forever, report, images[1])  # meanwhile the first one
    forever.leave(forever.key(report, images[0]), who=0)
    until(lambda: look(1), lambda now: now.ahead == 0)
    left = until(lambda: look(0), lambda now: now.ended)
    assert left.can_rise and not left.problem and left.proved is not None
    assert left.proved.epsilon >= proof_of(forever, report, images[0]).epsilon


def proof_of(proofs: Proofs, chosen: ServedNetwork, x: FloatArray) -> Any:
    """What the first proof proves."""
    return proofs._first.result(proofs.key(chosen, x))


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["ensemble", "any-hand"])
def test_a_closer_look_at_an_ensemble_is_the_attack_alone(name: str, test_digits: Digits) -> None:
    proofs, ensemble, x = Proofs(seconds=LONG), served(name), test_digits.x[:1]
    proofs.standing(ensemble, x, who="A", closer=True)  # any-hand has no proof unasked
    first = proof(proofs, ensemble, x).proved
    proofs.standing(ensemble, x, who="A", closer=True)
    known = proof(proofs, ensemble, x, who="A")
    assert first is not None and known.proved is not None and not known.can_rise
    assert known.proved.epsilon == first.epsilon > 0 and known.proved.seconds == 0
    assert known.proved.attacked and known.proved.finder == ATTACK
    assert first.epsilon < known.proved.found < 0.5 and known.proved.after not in (None, 7)


def test_an_attack_ends_when_its_time_is_up(report: ServedNetwork, test_digits: Digits) -> None:
    proofs, x = Proofs(seconds=2, clock=Ticking(1)), test_digits.x[:1]
    first = proof(proofs, report, x).proved
    proofs.standing(report, x, who="A", closer=True)
    known = proof(proofs, report, x, who="A")
    assert known.proved is not None and first is not None and not known.can_rise
    assert not known.proved.attacked  # some budgets, perhaps, and what was found then counts
    assert known.proved.seconds == 2 and first.epsilon <= known.proved.epsilon


def test_an_attack_ends_when_nobody_looks(
    test_digits: Digits, forever: Proofs, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, x = served("any-hand"), test_digits.x[:1]
    begun, looks = threading.Event(), []

    def until_stopped(network: Classifier, *args: Any, **more: Any) -> Iterator[None]:
        begun.set()
        while True:  # an attack without an end
            looks.append(network.vjp(x))
            yield from ()

    monkeypatch.setattr(nearest_module, "nearest_misread", until_stopped)
    forever.standing(chosen, x, who="A", closer=True)
    proof(forever, chosen, x, who="A")
    forever.standing(chosen, x, who="A", closer=True)
    assert begun.wait(LONG)
    (job,) = forever._closer._jobs.values()
    forever.leave(forever.key(chosen, x), who="A")
    assert job.over.wait(LONG)
    left = forever.standing(chosen, x, who="B")
    assert left.can_rise and left.proved is not None and looks


def test_a_network_that_is_too_large_is_not_even_tried(
    report: ServedNetwork, test_digits: Digits
) -> None:
    first, second = 784 * 128, 128 * 64
    assert products(report.network) == 2 * 64 * (first + second) + 10 * (first + second + 64 * 10)
    assert products(served("ensemble").network) > products(report.network)
    large = random_mlp((784, *(8 * [2048]), 10), seed=0, dtype=np.float32)
    assert products(large) > 100 * MOST_PRODUCTS
    proofs = Proofs()
    found = proofs.standing(of(large), test_digits.x[:1], who="A", closer=True)
    assert found == Standing(problem=TOO_LARGE)
    assert not proofs._first._jobs and not proofs._closer._jobs


def test_a_slow_proof_begins_when_somebody_asks(test_digits: Digits) -> None:
    proofs, chosen, x = Proofs(), served("any-hand"), test_digits.x[:1]
    assert UNASKED < products(chosen.network) < MOST_PRODUCTS
    assert proof(proofs, chosen, x) == Standing(can_rise=True)
    assert not proofs._first._jobs
    proofs.standing(chosen, x, who="A", closer=True)
    found = proof(proofs, chosen, x, who="B")
    assert found.proved is not None and found.proved.epsilon > 0 and found.can_rise


def test_a_network_of_layers_is_proved_and_attacked_but_not_searched(test_digits: Digits) -> None:
    """Its bound is CROWN's; after a closer look there is what an attack finds, too."""
    report = served("report").network
    assert isinstance(report, MLP)
    layers: list[Layer] = []
    for weight, bias in zip(report.weights, report.biases, strict=True):
        layers += [Affine(weight, bias), Activation()]
    chosen, x = of(Sequential(tuple(layers[:-1]))), test_digits.x[:1]
    proofs = Proofs(clock=Ticking(0.01))
    first = proof(proofs, chosen, x).proved
    (epsilon,) = certified_epsilon(report, x, predict(report, x))
    assert first is not None and first.epsilon == provable_budget(float(epsilon))
    proofs.standing(chosen, x, who="A", closer=True)
    last = proof(proofs, chosen, x, who="A")
    assert not last.problem and last.proved is not None
    assert last.proved.epsilon == first.epsilon < last.proved.found
    assert last.proved.finder in (ATTACK, "")


def test_weights_that_may_overflow_are_no_crash(test_digits: Digits) -> None:
    small = random_mlp((784, 20, 10), seed=0, dtype=np.float32)
    weights = tuple(np.float32(1e16) * weight for weight in small.weights)
    found = proof(Proofs(), of(MLP(weights, small.biases)), test_digits.x[:1])
    assert found.proved is None and found.problem.endswith(".") and "weights" in found.problem


def test_a_budget_below_a_proof_gives_no_more_levels_than_are_proved() -> None:
    rng = np.random.default_rng(0)
    for epsilon in [0.0, 1e-4, 1 / 510, 1 / 255, 0.1, 0.5, 1.0, *rng.random(200)]:
        budget = provable_budget(float(epsilon))
        assert epsilon - 1 / 510 - 1e-9 <= budget <= epsilon
        below = budget * rng.random(50)
        assert (np.round(255 * below) <= 255 * epsilon + 1e-9).all()


@pytest.mark.thorough
@pytest.mark.parametrize("name", SHIPPED.names())
def test_no_attack_flips_a_shipped_network_below_its_proof(name: str, test_digits: Digits) -> None:
    proofs, chosen, flips = Proofs(), served(name), 0
    slow = products(chosen.network) > UNASKED
    for x in test_digits.x[: 1 if slow else 4, None]:
        label = int(predict(chosen.network, x)[0])
        proofs.standing(chosen, x, who=None, closer=slow)
        found = proof(proofs, chosen, x).proved
        assert found is not None
        for method in IN_LINF:
            path = follow(chosen.network, method, x, label, levels=SCREEN)
            within = path.scale.budgets < found.epsilon
            assert (path.predictions[within] == label).all(), method.name
            if path.flip is not None:
                flips += 1
                assert path.flip.epsilon >= found.epsilon, method.name
    assert flips


def test_the_limit_is_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limit() == SECONDS
    monkeypatch.setenv("SMALL_CHANGE_PROOF_SECONDS", "3")
    assert limit() == 3
