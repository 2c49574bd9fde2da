"""As code: the lines that Draw shows are run, and compared with what else it shows."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.attacks import BY_TITLE, FOLLOWED
from tests.pages.conftest import opened, well
from tests.pages.test_draw import SEVEN, draw, explorer

APP = str(Path(__file__).parent.parent.parent / "app.py")


def opened_with_code(**query: str) -> AppTest:
    """Open Draw by a link, and open the view."""
    at = opened(APP, **query)
    assert not at.code  # nothing is computed before it is asked for
    at.session_state["code"] = True
    return well(at.run())


def check(at: AppTest) -> None:
    """Run the lines on the page; compare what they find with the slider's pictures."""
    data = explorer(at)
    assert data is not None
    place = int(np.abs(data["epsilons"] - data["start"]).argmin())
    frames = np.frombuffer(data["frames"], np.uint8).reshape(-1, 784)
    namespace: dict[str, np.ndarray] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(at.code[0].value, namespace)
    np.testing.assert_array_equal(np.round(namespace["x"] * 255), frames[:1])
    np.testing.assert_array_equal(np.round(namespace["x_adv"] * 255), frames[[place]])
    before, after, l2, linf = map(float, re.findall(r"[\d.]+", printed.getvalue()))
    assert [before, after] == data["probabilities"][[0, place]].argmax(axis=1).tolist()
    assert l2 == pytest.approx(data["l2_norm"][place])
    change = np.abs(frames[place].astype(int) - frames[0])
    assert linf == pytest.approx(change.max() / 255)
    assert l2 > 0


@pytest.mark.thorough
@pytest.mark.parametrize("title", list(FOLLOWED))
def test_the_lines_compute_what_the_page_shows(title: str) -> None:
    budget = "0.15" if BY_TITLE[title].scale.name == "linf" else "0.95"
    at = opened_with_code(digit="17", attack=title, target="3", epsilon=budget)
    check(at)
    assert any(f"{float(budget):g}" in line.value for line in at.latex)


@pytest.mark.parametrize(
    ("title", "explained"),
    [("FGSM", {"L"}), ("Random noise", set()), ("PGD", {"L", "Π"}), ("DeepFool", set())],
)
def test_only_the_symbols_of_the_formula_are_explained(title: str, explained: set[str]) -> None:
    at = opened_with_code(digit="0", attack=title, epsilon="0.1")
    (said,) = [text.value for text in at.expander(key="code").caption]
    assert {symbol for symbol in ("L", "Π") if f"${symbol}$" in said} == explained


def test_a_drawn_digit_that_is_corrected_and_another_network() -> None:
    at = draw(opened_with_code(model="ensemble", epsilon="0.1"), SEVEN)
    check(at)
    assert 'LIBRARY.load("ensemble")' in at.code[0].value.replace("'", '"')
    at.session_state["correction"] = ("Draw 0", 1)
    well(at.run())
    assert "[1], 0.1)" in at.code[0].value
    check(at)


def test_aiming_for_the_digit_itself_is_aiming_for_any_other() -> None:
    at = opened_with_code(digit="0", target="7", epsilon="0.2")
    assert "target" not in at.code[0].value
    check(at)
