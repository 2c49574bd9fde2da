import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from core.attacks import METHODS, fgsm, noise, strongest
from core.attacks.method import BudgetMethod
from core.bounds import certified
from core.classifier import Classifier, FloatArray
from core.data.mnist import Digits
from core.evaluation.robustness import EPSILONS, Robustness
from core.measures import accuracy, evasion_rate, rounded
from core.networks import Ensemble
from core.networks.mlp import MLP
from core.recipe import Recipe
from core.serving.evaluations import Evaluations, indices, noise_of_l2_norm
from core.serving.jobs import DONE, WAITING, Computation
from core.serving.measurements import Measurements
from core.serving.networks import ServedNetwork
from core.serving.questions import (
    ALL,
    BUDGETS,
    FEW_PROOFS,
    Curve,
    Question,
    can_be_followed,
    provable,
    searched,
    slack,
)
from core.serving.questions import shipped_curve as shipped
from core.serving.server import Server
from core.serving.turns import Place
from core.serving.visitors import Visitor
from tests.conftest import random_mlp

TEN = (0.98,) * 10  # shares, one a digit
KNOWN = Robustness(ALL, 0.98, 1000, (0.0, 0.1), {"pgd": (0.02, 0.5)}, (0.98, 0.2), TEN, TEN)
LONG = 600  # seconds that no test needs, unless something is broken


@pytest.fixture
def evaluations(test_digits: Digits) -> Evaluations:
    return Evaluations(lambda split: test_digits)


@pytest.fixture
def report() -> ServedNetwork:
    """The report's network, as a server holds it."""
    return Server().network("report")


