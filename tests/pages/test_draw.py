"""The Draw page, run by Streamlit's AppTest: no browser, but everything that Python does."""

import base64
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from streamlit.testing.v1 import AppTest

from core.attacks import BY_TITLE, FOLLOWED, WAY
from core.data import mnist
from core.measures import predict
from core.networks import Library
from core.presentation.words import percent
from pages.parts.subject import EXAMPLE
from tests.conftest import SHIPPED
from tests.pages.conftest import TIMEOUT, given_to_explorer, stands_for, well
from tests.pages.conftest import opened as open_page

APP = str(Path(__file__).parent.parent.parent / "app.py")


def opened(**query: str) -> AppTest:
    """Open the page by a link and return it."""
    return open_page(APP, **query)


def strokes(*lines: list[tuple[int, int]], width: int = 22) -> dict[str, Any]:
    """Return what the canvas sends after these lines were drawn."""
    image = Image.new("RGBA", (280, 280), "black")
    for line in lines:
        ImageDraw.Draw(image).line(line, fill="white", width=width, joint="curve")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return {
        "drawing": {
            "raw": {"objects": [{"type": "path", "path": line} for line in lines]},
            "data": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
        },
        "backgroundFit": None,
    }


SEVEN = strokes([(80, 70), (200, 70), (130, 220)])


def draw(at: AppTest, drawing: dict[str, Any], version: int = 0) -> AppTest:
    at.session_state[f"canvas-{version}"] = drawing
    return well(at.run())


def explorer(at: AppTest) -> dict[str, Any] | None:
    """Return the data that the live ε was given, or None where it is not on the page."""
    given = given_to_explorer(at)
    if given is None:
        return None
    about, (first, *second) = given
    for path in second:
        about["second"] |= path_of(*path)
    return about | path_of(*first)


def path_of(table: NDArray[np.float64], frames: NDArray[np.uint8]) -> dict[str, Any]:
    """Return what the live ε was given of one network."""
    return {
        "epsilons": table[:, 0],
        "l2_norm": table[:, 1],
        "probabilities": table[:, 2:],
        "frames": frames.tobytes(),
    }


def sentence(at: AppTest) -> str:
    data = explorer(at)
    assert data is not None
    return str(data["sentence"])


def meant(at: AppTest) -> int:
    """Return the digit that the image is meant to be, as the page has it."""
    data = explorer(at)
    assert data is not None
    return int(data["label"])


def correct(at: AppTest, drawing: int, label: int) -> AppTest:
    """Correct the label; the click on a digit is tested in the browser."""
    at.session_state["correction"] = (f"Draw {drawing}", label)
    return well(at.run())


def test_a_first_visit_shows_an_example_at_its_flip_until_somebody_draws() -> None:
    at = opened()
    data = explorer(at)
    assert data is not None
    assert np.argmax(data["probabilities"][0]) == data["label"] != data["flip"]["after"]
    test = mnist.load("test")
    shown = np.frombuffer(data["frames"], np.uint8)[:784]
    np.testing.assert_array_equal(shown, np.round(test.x[EXAMPLE] * 255))
    assert data["label"] == test.y[EXAMPLE]
    assert at.button(key="undo").disabled
    assert not {"pixels", "digit"} & set(stands_for(at))
    draw(at, SEVEN)
    assert meant(at) == 7
    assert explorer(at)["start"] == 0  # type: ignore[index]
    well(at.button(key="clear").click().run())
    assert explorer(at) is None
    assert at.info


def test_a_drawn_seven_is_seen_and_flips() -> None:
    at = draw(opened(), SEVEN)
    data = explorer(at)
    assert data is not None
    assert np.argmax(data["probabilities"][0]) == 7
    sure = percent(min(0.9999, data["probabilities"][0][7]), 2)
    assert "a 7, " in at.text[-1].value
    assert sure in at.text[-1].value
    assert data["label"] == 7
    assert data["epsilons"] == pytest.approx(np.linspace(0, 0.5, 101))
    frames = np.frombuffer(data["frames"], np.uint8)
    assert frames.shape == (101 * 784,)
    assert data["flip"]["after"] != 7
    assert sentence(at).startswith(f"Flips from 7 to {data['flip']['after']} at ε = ")
    assert "of 100 random perturbations" in sentence(at)
    assert data["l2_norm"][0] == 0 < data["l2_norm"][1] < data["l2_norm"][100]
    # Frames are the path's images in bytes: no pixel moves by more than its ε.
    moved = np.abs(frames.reshape(101, 784).astype(int) - frames[:784])
    assert (moved.max(axis=1) <= np.array(data["epsilons"]) * 255 + 1).all()


