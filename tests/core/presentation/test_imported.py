import re

from core.evaluation.imported import Choice
from core.networks import Card, Origin
from core.networks.foreign import PIXELS, Found, Reading
from core.presentation.imported import on_choice, on_found, on_reading
from core.presentation.words import on_origin
from tests.core.networks.lenet import lenet
from tests.core.networks.samples import CARD, IMPORTED, NETWORK

READING = Reading(NETWORK, "under the key 'model', ReLU")


def test_what_was_found_names_layers_input_and_accuracy() -> None:
    choice = Choice(READING, "mnist", 0.987, 0.1)
    said = on_found(Found("PyTorch", (READING,)), choice)
    for part in ("PyTorch", "784-20-10", "'model'", "98.7", PIXELS["mnist"].words, "ReLU"):
        assert part in said
    assert "98.7" in on_choice(choice)
    assert "98.7" in on_reading(choice) and READING.how in on_reading(choice)
    sure = on_found(Found("ONNX", (READING,), ("Softmax",), sure=True), choice)
    assert "Softmax" in sure and "weights only" in said and "weights only" not in sure


def test_convolutions_and_activations_are_named() -> None:
    reading = Reading(lenet(function="tanh"), "padding 2 and 0")
    said = on_found(Found("ONNX", (reading,), sure=True), Choice(reading, "raw", 0.98))
    for part in ("6 and 16 channels", "120-84-10", "with tanh", "padding 2 and 0"):
        assert part in said


def test_an_origin_says_that_the_training_is_not_known() -> None:
    said = on_origin(IMPORTED)
    assert "not known" in said and "PyTorch" in said and PIXELS["mnist"].words in said
    later = Card(**{**vars(IMPORTED), "origin": Origin("JAX", "sideways")})
    assert re.search("JAX.*sideways", on_origin(later))
    assert "This program" in on_origin(CARD)
