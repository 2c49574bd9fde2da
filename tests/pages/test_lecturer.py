"""Who may do what on the Train page of a server that strangers share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from core.networks import Library
from core.serving.server import WORD
from core.serving.visitors import Visitor
from pages.parts.server import forget_server
from tests.conftest import SHIPPED
from tests.pages.conftest import TIMEOUT, opened, until, well

APP = str(Path(__file__).parent.parent.parent / "app.py")
TRAIN = "pages/training/train.py"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, library: Library) -> Path:
    """A folder of networks for this test alone."""
    shutil.copy(SHIPPED.path("report"), tmp_path)
    return tmp_path


@pytest.fixture
def word(monkeypatch: pytest.MonkeyPatch) -> str:
    """The lecturer's word of the server that the test starts."""
    monkeypatch.setenv(WORD, "open sesame")
    return "open sesame"


@pytest.fixture
def public() -> Iterator[None]:
    """Have the server listen on all addresses."""
    before = config.get_option("server.address")
    config.set_option("server.address", "0.0.0.0")
    yield
    config.set_option("server.address", before)


def train_page(person: str = "", **query: str) -> AppTest:
    """Open the page in a new tab of somebody's browser, or of somebody new."""
    if not person:
        return opened(APP, TRAIN, **query)
    at = AppTest.from_file(APP, default_timeout=TIMEOUT)
    at.session_state["visitor"] = Visitor(person, f"tab {id(at)}")
    for name, value in query.items():
        at.query_params[name] = value
    return well(at.switch_page(TRAIN).run())


def keys(at: AppTest) -> set[str | None]:
    return {button.key for button in at.button}


def say(at: AppTest, word: str) -> AppTest:
    """Say a word in the lecturer's corner."""
    at.text_input(key="lecturer_word").set_value(word)
    return well(next(each for each in at.button if each.label == "This is me").click().run())


def bring(at: AppTest, name: str) -> AppTest:
    """Upload the report's network under a name."""
    content = SHIPPED.path("report").read_bytes()
    at.file_uploader(key="upload").set_value((f"{name}.safetensors", content, ""))
    return well(at.run())


def begin(at: AppTest, *, epochs: int = 1000) -> AppTest:
    at.number_input(key="recipe_epochs").set_value(epochs)
    return well(at.button(key="train").click().run())


def test_what_one_keeps_is_deleted_by_oneself_and_by_the_lecturer(
    word: str, library: Library
) -> None:
    owner, stranger, lecturer = train_page("owner"), train_page(), train_page()
    for name in ("mine", "other"):
        bring(owner, name)
    for name in ("mine", "other"):
        well(stranger.run())
        assert "delete" not in keys(well(stranger.selectbox(key="card_of").set_value(name).run()))
    again = train_page("owner", card="mine")
    assert "delete" in keys(again)
    well(again.button(key="delete").click().run())
    assert "mine" not in library.names()
    say(well(lecturer.run()), word)
    well(lecturer.selectbox(key="card_of").set_value("other").run())
    well(lecturer.button(key="delete").click().run())
    assert "other" not in library.names()


def test_after_a_restart_what_one_has_kept_is_still_one_s_own(word: str, library: Library) -> None:
    bring(train_page("owner"), "mine")
    forget_server()
    assert "delete" not in keys(train_page("stranger", card="mine"))
    again = train_page("owner", card="mine")
    well(again.button(key="delete").click().run())
    assert "mine" not in library.names() and not list((library.folder / "kept").glob(".*owner*"))


def test_a_later_network_of_the_same_name_is_not_one_s_own(word: str, library: Library) -> None:
    at = bring(train_page("me"), "mine")
    library.delete("mine")
    library.keep("mine", *SHIPPED.load("report"))
    assert "delete" not in keys(well(at.run()))


def test_a_wrong_word_opens_nothing_and_the_word_stays_nowhere(word: str) -> None:
    at = say(train_page(), "open barley")
    assert "leave_lecturer" not in keys(at) and len(at.error) == 1
    say(at, word)
    assert "leave_lecturer" in keys(at) and not at.error
    assert word not in str(at.query_params)
    well(at.button(key="leave_lecturer").click().run())
    assert "leave_lecturer" not in keys(at) and not at.text_input(key="lecturer_word").value


def test_who_was_sent_a_run_s_address_watches_it_and_trains_an_own_one(word: str) -> None:
    owner = begin(train_page("owner"))
    run = owner.query_params["run"]
    friend = train_page("friend", run=run)
    assert friend.query_params["run"] == run and not friend.warning
    assert "stop" not in keys(friend) and not friend.button(key="train").disabled
    begin(friend)
    assert friend.query_params["run"] != run and "stop" in keys(friend)
    lecturer = say(train_page(run=run), word)
    well(lecturer.button(key="stop").click().run())
    until(lecturer, lambda at: "stop" not in keys(at))
    well(friend.button(key="stop").click().run())


@pytest.mark.thorough
def test_a_person_has_one_place_in_the_line_whatever_the_tab() -> None:
    first = begin(train_page("somebody"))
    tabs = [train_page("me"), train_page("me")]
    begin(tabs[0])
    assert "run" in tabs[0].query_params
    begin(tabs[1])
    assert len(tabs[1].error) == 1 and "run" not in tabs[1].query_params
    for at in (tabs[0], first):
        well(at.button(key="stop").click().run())


@pytest.mark.thorough
def test_the_lecturer_empties_the_line(word: str) -> None:
    people = [begin(train_page(name)) for name in ("first", "second", "third")]
    until(people[0], lambda at: at.get("progress"))  # it waits no more
    lecturer = say(train_page(), word)
    well(lecturer.button(key="empty").click().run())
    assert "empty" not in keys(lecturer)
    assert ["stop" in keys(well(at.run())) for at in people] == [True, False, False]
    well(people[0].button(key="stop").click().run())


def test_the_lecturer_closes_training_and_uploads_and_opens_them_again(word: str) -> None:
    lecturer, student = say(train_page(), word), train_page()
    well(lecturer.button(key="close").click().run())
    begin(student)  # on a page that was opened before
    assert len(student.error) == 1 and "run" not in student.query_params
    assert student.button(key="train").disabled and student.file_uploader(key="upload").disabled
    assert not lecturer.file_uploader(key="upload").disabled
    well(lecturer.button(key="reopen").click().run())
    assert not well(student.run()).file_uploader(key="upload").disabled


@pytest.mark.usefixtures("public")
def test_without_a_word_a_public_server_trusts_nobody_with_others_things(library: Library) -> None:
    library.keep("theirs", *SHIPPED.load("report"))
    at = train_page(card="theirs")
    assert "delete" not in keys(at)
    assert not [each for each in at.text_input if each.key == "lecturer_word"]
    bring(at, "mine")
    assert at.selectbox(key="card_of").value == "mine" and "delete" in keys(at)


def test_without_a_word_the_only_user_of_a_server_deletes_everything(library: Library) -> None:
    library.keep("theirs", *SHIPPED.load("report"))
    assert "delete" in keys(train_page(card="theirs"))