def test_a_network_that_somebody_deletes_is_said_to_be_gone(
    tmp_path: Path, library: Library
) -> None:
    shutil.copy(SHIPPED.path("report"), tmp_path)
    shutil.copy(SHIPPED.path("report"), tmp_path / "other.safetensors")
    at = draw(opened(model="other"), SEVEN)
    (tmp_path / "other.safetensors").unlink()
    well(at.run())
    assert explorer(at) is not None or "no longer exists" in at.error[0].value
    well(at.selectbox(key="model").set_value("report").run())
    assert meant(at) == 7


def test_the_address_brings_everything_back() -> None:
    at = opened(model="report", attack="PGD", target="3", epsilon="0.151", digit="17")
    data = explorer(at)
    test = mnist.load("test")
    assert data is not None
    assert data["start"] == pytest.approx(0.15)
    assert data["label"] == test.y[17]
    assert at.selectbox(key="target").value == "3"
    assert at.selectbox(key="attack").value == "PGD"
    x = np.frombuffer(data["frames"], np.uint8)[:784]
    np.testing.assert_array_equal(x, (test.x[17] * 255).round().astype(np.uint8))
    assert stands_for(at) == {
        "model": "report",
        "attack": "PGD",
        "target": "3",
        "epsilon": "0.150",
        "digit": "17",
    }


@pytest.mark.parametrize(
    "query",
    [
        {"digit": "-1", "epsilon": "nan", "attack": "Foo", "target": "10", "model": "../report"},
        {"digit": "10000", "epsilon": "-3", "target": "", "model": ""},
        {"digit": "1e3", "epsilon": "<b>", "attack": "fgsm\n"},
        {"digit": "٣٣٣٣٣", "epsilon": "1e999"},
    ],
)
def test_nonsense_in_the_address_counts_as_absent(query: dict[str, str]) -> None:
    at = opened(**query)
    data = explorer(at)
    assert data is not None
    assert at.number_input(key="digit").value == 0
    assert data["start"] == 0
    assert stands_for(at)["attack"] == "FGSM"
    assert stands_for(at)["model"] == "report"
    assert "target" not in stands_for(at)


def test_a_test_digit_at_random_and_by_index() -> None:
    at = opened(digit="3")
    before = explorer(at)
    well(at.number_input(key="digit").set_value(5).run())
    assert explorer(at)["id"] != before["id"]  # type: ignore[index]
    indices = set()
    for _ in range(3):
        well([button for button in at.button if button.label == "At random"][0].click().run())
        indices.add(at.number_input(key="digit").value)
        assert at.query_params["digit"] == str(at.number_input(key="digit").value)
    assert len(indices) > 1


def test_a_click_that_comes_while_another_source_is_shown_is_no_failure() -> None:
    """The run that shows the other source may have ended, and with it the list of digits."""

    def without_the_list() -> None:
        import streamlit as st

        from pages.parts import digit_choice

        st.button("At random", on_click=digit_choice._take, args=["any", None])

    at = well(AppTest.from_function(without_the_list).run())
    well(at.button[0].click().run())
    assert 0 <= at.session_state["digit"] < 10_000


def test_a_test_digit_by_what_it_is() -> None:
    def press(label: str) -> int:
        well([button for button in at.button if button.label == label][0].click().run())
        return int(at.query_params["digit"])

    test, (network, _) = mnist.load("test"), SHIPPED.load("report")
    at = opened(digit="0")
    well(at.selectbox(key="wanted_digit").set_value("3").run())
    assert test.y[press("At random")] == 3
    wrong = press("Read wrong")
    assert test.y[wrong] == 3 != predict(network, test.x[[wrong]])[0]
    first = press("Flips first")
    assert test.y[first] == 3
    changed = np.argmax(explorer(at)["probabilities"], axis=1) != 3  # type: ignore[index]
    assert 1 <= changed.argmax() <= 3  # at the first marks of the slider
    well(at.selectbox(key="wanted_digit").set_value("any digit").run())
    any_first = press("Flips first")
    data = explorer(at)
    assert data is not None
    assert (np.argmax(data["probabilities"], axis=1) != test.y[any_first]).argmax() == 1


