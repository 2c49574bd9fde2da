"""Who a session belongs to; that a browser's tabs are one person is in tests/browser."""

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from pages.parts.server import person_by_cookie


def test_a_browser_is_the_same_person_whatever_mask_its_cookie_has() -> None:
    mine, other = bytes(range(16)), bytes(range(1, 17))
    cookies = [generate_xsrf_token_string(token) for token in (mine, mine, other)]
    assert len(set(cookies)) == 3
    first, again, somebody_else = map(person_by_cookie, cookies)
    assert first is not None and first == again != somebody_else
    assert mine.hex() not in first


@pytest.mark.parametrize(
    "cookie",
    [
        None,
        "",
        "2|00|11|5",
        "2|zzzzzzzz|" + 32 * "0" + "|5",
        "1|00000000|" + 32 * "0" + "|5",
        "2|00000000||5",
        "2|00000000|" + 34 * "0" + "|5",
        "2|00000000|" + 32 * "0",
        "\x00" * 1000,
    ],
)
def test_a_cookie_without_a_token_stands_for_nobody(cookie: str | None) -> None:
    assert person_by_cookie(cookie) is None


def test_without_a_cookie_each_tab_is_a_person() -> None:
    def page() -> None:
        from pages.parts.server import who

        who()

    first, second = (AppTest.from_function(page).run().session_state["visitor"] for _ in range(2))
    assert first.person == first.tab != second.person
