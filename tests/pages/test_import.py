"""A network of another program on the Train page, run by Streamlit's AppTest."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.data.mnist import Digits
from core.networks import MLP, Library, Sequential, exchange
from core.networks.file import to_bytes
from core.networks.foreign import PIXELS, Pixels
from tests.conftest import SHIPPED
from tests.core.networks.foreign.fitted import convolutional
from tests.core.networks.foreign.samples import saved, sequential
from tests.core.networks.samples import IMPORTED, assert_same
from tests.pages.conftest import opened, well
from tests.pages.test_lecturer import say, train_page
from tests.pages.test_lecturer import word as word

APP = str(Path(__file__).parent.parent.parent / "app.py")
TRAIN, TEST_SET = "pages/training/train.py", "pages/attack/whole_test_set.py"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, library: Library) -> Path:
    """A folder of networks for this test alone."""
    shutil.copy(SHIPPED.path("report"), tmp_path)
    return tmp_path


@pytest.fixture
def normalised(report_network: MLP) -> bytes:
    """The shipped network as if it had been trained on pixels that are normalised."""
    pixels = PIXELS["mnist"]
    back = Pixels("", 1 / pixels.scale, -pixels.shift / pixels.scale)
    folded = back.folded(report_network)
    assert isinstance(folded, MLP)
    return saved({"model": sequential(folded).state_dict()})


def bring(at: AppTest, content: bytes, name: str) -> AppTest:
    at.file_uploader(key="upload").set_value((name, content, "application/octet-stream"))
    return well(at.run())


@pytest.mark.thorough
def test_a_pytorch_file_is_looked_at_kept_and_attacked(
    normalised: bytes, library: Library, report_network: MLP, test_digits: Digits
) -> None:
    at = bring(opened(APP, TRAIN), normalised, "mine (1).pt")
    assert at.selectbox(key="import_pixels").value == "mnist"
    assert any("784-128-64-10" in text.value for text in at.markdown)
    assert at.text_input(key="import_name").value == "mine"
    assert library.names() == ["report"]
    well(at.button(key="import_keep").click().run())
    assert at.success[0].value == "Kept as “mine”."
    assert at.selectbox(key="card_of").value == "mine"
    assert "import_keep" not in {button.key for button in at.button}
    network, card = library.load("mine")
    x = test_digits.x[:100]
    np.testing.assert_allclose(network.logits(x), report_network.logits(x), rtol=0, atol=1e-3)
    assert card.recipe is None and card.test_accuracy == SHIPPED.load("report")[1].test_accuracy
    shown = " ".join(text.value for text in at.markdown)
    assert "Imported on" in shown and "How it was trained is not known" in shown
    draw = opened(APP, digit="8", model="mine", attack="FGSM", epsilon="0.1")
    assert draw.selectbox(key="model").value == "mine"


@pytest.mark.thorough
def test_the_input_can_be_changed_before_it_is_kept(report_network: MLP, library: Library) -> None:
    at = bring(opened(APP, TRAIN), exchange.to_onnx(report_network), "mine.onnx")
    assert at.selectbox(key="import_pixels").value == "raw"
    well(at.selectbox(key="import_pixels").set_value("mnist").run())
    assert any(PIXELS["mnist"].words in text.value for text in at.markdown)
    at.text_input(key="import_name").set_value("Other pixels")
    well(at.button(key="import_keep").click().run())
    network, card = library.load("Other pixels")
    assert card.origin is not None
    assert (card.origin.program, card.origin.pixels) == ("ONNX", "mnist")
    assert_same(network, PIXELS["mnist"].folded(report_network))


@pytest.mark.thorough
def test_the_page_asks_how_layers_are_read(training_digits: Digits, library: Library) -> None:
    """The best reading is chosen; the other ones are offered with their accuracies."""
    content = saved(convolutional(training_digits, pixels="mnist").state_dict())
    at = bring(opened(APP, TRAIN), content, "lenet.pt")
    layers, pixels = at.radio(key="import_layers"), at.selectbox(key="import_pixels")
    assert (layers.value, pixels.value) == (0, "mnist")
    assert len(layers.options) > 1 and all("%: " in option for option in layers.options)
    assert "padding 2 and 0, max pooling 2 after each convolution" in layers.options[0]
    well(layers.set_value(1).run())
    other = layers.options[1].partition(": ")[2]
    assert any(other in text.value for text in at.markdown)
    assert at.selectbox(key="import_pixels").value in PIXELS
    well(at.radio(key="import_layers").set_value(0).run())
    well(at.button(key="import_keep").click().run())
    network, card = library.load("lenet")
    assert isinstance(network, Sequential) and card.test_accuracy > 0.9
    assert card.origin is not None and card.origin.program == "PyTorch"
    bring(at, content, "again.pt")
    assert at.radio(key="import_layers").value == 0


@pytest.mark.thorough
def test_a_refused_file_is_one_sentence_until_another_one_comes(normalised: bytes) -> None:
    at = bring(opened(APP, TRAIN), b"\x89HDF\r\n\x1a\n" + bytes(100), "theirs.pt")
    assert len(at.error) == 1 and "Keras" in at.error[0].value
    well(at.run())
    assert len(at.error) == 1
    bring(at, normalised, "mine.pt")
    assert not at.error and at.button(key="import_keep")


@pytest.mark.thorough
def test_a_name_that_a_network_can_t_have_loses_nothing(
    normalised: bytes, library: Library
) -> None:
    at = bring(opened(APP, TRAIN), normalised, "mine.pt")
    at.text_input(key="import_name").set_value("a/b")
    well(at.button(key="import_keep").click().run())
    assert len(at.error) == 1 and library.names() == ["report"]
    at.text_input(key="import_name").set_value("ab")
    well(at.button(key="import_keep").click().run())
    assert library.names() == ["report", "ab"]


@pytest.mark.thorough
def test_what_the_lecturer_has_closed_is_not_kept(
    normalised: bytes, word: str, library: Library
) -> None:
    student, lecturer = train_page("student"), say(train_page(), word)
    bring(student, normalised, "mine.pt")
    well(next(each for each in lecturer.button if each.key == "close").click().run())
    well(student.button(key="import_keep").click().run())
    assert student.error and library.names() == ["report"]


@pytest.mark.thorough
def test_the_test_set_is_attacked(folder: Path, report_network: MLP) -> None:
    (folder / "kept").mkdir()
    (folder / "kept" / "theirs.safetensors").write_bytes(to_bytes(report_network, IMPORTED))
    at = opened(APP, TEST_SET, model="theirs")
    assert at.selectbox(key="model").value == "theirs"
    assert not at.warning and not at.error
