"""What the live ε is sent: a second network, and a flip that one is to predict."""

from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.losses import softmax
from tests.conftest import SHIPPED
from tests.pages.conftest import given_to_explorer, stands_for, well
from tests.pages.test_draw import SEVEN, draw, opened


def sent(at: AppTest) -> tuple[dict[str, Any], list[Any]]:
    """Return what the browser is told, and for each network its table and frames."""
    given = given_to_explorer(at)
    assert given is not None
    return given


def test_a_second_network_is_attacked_by_itself_in_the_same_message() -> None:
    at = opened(digit="8", attack="PGD", compare="adversarial-pgd")
    about, numbers = sent(at)
    assert (about["name"], about["second"]["name"]) == ("standard", "adversarial-pgd")
    assert stands_for(at)["compare"] == "adversarial-pgd"
    both = (("report", about), ("adversarial-pgd", about["second"]))
    for (name, told), (table, frames) in zip(both, numbers, strict=True):
        network, _ = SHIPPED.load(name)
        seen = softmax(network.logits(frames.astype(np.float32) / 255))
        np.testing.assert_allclose(table[:, 2:], seen, atol=1e-4)
        labels = table[:, 2:].argmax(axis=1)
        flipped = np.flatnonzero(labels != labels[0])[0]
        assert table[flipped - 1, 0] < told["flip"]["epsilon"] <= table[flipped, 0]
        assert told["flip"]["after"] == labels[flipped]
    (_, ours), (_, others) = numbers
    assert (ours[0] == others[0]).all()
    assert (ours[20] != others[20]).any()  # each by its own gradient


@pytest.mark.parametrize("name", ["report", "no such", "../report"])
def test_a_network_is_not_compared_with_itself_or_with_none(name: str) -> None:
    about, numbers = sent(opened(digit="8", model="report", compare=name))
    assert about["second"] is None
    assert about["choices"]["compare"] == ""
    assert "report" not in [name for name, _ in about["choices"]["networks"]]
    assert len(numbers) == 1


def test_each_question_to_predict_starts_at_0_with_its_charts_away() -> None:
    at = opened(digit="0", attack="PGD", epsilon="0.4", predict="on", walk="on", map="on")
    about, _ = sent(at)
    assert about["choices"]["hidden"]
    assert about["start"] == 0
    assert stands_for(at)["predict"] == "on"
    assert stands_for(at)["epsilon"] == "0.000"
    at.session_state["chart"] = True
    well(at.run())
    assert not at.get("plotly_chart")
    assert sent(at)[0]["placed"] == about["placed"]  # the same question
    well(at.number_input(key="digit").set_value(1).run())
    assert sent(at)[0]["placed"] > about["placed"]
    at.session_state["predict"] = False
    well(at.run())
    assert not sent(at)[0]["choices"]["hidden"]
    assert at.get("plotly_chart")


def test_the_choices_of_a_link_wait_for_the_first_stroke() -> None:
    about, _ = sent(draw(opened(compare="any-hand", predict="on"), SEVEN))
    assert about["second"]["name"] == "any-hand"
    assert about["choices"]["hidden"]
