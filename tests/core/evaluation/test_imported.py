"""How a network of another program reads pixels is found by its accuracy."""

import dataclasses

import numpy as np
import pytest

from core import measures
from core.data.mnist import Digits
from core.evaluation.imported import LEAST_ACCURACY, TRIED, by_reading, choices, imported
from core.networks import MLP, NetworkFileError, Single
from core.networks.file import parse, to_bytes
from core.networks.foreign import PIXELS, Found, Pixels, Reading
from tests.conftest import SHIPPED, random_mlp


def trained_on(key: str, network: Single) -> Single:
    """Return a network that does to pixels of this kind what `network` does to those in [0, 1]."""
    pixels = PIXELS[key]
    back = Pixels("", 1 / pixels.scale, -pixels.shift / pixels.scale, pixels.transposed)
    return back.folded(network)


@pytest.mark.parametrize("key", PIXELS)
def test_the_input_is_found(
    key: str, report_network: MLP, training_digits: Digits, test_digits: Digits
) -> None:
    found = Found("PyTorch", (Reading(trained_on(key, report_network)),))
    best, *_ = choices(found, training_digits, test_digits, "mine.pt")
    assert best.pixels == key
    x, y = training_digits.x[:TRIED], training_digits.y[:TRIED]
    assert best.accuracy == measures.accuracy(best.network, x, y) > 0.99
    np.testing.assert_allclose(
        best.network.logits(x[:50]), report_network.logits(x[:50]), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("key", ["raw", "255"])
@pytest.mark.parametrize("name", ["adversarial-pgd", "adam"])
def test_the_size_of_the_logits_tells_where_accuracies_don_t(
    name: str, key: str, training_digits: Digits, test_digits: Digits
) -> None:
    """Read from 0 to 255, the first is the more accurate one and the second as accurate."""
    network, _ = SHIPPED.load(name)
    assert isinstance(network, MLP)
    found = Found("PyTorch", (Reading(trained_on(key, network)),))
    best, *others = choices(found, training_digits, test_digits, "mine.pt")
    assert best.pixels == key
    if key == "raw":
        (other,) = (each for each in others if each.pixels == "255")
        assert other.accuracy >= best.accuracy and other.loss > 10 * best.loss


def test_another_input_can_be_chosen(
    report_network: MLP, training_digits: Digits, test_digits: Digits
) -> None:
    found = Found("PyTorch", (Reading(report_network),))
    best, *others = choices(found, training_digits, test_digits, "mine.pt")
    assert others and all(LEAST_ACCURACY <= each.accuracy <= best.accuracy for each in others)
    (one,) = choices(found, training_digits, test_digits, "mine.pt", pixels="mnist")
    assert one.pixels == "mnist" and one.accuracy in [each.accuracy for each in others]
    with pytest.raises(NetworkFileError, match="from −1 to 1"):
        choices(found, training_digits, test_digits, "mine.pt", pixels="centred")
    with pytest.raises(ValueError, match="input must be one of raw, mnist"):
        choices(found, training_digits, test_digits, "mine.pt", pixels="grey")


def test_the_best_reading_is_taken(
    report_network: MLP, training_digits: Digits, test_digits: Digits
) -> None:
    other = random_mlp((784, 10), seed=0, dtype=np.float32)
    found = Found("PyTorch", (Reading(other, "one way"), Reading(report_network, "the other")))
    best, *_ = choices(found, training_digits, test_digits, "mine.pt")
    assert best.reading.how == "the other"


@pytest.mark.parametrize("sure", [False, True])
def test_what_classifies_badly_is_refused_with_its_accuracy(
    sure: bool, training_digits: Digits, test_digits: Digits
) -> None:
    network = random_mlp((784, 20, 10), seed=0, dtype=np.float32)
    others = () if sure else (Reading(random_mlp((784, 10), seed=0, dtype=np.float32), "tanh"),)
    found = Found("ONNX", (Reading(network, "ReLU"),), sure=sure, others=others)
    with pytest.raises(NetworkFileError, match=r"mine can't be used: .* \d+\.\d%") as caught:
        choices(found, training_digits, test_digits, "mine")
    assert ("2 readings" in str(caught.value)) is not sure
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_readings_without_relu_are_tried_where_those_with_it_fail(
    report_network: MLP, training_digits: Digits, test_digits: Digits
) -> None:
    bad = Reading(random_mlp((784, 10), seed=0, dtype=np.float32), "ReLU")
    found = Found("PyTorch", (bad,), others=(Reading(report_network, "tanh"),))
    best, *_ = choices(found, training_digits, test_digits, "mine.pt")
    assert best.reading.how == "tanh"


def test_readings_that_give_the_same_logits_are_one(
    report_network: MLP, training_digits: Digits, test_digits: Digits
) -> None:
    found = Found("PyTorch", (Reading(report_network, "one"), Reading(report_network, "another")))
    tried = choices(found, training_digits, test_digits, "mine.pt")
    assert {choice.reading.how for choice in tried} == {"one"}
    assert [choice for each in by_reading(tried) for choice in each] == list(tried)


def test_its_card_says_that_its_training_is_not_known(
    report_network: MLP, training_digits: Digits, test_digits: Digits
) -> None:
    found = Found("PyTorch", (Reading(trained_on("mnist", report_network)),))
    best, *_ = choices(found, training_digits, test_digits, "mine.pt")
    card = imported(best, found, training_digits, test_digits, today="2026-11-26")
    assert card.recipe is None and card.origin is not None
    assert (card.origin.program, card.origin.pixels) == ("PyTorch", "mnist")
    assert card.test_accuracy == measures.accuracy(best.network, test_digits.x, test_digits.y)
    assert card.measured_on == 10_000 and card.digits == tuple(range(10))
    assert parse(to_bytes(best.network, card), "mine")[1] == card
    with pytest.raises(ValueError, match="either a recipe or an origin"):
        dataclasses.replace(card, origin=None)
