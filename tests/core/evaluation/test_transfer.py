import numpy as np
import pytest

from core.attacks import fgsm, noise
from core.classifier import Classifier, FloatArray, IntArray
from core.data.mnist import Digits
from core.evaluation.transfer import SHOWN, Transfer, transfer
from core.networks.mlp import MLP
from tests.conftest import SHIPPED, random_mlp

NAMES = ("report", "augmentation", "few-images")
EPSILON, NOISE = 0.12, 0.3


@pytest.fixture(scope="module")
def networks() -> list[MLP]:
    """Three networks in float64, so that no order of additions decides a prediction."""
    found = []
    for name in NAMES:
        network = SHIPPED.load(name)[0]
        assert isinstance(network, MLP)
        found.append(
            MLP(
                tuple(each.astype(np.float64) for each in network.weights),
                tuple(each.astype(np.float64) for each in network.biases),
            )
        )
    return found


def attack(
    classifier: Classifier, x: FloatArray, y: IntArray, target: IntArray | None
) -> FloatArray:
    return fgsm(classifier, x, y, EPSILON, target=target)


def control(
    classifier: Classifier, x: FloatArray, y: IntArray, target: IntArray | None
) -> FloatArray:
    return noise(classifier, x, y, NOISE)


def unchanged(
    classifier: Classifier, x: FloatArray, y: IntArray, target: IntArray | None
) -> FloatArray:
    return x


def seen(network: MLP, x: FloatArray) -> int:
    """Return the prediction of one image, computed independently of `core`."""
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        x = np.maximum(x @ weight + bias, 0)
    return int((x @ network.weights[-1] + network.biases[-1]).argmax())


def slow(
    networks: list[MLP], x: FloatArray, y: IntArray, *, target: int | None, levels: int | None
) -> tuple[list[list[int]], list[list[int]], list[list[list[int]]]]:
    """Return counted, fooled and the places of the fooled images of each cell, one at a time."""
    counted: list[list[int]] = []
    fooled: list[list[int]] = []
    places: list[list[list[int]]] = []
    for row in range(len(networks) + 1):
        counted.append([0] * len(networks))
        fooled.append([0] * len(networks))
        places.append([[] for _ in networks])
        for column, tried_on in enumerate(networks):
            for at, (image, label) in enumerate(zip(x, y, strict=True)):
                if label == target or seen(tried_on, image) != label:
                    continue
                if row == len(networks):
                    made = noise(tried_on, image[None], [label], NOISE)[0]
                elif seen(networks[row], image) != label:
                    continue
                else:
                    made = fgsm(networks[row], image[None], [label], EPSILON, target=target)[0]
                if levels is not None:
                    made = np.round(made * (levels - 1)) / (levels - 1)
                after = seen(tried_on, made)
                counted[-1][column] += 1
                if after == target if target is not None else after != label:
                    fooled[-1][column] += 1
                    places[-1][column].append(at)
    return counted, fooled, places


@pytest.mark.parametrize(("target", "levels"), [(None, None), (None, 16), (3, None)])
def test_counts_are_those_of_one_image_at_a_time(
    networks: list[MLP], test_digits: Digits, target: int | None, levels: int | None
) -> None:
    x, y = test_digits.x[:150].astype(np.float64), test_digits.y[:150]
    found = transfer(
        networks, attack, x, y, control=control, target=target, levels=levels, at_once=64
    )
    counted, fooled, places = slow(networks, x, y, target=target, levels=levels)
    assert found.images == (y != target).sum() if target is not None else len(y)
    np.testing.assert_array_equal(found.counted, counted)
    np.testing.assert_array_equal(found.fooled, fooled)
    np.testing.assert_allclose(found.rates, np.divide(fooled, counted))
    np.testing.assert_array_equal(found.right, np.diag(counted))
    assert 0 < found.fooled[0, 1] < found.fooled[0, 0]
    for row, cells in enumerate(found.examples):
        for column, cell in enumerate(cells):
            assert cell.places.tolist() == places[row][column][:SHOWN]
            maker = networks[column if row == len(networks) else row]
            assert cell.own.tolist() == [seen(maker, each) for each in cell.x_adv]
            assert cell.after.tolist() == [seen(networks[column], each) for each in cell.x_adv]
            largest = NOISE if row == len(networks) else EPSILON
            moved = np.abs(cell.x_adv - x[cell.places])
            assert moved.max(initial=0) <= largest + (0.5 / 15 if levels else 0) + 1e-9


