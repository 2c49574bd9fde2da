"""The Train page, run by Streamlit's AppTest; its trainings are real ones."""

import dataclasses
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.data import pictures
from core.networks import Library, LoggedEpoch, Sequential
from core.networks.file import MAX_BYTES, to_bytes
from core.presentation.words import SPECIAL
from core.recipe import MOST_MEMBERS, MOST_WEIGHTS, PRESETS, Recipe
from tests.conftest import SHIPPED, random_mlp
from tests.core.networks.samples import CARD
from tests.pages.conftest import opened as open_page
from tests.pages.conftest import until, well

APP = str(Path(__file__).parent.parent.parent / "app.py")
TRAIN = "pages/training/train.py"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, library: Library) -> Path:
    """A folder of networks for this test alone."""
    for name in ("report", "first-digits"):
        shutil.copy(SHIPPED.path(name), tmp_path)
    return tmp_path


def opened(**query: str) -> AppTest:
    return open_page(APP, TRAIN, **query)


def train_a_little(at: AppTest, *, epochs: int = 2) -> AppTest:
    """Train on 500 images, and wait for the end."""
    at.number_input(key="recipe_epochs").set_value(epochs)
    at.number_input(key="recipe_training_images").set_value(500)
    return until_ended(well(at.button(key="train").click().run()))


def until_ended(at: AppTest) -> AppTest:
    return until(at, lambda at: any("keeping epoch" in text.value for text in at.markdown))


def test_the_page_opens_with_the_report_s_recipe_and_a_card() -> None:
    at = opened()
    assert at.selectbox(key="recipe").value == "report"
    assert at.number_input(key="recipe_epochs").value == 20
    assert at.text_input(key="recipe_hidden").value == "128, 64"
    assert at.info[0].value.startswith("Choose a recipe")
    assert at.selectbox(key="card_of").options == ["standard", "first-digits"]
    card = SHIPPED.load("report")[1]
    assert [metric.value for metric in at.metric][1] == f"{card.test_accuracy:.2%}"
    assert "99.55%" in at.metric[0].delta


def test_the_usual_settings_come_first() -> None:
    at = opened()
    labels = [each.label for each in at.expander]
    keys = [each.key for each in at.number_input]
    assert keys.index("recipe_epochs") < keys.index("recipe_learning_rate") < 3
    assert keys.index("recipe_seed") < keys.index("recipe_weight_decay")
    assert len(labels) == len(set(labels)) > 5


def test_every_preset_is_explained_and_fills_in_the_form() -> None:
    assert set(SPECIAL) == set(PRESETS)
    at = opened()
    presets = ("ensemble", "adversarial-pgd", "certified", "convolutional", "any-hand", "report")
    for preset in ("transfer", *presets):
        well(at.selectbox(key="recipe").set_value(preset).run())
        assert at.number_input(key="recipe_members").value == PRESETS[preset].members
        assert at.selectbox(key="recipe_adversary").value == PRESETS[preset].adversary
        assert at.number_input(key="recipe_elastic").value == PRESETS[preset].elastic
        assert at.toggle(key="recipe_refit").value == PRESETS[preset].refit
        channels = ", ".join(map(str, PRESETS[preset].convolutions))
        assert at.text_input(key="recipe_convolutions").value == channels
        assert not at.button(key="train").disabled
        assert not at.warning


def test_a_network_is_trained_kept_and_attacked(library: Library) -> None:
    at = train_a_little(opened())
    assert at.query_params["run"]
    assert "keeping epoch 2" in " ".join(text.value for text in at.markdown)
    assert "Epoch [2/2], Validation Loss" in at.code[0].value
    at.text_input(key="keep_name").set_value("Mine")
    well(at.button(key="keep").click().run())
    assert "“Mine”" in at.success[0].value
    card = library.load("Mine")[1]
    assert card.recipe is not None and card.recipe.training_images == 500
    assert not library.is_shipped("Mine")
    well(at.button(key="attack_it").click().run())
    assert at.selectbox(key="model").value == "Mine"


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("epochs", 0, "epochs must be"),
        ("epochs", 2000, "epochs must be"),
        ("frozen", 99, "frozen must be"),
        ("batch_size", -1, "batch_size must be"),
        ("learning_rate", -0.1, "learning_rate must be"),
    ],
)
def test_a_setting_out_of_its_range_is_a_sentence(setting: str, value: float, said: str) -> None:
    at = opened()
    well(at.number_input(key=f"recipe_{setting}").set_value(value).run())
    assert said in at.warning[0].value
    assert at.button(key="train").disabled