def until(so: Callable[[], Any]) -> Any:
    """What `so` returns, once that counts as true."""
    end = time.monotonic() + LONG
    while not (found := so()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def test_a_sample_is_shown_until_all_images_are_there(
    evaluations: Evaluations, report: ServedNetwork, test_digits: Digits
) -> None:
    go_on = threading.Event()

    def held_up(classifier: Classifier, x: Any, y: Any, epsilon: Any, **more: Any) -> FloatArray:
        if len(x) > 500:
            go_on.wait(LONG)
        return fgsm(classifier, x, y, epsilon, **more)

    held = BudgetMethod(name="held", title="", norm="linf", summary="", attack=held_up)
    question = Question(report, held, ALL)

    def shown() -> tuple[Any, dict[int, Computation]] | None:
        progress, to_come = evaluations.evaluation_to_show(question, 0.1, stopped=False)
        assert set(to_come) == {ALL} if progress.ended else {ALL, 500}
        return (progress.result, to_come) if progress.ended else None

    sample, to_come = until(shown)
    chosen = indices(500)
    np.testing.assert_array_equal(sample.x, test_digits.x[chosen])
    x_adv = fgsm(report.network, sample.x, sample.y, 0.1)
    assert sample.evasion_rate == evasion_rate(report.network, x_adv, test_digits.y[chosen])
    stopped, nothing = until(lambda: evaluations.evaluation_to_show(question, 0.1, stopped=True))
    assert (stopped.result.images, nothing) == (500, {})
    go_on.set()
    assert to_come[ALL].look(wait=LONG).result.images == ALL
    progress, to_come = evaluations.evaluation_to_show(question, 0.1, stopped=False)
    assert (progress.result.images, to_come) == (ALL, {})


def test_forty_people_with_forty_questions_all_get_their_answers_in_turns(
    report: ServedNetwork, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Digits(test_digits.x[:600], test_digits.y[:600])
    monkeypatch.setattr("core.serving.evaluations.ORDER", np.arange(600))
    evaluations = Evaluations(lambda split: some)
    begun: list[tuple[int, float]] = []  # images of the first batch, and the budget
    go_on = threading.Event()

    def counted(classifier: Classifier, x: Any, y: Any, epsilon: Any, **more: Any) -> FloatArray:
        begun.append((len(x), float(epsilon)))
        return fgsm(classifier, x, y, epsilon, **more)

    for _ in range(2):
        evaluations.quick.submit(Place(lambda: go_on.wait(LONG), dict))
    method = BudgetMethod(name="counted", title="", norm="linf", summary="", attack=counted)
    budgets = [round(0.01 * number, 2) for number in range(1, 41)]

    def ask(budget: float) -> float:
        question = Question(report, method, ALL, who=Visitor(f"person {budget}", "tab"))

        def answer() -> Any:
            found, to_come = evaluations.evaluation_to_show(question, budget, stopped=False)
            return found.result if not to_come else None

        rate: float = until(answer).evasion_rate
        return rate

    with ThreadPoolExecutor(40) as people:
        answers = people.map(ask, budgets)
        until(lambda: len(evaluations.quick._places) == 2 * len(budgets))  # and all are held up
        go_on.set()
        rates = list(answers)
    x_adv = fgsm(report.network, some.x, some.y, budgets)
    expected = [evasion_rate(report.network, each, some.y) for each in x_adv]
    np.testing.assert_allclose(rates, expected, atol=1.5 / 600)  # an image at a boundary may differ
    samples, firsts, rests = (
        [budget for images, budget in begun if images == size] for size in (500, 512, 88)
    )
    # Each question is computed once, in batches of at most 512 images.
    assert sorted(samples) == sorted(firsts) == sorted(rests) == budgets
    assert len(begun) == 3 * len(budgets)
    # Everybody's first turn, which goes to the sample, comes before anybody's second one. There are
    # two threads, so the last sample may be begun and not noted yet.
    assert [images for images, _ in begun[: len(budgets) - 1]] == [500] * (len(budgets) - 1)


def test_a_person_s_newest_question_comes_first_and_others_have_their_turn_between(
    report: ServedNetwork, test_digits: Digits
) -> None:
    some = Digits(test_digits.x[:600], test_digits.y[:600])
    evaluations = Evaluations(lambda split: some)
    go_on, begun = threading.Event(), []

    def noted(classifier: Classifier, x: Any, y: Any, epsilon: Any, **more: Any) -> FloatArray:
        if len(x) == 512:
            begun.append(float(epsilon))
        return fgsm(classifier, x, y, epsilon, **more)

    method = BudgetMethod(
        name="noted", title="", norm="linf", summary="", attack=noted, cost="slow"
    )  # for slow attacks there is one thread
    evaluations.long.submit(Place(lambda: go_on.wait(LONG), dict))
    asked = []
    for budget, person in ((0.1, "me"), (0.2, "me"), (0.3, "me"), (0.4, "you"), (0.5, "you")):
        question = Question(report, method, ALL, who=person)
        asked.append(evaluations.evaluation(question, budget))
        asked[-1].look()
    go_on.set()
    assert [each.look(wait=LONG).state for each in asked] == [DONE] * 5
    assert begun == [0.3, 0.5, 0.2, 0.4, 0.1]


def test_an_attack_without_a_budget_runs_once_for_all_budgets(
    evaluations: Evaluations, report: ServedNetwork
) -> None:
    question = Question(report, METHODS["deepfool"], 100)
    rates = []
    for budget in (0.5, 1.5, np.inf):
        computation = evaluations.evaluation(question, budget)
        assert computation.key == question.key
        rates.append(computation.look(wait=LONG).result.evasion_rate)
    assert rates[0] < rates[1] < rates[2]
    curve = evaluations.curve(question, "l2").look(wait=LONG).result
    assert curve[5] == rates[0] and curve[15] == rates[1]


def test_the_first_curve_is_the_shipped_one_or_a_sample_s(
    evaluations: Evaluations, report: ServedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServedNetwork, "shipped", KNOWN)
    question = Question(report, METHODS["pgd"], ALL)
    first, to_come = evaluations.curve_to_show(question, "linf", stopped=True)
    assert first is not None and to_come is None
    assert (tuple(first.budgets), tuple(first.rates)) == ((0.0, 0.1), (0.02, 0.5))
    assert first.images == 1000
    assert shipped(replace(question, images=999)) is None
    noisy = Question(report, METHODS["noise"], 200)

    def curve() -> Any:
        return evaluations.curve_to_show(noisy, "linf", stopped=True)[0]

    assert until(curve).images == 200


@pytest.mark.thorough
def test_the_curve_of_a_slow_attack_is_of_each_image_s_smallest_budget(
    evaluations: Evaluations, report: ServedNetwork, test_digits: Digits
) -> None:
    question = Question(report, METHODS["strongest"], ALL)
    assert (question.sample.images, question.first_curve.images) == (100, 100)
    assert question.beside.images == 1000
    few = replace(question, images=30)
    rates = evaluations.curve(few, "linf").look(wait=LONG).result
    chosen = indices(30)
    x, y = test_digits.x[chosen], test_digits.y[chosen]
    assert (np.diff(rates) >= 0).all()
    for place in (0, 5, 10):
        x_adv = strongest(report.network, x, y, BUDGETS["linf"][place])
        expected = evasion_rate(report.network, x_adv, y)
        assert rates[place] == pytest.approx(expected, abs=1.01 / 30)


def test_a_curve_s_best_never_falls() -> None:
    curve = Curve(np.array([0, 0.1, 0.2, 0.3]), np.array([0.02, 0.97, 0.96, 0.98]), 100)
    assert curve.best.tolist() == [0.02, 0.97, 0.97, 0.98]


@pytest.mark.thorough
def test_proofs_of_a_sample_come_first(
    evaluations: Evaluations, report: ServedNetwork, test_digits: Digits
) -> None:
    go_on = threading.Event()
    evaluations.long.submit(Place(lambda: go_on.wait(LONG), dict))
    question = Question(report, METHODS["pgd"], ALL)

    def shown(*, stopped: bool = False) -> Any:
        return evaluations.proofs_to_show(question, 800, stopped=stopped)

    found, to_come = until(lambda: (both := shown())[0] and both)
    assert (found.images, to_come.look().state) == (FEW_PROOFS, WAITING)
    stopped, nothing = shown(stopped=True)
    assert (stopped.images, nothing) == (FEW_PROOFS, None)
    chosen = indices(FEW_PROOFS)
    safe = certified(report.network, test_digits.x[chosen], test_digits.y[chosen], 0.03)
    assert found.proved_share(0.03).tolist() == [safe.mean()]
    go_on.set()
    assert to_come.look(wait=LONG).result.images == 800
    found, nothing = shown()
    assert (found.images, nothing) == (800, None)


def test_a_network_that_is_too_large_is_not_proved(
    evaluations: Evaluations, report: ServedNetwork
) -> None:
    def served(*sizes: int, members: int = 1) -> ServedNetwork:
        networks = tuple(random_mlp((784, *sizes, 10), seed=seed) for seed in range(members))
        network = networks[0] if members == 1 else Ensemble(networks)
        return ServedNetwork("", 1, network, report.card)

    assert provable(report) == provable(served()) == ALL
    assert searched(report) == ALL and can_be_followed(report, METHODS["pgd"])
    assert searched(served(2048, 1024)) == 1000
    assert provable(served(128, 64, members=5)) == 1000
    assert provable(served(512, 256, members=2)) == FEW_PROOFS
    large = served(2048, 1024)
    assert provable(large) == 0
    question = Question(large, METHODS["pgd"], ALL)
    assert evaluations.proofs_to_show(question, ALL, stopped=False) == (None, None)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_rounding_carries_an_image_no_further_than_its_slack(norm: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (200, 784)) / 255
    change = rng.choice([-1, 1], x.shape) * rng.choice([0.6 / 255, 0.1], (200, 1))
    order = np.inf if norm == "linf" else 2
    before = np.linalg.norm(change, ord=order, axis=1)
    after = np.linalg.norm(rounded(np.clip(x + change, 0, 1), 256) - x, ord=order, axis=1)
    assert (after <= before + slack(norm, 256) + 1e-6).all()
    assert (after > before).any()
    assert slack(norm, None) == 0


def test_a_path_is_followed_once_for_all(
    evaluations: Evaluations, report: ServedNetwork, test_digits: Digits
) -> None:
    x = test_digits.x[:1]
    first = evaluations.path(report, METHODS["fgsm"], x, 7, None)
    assert first.flip is not None
    assert evaluations.path(report, METHODS["fgsm"], x.copy(), 7, None) is first
    assert evaluations.path(report, METHODS["fgsm"], x, 7, 3) is not first


def test_noise_in_the_l2_norm_is_as_large_as_the_budget() -> None:
    grey = np.full((5, 784), 0.5, np.float32)
    network = MLP((np.zeros((784, 10), np.float32),), (np.zeros(10, np.float32),))
    labels: ArrayLike = [0] * 5
    moved = noise_of_l2_norm(network, grey, labels, [1.4, 2.8])
    norms = np.linalg.norm(moved - grey, axis=2)
    np.testing.assert_allclose(norms, [[1.4] * 5, [2.8] * 5], rtol=1e-5)
    np.testing.assert_allclose(moved[1], noise(network, grey, labels, 0.1), atol=1e-6)


def test_robustness_is_measured_once_for_all_who_ask(
    report: ServedNetwork, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Digits(test_digits.x[:100], test_digits.y[:100])
    measurements = Measurements(lambda split: some)
    network = random_mlp((784, 10), seed=0, dtype=np.float32)
    mine = ServedNetwork("mine", 1, network, report.card)
    assert measurements.known_robustness(mine) is None
    clean = accuracy(network, some.x, some.y)
    assert measurements.accuracy(mine) == clean
    computations = [measurements.robustness(mine, who=who) for who in ("me", "you")]
    computations[0].look()
    computations[1].look()
    computations[0].leave()  # the other one still looks
    found = computations[1].look(wait=LONG)
    assert found.state == DONE
    assert found.result.clean_accuracy == clean
    assert found.result.images == 100
    assert measurements.known_robustness(replace(mine, name="renamed")) is found.result
    monkeypatch.setattr(ServedNetwork, "shipped", KNOWN)
    assert measurements.known_robustness(report) is KNOWN
    assert measurements.accuracy(report) == 0.98


def test_nobody_waits_behind_a_network_whose_owner_has_left(
    report: ServedNetwork, test_digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.evaluation.robustness.BATCH", 20)  # images of a block, of three here
    some = Digits(test_digits.x[:600], test_digits.y[:600])
    measurements = Measurements(lambda split: some)
    computed: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    class Held(MLP):
        def vjp(self, x: FloatArray) -> Any:
            begun.set()
            go_on.wait(LONG)
            computed.append(len(x))
            return super().vjp(x)

    large, small = (random_mlp((784, 10), seed=seed, dtype=np.float32) for seed in (1, 2))
    theirs, mine = (
        measurements.robustness(ServedNetwork("", 1, network, report.card), who=who)
        for who, network in (("them", Held(large.weights, large.biases)), ("me", small))
    )
    theirs.look()
    assert begun.wait(LONG)
    assert mine.look().ahead == 1
    theirs.leave()
    go_on.set()
    assert mine.look(wait=LONG).state == DONE
    assert sum(computed) <= 20 * (1 + 40 * len(EPSILONS))  # FGSM and PGD on the first block


def test_mirrored_digits(report: ServedNetwork, test_digits: Digits) -> None:
    measurements = Measurements(lambda split: test_digits)
    found = measurements.mirrored(report)
    fives = test_digits.x[test_digits.y == 5].reshape(-1, 28, 28)[:, :, ::-1].reshape(-1, 784)
    np.testing.assert_array_equal(found.x[5], fives[0])
    seen = report.network.logits(fives).argmax(axis=1)
    assert found.seen[5] == seen[0]
    assert found.flipped[5] == pytest.approx((seen == 5).mean(), abs=0.01)
    assert measurements.mirrored(report) is found


@pytest.mark.thorough
def test_the_report_is_measured_with_progress(report: ServedNetwork, test_digits: Digits) -> None:
    some = Digits(test_digits.x[:300], test_digits.y[:300])
    measurements = Measurements(lambda split: some)
    card = replace(report.card, recipe=Recipe())
    progress, computation = measurements.report_to_show(replace(report, card=card), who="me")
    assert 0 <= progress.share <= 1
    found = computation.look(wait=LONG)
    assert (found.state, found.share) == (DONE, 1.0)
    assert found.result.split.tested == 300


def test_a_server_reads_a_network_once(report: ServedNetwork) -> None:
    server = Server()
    assert server.network("report") is server.network("report")
    assert server.digits("test") is server.digits("test")


def test_images_are_rounded_before_they_are_judged_if_the_question_says_so(
    evaluations: Evaluations, report: ServedNetwork
) -> None:
    exact = Question(report, METHODS["pgd"], 100)
    rounded = replace(exact, levels=256)
    assert exact.key != rounded.key
    assert shipped(replace(rounded, images=ALL)) is None
    found, other = (
        evaluations.evaluation(each, 0.1).look(wait=LONG).result for each in (exact, rounded)
    )
    assert not np.array_equal(found.x_adv * 255, np.round(found.x_adv * 255))
    np.testing.assert_allclose(other.x_adv * 255, np.round(other.x_adv * 255), atol=1e-4)
    assert np.abs(other.x_adv - found.x_adv).max() <= 0.5 / 255 + 1e-6