def test_each_network_is_attacked_once_for_each_image(
    networks: list[MLP], test_digits: Digits
) -> None:
    made: list[tuple[int, int]] = []
    done: list[int] = []

    def noted(
        classifier: Classifier, x: FloatArray, y: IntArray, target: IntArray | None
    ) -> FloatArray:
        made.append((id(classifier), len(x)))
        return x

    x, y = test_digits.x[:50], test_digits.y[:50]
    transfer(networks, noted, x, y, control=unchanged, at_once=30, on_progress=done.append)
    assert sorted(made) == sorted((id(each), size) for each in networks for size in (30, 20))
    assert sum(done) == 4 * 50


def test_images_that_do_not_change_fool_nobody(networks: list[MLP], test_digits: Digits) -> None:
    found = transfer(
        networks, unchanged, test_digits.x[:300], test_digits.y[:300], control=unchanged
    )
    assert not found.fooled.any()
    assert found.counted.min() > 0
    assert all(len(cell.places) == 0 for row in found.examples for cell in row)
    assert found.examples[0][0].x_adv.size == 0


def test_a_network_that_reads_nothing_right_has_no_rates(test_digits: Digits) -> None:
    zeros = (np.zeros((784, 10)),), (np.eye(10)[0],)  # takes everything for a 0
    rows = np.flatnonzero(test_digits.y[:100] != 0)
    pair = [MLP(*zeros), random_mlp((784, 10), seed=1)]
    found = transfer(pair, attack, test_digits.x[rows], test_digits.y[rows], control=control)
    assert np.isnan(found.rates[:, 0]).all()
    assert np.isnan(found.rates[0]).all()
    assert not np.isnan(found.rates[1, 1])


def test_networks_can_be_put_in_another_order(networks: list[MLP], test_digits: Digits) -> None:
    x, y = test_digits.x[:200], test_digits.y[:200]

    def of(order: list[int]) -> Transfer:
        return transfer([networks[each] for each in order], attack, x, y, control=control)

    again, direct = of([0, 1, 2]).reordered([2, 0]), of([2, 0])
    for name in ("right", "counted", "fooled"):
        np.testing.assert_array_equal(getattr(again, name), getattr(direct, name))
    for ours, theirs in zip(again.examples, direct.examples, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one.places, other.places)


def test_an_exception_while_it_works_ends_it(networks: list[MLP], test_digits: Digits) -> None:
    calls = []

    def stop(images: int) -> None:
        calls.append(images)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        x, y = test_digits.x[:40], test_digits.y[:40]
        transfer(networks, attack, x, y, control=control, on_progress=stop)
    assert calls == [40]


def test_nonsense_is_refused(networks: list[MLP], test_digits: Digits) -> None:
    x, y = test_digits.x[:20], test_digits.y[:20]
    with pytest.raises(ValueError, match="classifiers"):
        transfer([], attack, x, y, control=control)
    with pytest.raises(ValueError, match="at_once"):
        transfer(networks, attack, x, y, control=control, at_once=0)
    with pytest.raises(ValueError, match="target"):
        transfer(networks, attack, x, y, control=control, target=10)
    with pytest.raises(ValueError, match="at least one image"):
        transfer(networks, attack, x[y == 7], y[y == 7], control=control, target=7)
    with pytest.raises(ValueError, match="at least one image"):
        transfer(networks, attack, x[:0], y[:0], control=control)
    with pytest.raises(ValueError, match="attack must return"):
        transfer(networks, lambda *_: x[:3], x, y, control=control)
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        transfer(networks, lambda *_: x + 1, x, y, control=control)