@pytest.mark.parametrize("text", ["abc", "10 20", "64.5"])
def test_hidden_layers_that_are_no_numbers_are_a_sentence(text: str) -> None:
    at = opened()
    well(at.text_input(key="recipe_hidden").set_value(text).run())
    assert f"like 128, 64, not {text!r}" in at.warning[0].value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a lot", "channels of convolutions must be whole numbers .* like 6, 16, not 'a lot'"),
        ("6, 16, 120", "convolutions must be no more than 2 .*, not 3"),
        ("6, 0", "convolutions must be .* 1.*, not 0"),
        ("65", "convolutions must be from 1 to 64, not 65"),
    ],
)
def test_convolutions_that_can_t_be_are_a_sentence(text: str, said: str) -> None:
    at = opened()
    well(at.text_input(key="recipe_convolutions").set_value(text).run())
    (warning,) = at.warning
    assert re.search(said, warning.value)
    assert at.button(key="train").disabled
    well(at.text_input(key="recipe_convolutions").set_value("").run())
    assert not at.warning


@pytest.mark.thorough
def test_a_convolutional_network_is_chosen_by_an_address_trained_and_kept(
    library: Library,
) -> None:
    at = opened(recipe="adam", recipe_convolutions="3, 5")
    assert at.text_input(key="recipe_convolutions").value == "3, 5"
    assert at.query_params["recipe_convolutions"] == "3, 5"
    train_a_little(at, epochs=1)
    at.text_input(key="keep_name").set_value("Mine")
    well(at.button(key="keep").click().run())
    network, card = library.load("Mine")
    assert isinstance(network, Sequential)
    assert network.shapes[1] == (3, 28, 28)
    assert card.recipe is not None and card.recipe.convolutions == (3, 5)
    well(at.selectbox(key="card_of").set_value("Mine").run())
    assert any("convolutions of 3 and 5 channels" in text.value for text in at.caption)


def test_convolutions_that_cost_too_much_are_refused_in_a_sentence() -> None:
    at = opened(recipe="convolutional", recipe_convolutions="64, 64")
    at.number_input(key="recipe_epochs").set_value(200)
    well(at.button(key="train").click().run())
    assert "this server allows" in at.error[0].value
    assert "run" not in at.query_params


def test_a_start_of_other_layers_is_refused_before_it_waits_in_line() -> None:
    at = opened()
    at.text_input(key="recipe_hidden").set_value("32")
    at.selectbox(key="recipe_start").set_value("report")
    well(at.button(key="train").click().run())
    assert "report has the layers 784-128-64-10, the recipe 784-32-10" in at.error[0].value
    assert "run" not in at.query_params


def test_accuracy_on_some_digits_is_not_set_beside_the_report_s() -> None:
    at = opened()
    well(at.selectbox(key="card_of").set_value("first-digits").run())
    assert at.metric[1].delta == "of the digits 0, 1, 2, 3, 4 alone"


@pytest.mark.thorough
def test_a_network_is_named_after_the_recipe_that_it_was_trained_by() -> None:
    at = train_a_little(opened(), epochs=1)
    assert at.text_input(key="keep_name").value == "My network"
    well(at.selectbox(key="recipe").set_value("few-images").run())
    until_ended(well(at.button(key="train").click().run()))
    assert at.text_input(key="keep_name").value == "My few-images"


def test_a_reload_finds_the_run_by_its_address() -> None:
    at = train_a_little(opened())
    again = opened(run=at.query_params["run"])
    assert "keeping epoch 2" in " ".join(text.value for text in again.markdown)
    assert again.button(key="keep")


def test_a_run_that_is_not_known_is_said_to_be_so() -> None:
    at = opened(run="nobody")
    assert "not known any more" in at.warning[0].value


@pytest.mark.thorough
def test_two_of_the_same_name_are_two_networks() -> None:
    for expected in ("Twin", "Twin 2"):
        at = train_a_little(opened(), epochs=1)
        at.text_input(key="keep_name").set_value("Twin")
        well(at.button(key="keep").click().run())
        assert at.success[0].value.startswith(f"Kept as “{expected}”.")


def test_a_bad_name_loses_nothing() -> None:
    at = train_a_little(opened(), epochs=1)
    at.text_input(key="keep_name").set_value("../../evil <b>")
    well(at.button(key="keep").click().run())
    assert "name" in at.error[0].value
    assert at.button(key="keep")
    at.text_input(key="keep_name").set_value("good")
    well(at.button(key="keep").click().run())
    assert at.success[0].value.startswith("Kept as “good”.")


@pytest.mark.parametrize(("rate", "warnings"), [(2.0, 1), (0.01, 0)])
def test_a_training_that_has_learned_nothing_says_so(rate: float, warnings: int) -> None:
    at = opened()
    at.number_input(key="recipe_learning_rate").set_value(rate)
    at = train_a_little(at)
    assert len(at.warning) == warnings
    assert all("learned nothing" in each.value for each in at.warning)
    assert at.button(key="keep")  # it may be kept all the same


@pytest.mark.thorough
def test_a_run_can_be_stopped() -> None:
    at = opened()
    at.number_input(key="recipe_epochs").set_value(1000)
    well(at.button(key="train").click().run())
    assert well(at.run()).button(key="train").disabled  # or this run could not be found again
    until(at, lambda at: at.get("plotly_chart"))
    well(at.button(key="stop").click().run())
    until_ended(at)
    assert any(text.value.startswith("**Stopped after") for text in at.markdown)
    assert at.button(key="keep")


