import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.attacks import METHODS, deepfool, fgsm
from core.attacks.method import BudgetMethod
from core.classifier import Classifier, FloatArray
from core.data.mnist import Digits
from core.evaluation.transfer import transfer
from core.measures import SCREEN, l2_norm, predict
from core.serving.evaluations import indices
from core.serving.jobs import DONE, Computation
from core.serving.networks import ServedNetwork
from core.serving.questions import ALL
from core.serving.server import Server
from core.serving.transfers import TransferQuestion, Transfers
from core.serving.turns import Turns
from core.serving.visitors import Visitor
from tests.core.serving.test_evaluations import LONG, until


@pytest.fixture
def transfers(test_digits: Digits) -> Transfers:
    return Transfers(lambda split: test_digits, Turns(2), Turns())


@pytest.fixture
def pair() -> tuple[ServedNetwork, ...]:
    """Two networks, as a server holds them."""
    server = Server()
    return tuple(server.network(name) for name in ("report", "few-images"))


def noted(calls: list[int], wait: Callable[[int], object] = lambda images: None) -> BudgetMethod:
    """Return FGSM that notes how many images each call gets, and may wait."""

    def attack(classifier: Classifier, x: Any, y: Any, epsilon: Any, **more: Any) -> FloatArray:
        calls.append(len(x))
        wait(len(x))
        return fgsm(classifier, x, y, epsilon, **more)

    return BudgetMethod(
        name="noted", title="", norm="linf", summary="", attack=attack, cost="one step"
    )


def test_a_sample_is_shown_until_all_images_are_there(
    transfers: Transfers, pair: tuple[ServedNetwork, ...], test_digits: Digits
) -> None:
    go_on = threading.Event()
    held = noted([], lambda images: go_on.wait(LONG) if images > 1000 else None)
    question = TransferQuestion(pair, held, 0.1)

    def shown(stopped: bool = False) -> tuple[Any, dict[int, Computation]] | None:
        progress, to_come = transfers.to_show(question, stopped=stopped)
        return (progress.result, to_come) if progress.ended else None

    sample, to_come = until(shown)
    assert (sample.of, set(to_come)) == (1000, {ALL})
    some = indices(1000)
    x, y = test_digits.x[some], test_digits.y[some]
    direct = transfer(
        [each.network for each in pair],
        question.attack,
        x,
        y,
        control=question.control,
        levels=SCREEN,
    )
    np.testing.assert_array_equal(sample.found.fooled, direct.fooled)
    stopped, nothing = until(lambda: shown(stopped=True))
    assert (stopped.of, nothing) == (1000, {})
    for row in sample.found.examples:
        for column, cell in enumerate(row):
            numbers = sample.numbers(cell)
            np.testing.assert_array_equal(numbers, some[cell.places])
            network = pair[column].network
            np.testing.assert_array_equal(
                predict(network, test_digits.x[numbers]), test_digits.y[numbers]
            )
            np.testing.assert_array_equal(predict(network, cell.x_adv), cell.after)
    go_on.set()
    assert to_come[ALL].look(wait=LONG).result.of == ALL
    progress, to_come = transfers.to_show(question, stopped=False)
    assert (progress.result.found.images, to_come) == (ALL, {})


def test_it_is_computed_once_for_all_who_ask_in_whatever_order(
    transfers: Transfers, pair: tuple[ServedNetwork, ...]
) -> None:
    calls: list[int] = []
    question = TransferQuestion(pair, noted(calls), 0.1, who=Visitor("one", "tab"), images=300)
    mine = transfers.transfer(question).look(wait=LONG)
    other = replace(question, chosen=pair[::-1], who=Visitor("two", "tab"))
    yours = transfers.transfer(other).look(wait=LONG)
    assert (mine.state, yours.state, calls) == (DONE, DONE, [300, 300])
    np.testing.assert_array_equal(
        mine.result.found.rates[:2, :2], yours.result.found.rates[1::-1, ::-1]
    )
    np.testing.assert_array_equal(mine.result.found.right, yours.result.found.right[::-1])