def test_attacks_differ_and_towards_itself_is_towards_any_other() -> None:
    at = opened(digit="0")
    fgsm = explorer(at)
    well(at.selectbox(key="target").set_value("3").run())
    towards_three = explorer(at)
    well(at.selectbox(key="target").set_value("7").run())
    assert any("is meant to be a 7 already" in text.value for text in at.markdown)
    assert explorer(at)["frames"] == fgsm["frames"]  # type: ignore[index]
    well(at.selectbox(key="attack").set_value("Random noise").run())
    assert at.selectbox(key="target").disabled
    noise = explorer(at)
    assert fgsm is not None and towards_three is not None and noise is not None
    assert len({data["frames"] for data in (fgsm, towards_three, noise)}) == 3


@pytest.mark.parametrize("title", list(FOLLOWED))
def test_every_attack_has_its_slider(title: str) -> None:
    at = opened(digit="0", attack=title)
    data = explorer(at)
    assert data is not None
    method = BY_TITLE[title]
    scale = method.scale
    assert data["epsilons"] == pytest.approx(scale.budgets)
    assert data["axis"]["name"] == {"linf": "ε", "l2": "ε (L2)", "way": "change"}[scale.name]
    assert at.selectbox(key="target").disabled is not method.targeted
    assert data["flip"]["after"] != 7
    if scale is WAY:
        assert np.argmax(data["probabilities"][100]) == data["flip"]["after"] != 7
        assert "of the change, an L2 norm of" in sentence(at)


def test_the_budget_in_the_address_is_of_the_attack_s_scale() -> None:
    data = explorer(opened(digit="0", attack="PGD (L2)", epsilon="3.21"))
    assert data is not None
    assert data["start"] == pytest.approx(3.2)


def test_the_chart_is_there_when_it_is_opened() -> None:
    at = opened(digit="0")
    assert not at.get("plotly_chart")
    at.session_state["chart"] = True
    well(at.run())
    figure = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert {line["name"] for line in figure["data"]} >= {"7"}


def test_a_bad_or_missing_model_is_a_sentence_and_the_drawing_stays(
    tmp_path: Path, library: Library
) -> None:
    shipped = SHIPPED.path("report")
    shutil.copy(shipped, tmp_path)
    at = draw(opened(), SEVEN)
    drawn = explorer(at)
    assert drawn is not None

    (tmp_path / "report.safetensors").write_bytes(shipped.read_bytes()[:1000])
    well(at.run())
    assert "report.safetensors can't be used" in at.error[0].value
    assert explorer(at) is None
    (tmp_path / "report.safetensors").unlink()
    well(at.run())
    assert "holds no network" in at.error[0].value
    shutil.copy(shipped, tmp_path)
    well(at.run())
    assert explorer(at)["frames"] == drawn["frames"]  # type: ignore[index]


def test_damaged_data_is_a_sentence_and_the_drawing_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(split: str) -> None:
        raise mnist.DataFileError("MNIST's files are damaged.")

    monkeypatch.setattr(mnist, "load", fail)
    at = opened()
    assert explorer(at) is not None  # a first visit's example needs no files
    assert not at.error
    draw(at, SEVEN)
    well(at.button_group(key="source").set_value("Test digit").run())
    assert at.error[0].value == "MNIST's files are damaged."
    well(at.button_group(key="source").set_value("Draw").run())
    assert explorer(at) is not None


def test_an_error_of_ours_is_a_sentence_and_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(library: Library) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(Library, "names", fail)
    at = AppTest.from_file(APP, default_timeout=TIMEOUT).run()
    assert not at.exception
    assert "Something went wrong on our side" in at.error[0].value
    assert "a fault of ours" not in at.error[0].value
    assert "a fault of ours" in caplog.text
