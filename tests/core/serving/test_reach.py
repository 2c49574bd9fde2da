from urllib.parse import parse_qs, urlsplit

import pytest

from core.serving.reach import (
    LONGEST,
    for_code,
    is_alone,
    is_this_machine,
    own_address,
    own_name,
    reachable,
)

LOCAL, PHONE = "http://localhost:8501/train?recipe=adam", "192.168.7.20"


@pytest.mark.parametrize(
    ("url", "listens_on", "own", "expected"),
    [
        # The browser's own host is one that others can use.
        (f"http://{PHONE}:8501/", "0.0.0.0", PHONE, f"http://{PHONE}:8501/"),
        ("https://class.example/draw", "127.0.0.1", None, "https://class.example/draw"),
        # Only this machine can use the browser's, but the server listens on the network too.
        (LOCAL, "0.0.0.0", PHONE, f"http://{PHONE}:8501/train?recipe=adam"),
        (LOCAL, "", PHONE, f"http://{PHONE}:8501/train?recipe=adam"),
        ("http://[::1]:8501/", "::", "2001:db8::7", "http://[2001:db8::7]:8501/"),
        ("http://127.0.0.1/", PHONE, None, f"http://{PHONE}/"),
        # Nobody else can open it.
        (LOCAL, "127.0.0.1", PHONE, None),
        (LOCAL, "localhost", PHONE, None),
        (LOCAL, "0.0.0.0", None, None),
    ],
)
def test_others_get_an_address_that_they_can_reach(
    url: str, listens_on: str, own: str | None, expected: str | None
) -> None:
    assert reachable(url, listens_on=listens_on, own=own) == expected


def test_what_stands_for_the_machine_itself() -> None:
    assert all(map(is_this_machine, ("localhost", "127.0.0.1", "127.8.9.1", "::1", "a.localhost")))
    assert not any(map(is_this_machine, (PHONE, "class.example", "localhost.example", "")))


@pytest.mark.parametrize(
    ("listens_on", "asked_for", "forwarded", "expected"),
    [
        ("127.0.0.1", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501"], False, True),
        ("localhost", [], False, True),
        ("127.0.0.1", ["localhost:8501"], True, False),
        ("127.0.0.1", ["localhost:8501", "class.example"], False, False),
        ("127.0.0.1", ["[:8501"], False, False),
        ("0.0.0.0", ["localhost:8501"], False, False),
        ("", [], False, False),
    ],
)
def test_who_is_alone_on_the_server_s_own_machine(
    listens_on: str, asked_for: list[str], forwarded: bool, expected: bool
) -> None:
    found = is_alone(listens_on=listens_on, asked_for=asked_for, forwarded=forwarded)
    assert found == expected


def test_the_machine_s_own_address_is_one_or_none() -> None:
    found = own_address()
    assert found is None or not is_this_machine(found)


@pytest.mark.parametrize("more", [0, 1])
def test_a_long_link_leaves_its_picture_out(more: int) -> None:
    link = f"http://{PHONE}:8501/?model=a%20b&attack=PGD&pixels="
    link += "x" * (LONGEST - len(link) + more)
    short = for_code(link, picture="pixels")
    assert (short == link) == (more == 0)
    settings = parse_qs(urlsplit(short).query)
    assert settings["model"] == ["a b"] and settings["attack"] == ["PGD"]
    assert ("pixels" in settings) == (more == 0)
    assert urlsplit(short).netloc == f"{PHONE}:8501"


def test_servers_of_a_machine_have_names_that_outlive_a_restart() -> None:
    assert own_name(8501) == own_name(8501) != own_name(8502)
    assert "." not in own_name(8501)