def test_a_training_for_the_proof_says_what_it_counts_and_keeps_its_last_epoch() -> None:
    at = opened(recipe="certified")
    at.number_input(key="recipe_epochs").set_value(1000)
    at.number_input(key="recipe_training_images").set_value(500)
    well(at.button(key="train").click().run())
    until(at, lambda at: at.get("plotly_chart"))
    assert "last epoch" in at.button(key="stop").label
    assert any("proved within ε" in text.value for text in at.caption)
    until_ended(well(at.button(key="stop").click().run()))
    (ended,) = (text.value for text in at.markdown if text.value.startswith("**Stopped after"))
    (logged,) = re.findall(r"\AEpoch \[(\d+)/1000\]", at.code[0].value)
    assert f"keeping epoch {logged}." in ended


def test_what_does_not_go_together_is_said_before_it_starts() -> None:
    at = opened()
    well(at.toggle(key="recipe_batch_norm").set_value(True).run())
    assert "batch_norm needs a batch_size of at least 2" in at.warning[0].value
    assert at.button(key="train").disabled
    well(at.number_input(key="recipe_batch_size").set_value(64).run())
    assert not at.warning
    well(at.text_input(key="recipe_hidden").set_value("many").run())
    assert "hidden" in at.warning[0].value


def test_others_see_their_place_in_the_queue() -> None:
    first, second = opened(), opened()
    first.number_input(key="recipe_epochs").set_value(1000)
    well(first.button(key="train").click().run())
    well(second.button(key="train").click().run())
    assert second.info[0].value.startswith("1 training before this one")
    well(second.button(key="stop").click().run())
    assert "stopped before it began" in second.warning[0].value
    well(first.button(key="stop").click().run())


def test_shipped_networks_can_t_be_deleted_kept_ones_can(library: Library) -> None:
    library.keep("mine", *SHIPPED.load("report"))
    at = opened()
    assert not [button for button in at.button if button.key == "delete"]
    well(at.selectbox(key="card_of").set_value("mine").run())
    well(at.button(key="delete").click().run())
    assert at.success[0].value == "mine is deleted."
    assert at.selectbox(key="card_of").options == ["standard", "first-digits"]


def test_a_network_that_can_t_be_deleted_is_a_sentence(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.keep("mine", *SHIPPED.load("report"))
    at = opened(card="mine")

    def refuse(*arguments: object, **settings: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    well(at.button(key="delete").click().run())
    assert [error.value for error in at.error] == ["mine can't be deleted: Read-only file system."]
    monkeypatch.undo()
    assert "mine" in library.names()


def test_what_may_be_downloaded_may_be_uploaded() -> None:
    largest = tomllib.loads((Path(APP).parent / ".streamlit/config.toml").read_text())
    upload = largest["server"]["maxUploadSize"] * 2**20
    sizes = [784, 1150, 1150, 1150, 1150, 1150, 1150, 400, 10]  # 7,978,100 weights of 8,000,000
    network = random_mlp(tuple(sizes), seed=0, dtype=np.float32)
    log = tuple(
        LoggedEpoch(member, epoch, 1 / 3, 2 / 3, 1 / 7, 6 / 7)
        for member in range(1, MOST_MEMBERS + 1)
        for epoch in range(1, 1001)
    )
    recipe = Recipe(hidden=(8,), epochs=1000, members=MOST_MEMBERS)
    content = to_bytes(network, dataclasses.replace(CARD, recipe=recipe, log=log))
    assert len(content) * MOST_WEIGHTS / 7_978_100 < MAX_BYTES <= upload
    assert upload >= pictures.MAX_BYTES


def test_a_damaged_file_is_one_sentence(folder: Path) -> None:
    (folder / "report.safetensors").write_bytes(b"nothing")
    at = opened()
    assert "report.safetensors can't be used" in at.error[0].value
    assert at.selectbox(key="recipe").value == "report"


@pytest.mark.parametrize("content", [b"no safetensors", b""])
def test_a_foreign_file_is_refused(content: bytes) -> None:
    at = opened()
    at.file_uploader(key="upload").set_value(("x.safetensors", content, "application/octet-stream"))
    well(at.run())
    assert "x.safetensors can't be used" in at.error[0].value


def test_a_file_is_brought_along(library: Library) -> None:
    at = opened()
    content = SHIPPED.path("report").read_bytes()
    at.file_uploader(key="upload").set_value(
        ("theirs.safetensors", content, "application/octet-stream")
    )
    well(at.run())
    assert at.success[0].value == "Kept as “theirs”."
    assert library.load("theirs")[1] == SHIPPED.load("report")[1]
    assert at.selectbox(key="card_of").value == "theirs"