def test_everything_that_decides_the_answer_is_in_the_key(pair: tuple[ServedNetwork, ...]) -> None:
    question = TransferQuestion(pair, METHODS["fgsm"], 0.1)
    newer = ServedNetwork(pair[0].name, pair[0].version + 1, pair[0].network, pair[0].card)
    others = (
        replace(question, chosen=pair[:1]),
        replace(question, chosen=(newer, pair[1])),
        replace(question, method=METHODS["pgd"]),
        replace(question, budget=0.2),
        replace(question, target=3),
        question.sample,
    )
    assert len({each.key for each in (question, *others)}) == 7
    assert replace(question, who="somebody").key == question.key


def test_slow_attacks_get_fewer_images_and_can_be_stopped_often(
    transfers: Transfers, pair: tuple[ServedNetwork, ...]
) -> None:
    fast, slow = (TransferQuestion(pair, METHODS[name], 0.1) for name in ("pgd", "strongest"))
    minimal = TransferQuestion(pair, METHODS["deepfool"], 1.0)
    assert (fast.of, fast.sample.of) == (ALL, 1000)
    assert (slow.of, slow.sample.of) == (minimal.of, minimal.sample.of) == (1000, 100)
    assert not (fast.is_quick or slow.is_quick)
    assert fast.sample.is_quick and slow.sample.is_quick
    assert slow.at_once < fast.at_once < TransferQuestion(pair, METHODS["fgsm"], 0.1).at_once
    calls: list[int] = []
    long = replace(noted(calls), cost="slow")
    done = transfers.transfer(TransferQuestion(pair, long, 0.1).sample).look(wait=LONG)
    assert done.state == DONE
    assert calls == [50] * 4


def test_a_minimal_attack_stays_within_the_budget_and_so_does_its_control(
    transfers: Transfers, pair: tuple[ServedNetwork, ...], test_digits: Digits
) -> None:
    question = TransferQuestion(pair, METHODS["deepfool"], 1.2)
    some = indices(100)
    x, y = test_digits.x[some], test_digits.y[some]
    made = question.attack(pair[0].network, x, y, None)
    found = deepfool(pair[0].network, x, y)
    near = l2_norm(x, found) <= 1.2
    assert near.any() and not near.all()
    np.testing.assert_array_equal(made, np.where(near[:, None], found, x))
    assert l2_norm(x, question.control(pair[0].network, x, y, None)).max() <= 1.2 + 1e-5
    answer = transfers.transfer(question.sample).look(wait=LONG).result
    assert answer.found.fooled[0, 1] <= answer.found.fooled[0, 0]


def test_who_stops_gets_the_sample_and_others_their_answer(
    transfers: Transfers, pair: tuple[ServedNetwork, ...]
) -> None:
    go_on = threading.Event()
    held = noted([], lambda images: go_on.wait(LONG) if images > 1000 else None)
    mine = TransferQuestion(pair, held, 0.1, who=Visitor("one", "tab"))
    yours = replace(mine, who=Visitor("two", "tab"))
    whole, of_yours = transfers.transfer(mine), transfers.transfer(yours)
    assert not whole.look().ended and not of_yours.look().ended
    whole.leave()
    go_on.set()
    assert of_yours.look(wait=LONG).result.of == ALL


def test_a_target_is_handed_on(
    transfers: Transfers, pair: tuple[ServedNetwork, ...], test_digits: Digits
) -> None:
    question = TransferQuestion(pair, METHODS["fgsm"], 0.2, target=8, images=400)
    found = transfers.transfer(question).look(wait=LONG).result.found
    assert found.images == (test_digits.y[indices(400)] != 8).sum()
    assert (found.examples[0][0].after == 8).all()
    assert found.fooled[0, 0] > 0


def test_a_server_has_one_object_for_all() -> None:
    server = Server()
    assert server.transfers is server.transfers
