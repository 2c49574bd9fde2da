from dataclasses import replace

import numpy as np
import pytest

from core.attacks import METHODS
from core.data.mnist import Digits
from core.evaluation.walk import Walk, record
from core.networks.mlp import MLP
from core.presentation.walk import on_no_walk, on_walk, steps_chart

BIM = METHODS["bim"]


@pytest.fixture(scope="module")
def walk(report_network: MLP, test_digits: Digits) -> Walk:
    return record(report_network, BIM, test_digits.x[:1], 7, epsilon=0.12, levels=256)


def seen(walk: Walk, *labels: int) -> Walk:
    """Return a walk along which the network sees these labels."""
    return replace(walk, x_adv=walk.x_adv[: len(labels)], probabilities=np.eye(10)[list(labels)])


def test_what_is_said_names_the_steps_the_flip_and_the_end(walk: Walk) -> None:
    said = on_walk(walk, BIM, label=7)
    assert all(part in said for part in ("10 steps", f"step {walk.flip}", "from 7 to 3"))
    assert "step 2" in on_walk(seen(walk, 7, 7, 3), BIM, label=7)
    assert "end" in on_walk(seen(walk, 7, 3, 8), BIM, label=7)
    assert "8" in on_walk(seen(walk, 7, 3, 8), BIM, label=7)
    assert "flips" not in on_walk(seen(walk, 7, 7), BIM, label=7)
    assert "step 0" not in on_walk(seen(walk, 3, 3), BIM, label=7)
    assert "random" not in said
    at_random = replace(walk, distance=walk.distance + 0.1)
    assert "starts at a random image" in on_walk(at_random, METHODS["pgd"], label=7)
    assert "1 step." in on_walk(seen(walk, 7, 3), BIM, label=7)
    assert "no step" in on_walk(seen(walk, 7), BIM, label=3)
    gave_up = replace(seen(walk, 7, 7, 7), gave_up=True)
    assert "gives up" in on_walk(gave_up, BIM, label=7)


def test_an_attack_without_a_walk_says_why() -> None:
    assert "single step" in on_no_walk(METHODS["fgsm"])
    assert "single step" not in on_no_walk(METHODS["carlini_wagner"])


def test_the_chart_has_the_walk_s_numbers_and_marks(walk: Walk) -> None:
    chart = steps_chart(walk)
    loss, distance = chart["data"]
    np.testing.assert_allclose(loss["y"], walk.loss, atol=1e-4)
    np.testing.assert_allclose(distance["y"], walk.distance, atol=1e-4)
    assert loss["x"] == distance["x"] == list(range(11))
    flips = [shape for shape in chart["layout"]["shapes"] if shape.get("x0") == walk.flip]
    assert {shape.get("xref", "x") for shape in flips} == {"x", "x2"}
    levels = [shape["y0"] for shape in chart["layout"]["shapes"] if shape.get("yref") == "y2"]
    assert levels == [pytest.approx(0.12)]
    unmoved = steps_chart(seen(replace(walk, epsilon=None), 7, 7))
    assert not unmoved["layout"]["shapes"]
